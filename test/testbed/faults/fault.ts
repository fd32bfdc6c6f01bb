// What a fault is, for the test that makes it and the page that tells of it: where it is seen, and what to do. All faults: table.ts;
// how each is made in the lab: acts.ts.

export interface Fault {
  /** Names it in the test, in acts.ts and in the page. */
  readonly name: string;
  /** Part of a quick run. */
  readonly quick?: true;
  /** What commands print is shown in full by the page. */
  readonly isShown?: true;
  /** How it is made in the lab, for the page. */
  readonly lab: string;
  readonly signs: Signs;
  /** What to do, one step each; shell commands in backquotes. */
  readonly cure: readonly string[];
}

/** A sign that there is none of, with the reason. */
export interface None {
  readonly none: string;
}

export interface Signs {
  readonly condition: ConditionSign | None;
  readonly event: EventSign | None;
  readonly metric: MetricSign | None;
  readonly status: StatusSign | None;
}

/** A condition of the policy that becomes False. */
export interface ConditionSign {
  readonly type: 'Accepted' | 'ResolvedRefs' | 'Programmed';
  readonly reason: string;
  readonly says: RegExp;
}

export interface EventSign {
  readonly on: 'IPsecPolicy' | 'IPsecHostReport' | 'Node';
  /** Of the object. */
  readonly name: string;
  readonly reason: string;
  /** True for what is not said to be over, because it has happened and is mended. */
  readonly isOnce?: true;
}

export interface MetricSign {
  /** `manager`, or a host: that of its agent. */
  readonly of: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly becomes: Becomes;
}

/** `grows`: more than when the fault was made; `absent`: no such sample; `unreadable`: the port does not answer. */
export type Becomes = 'zero' | 'above zero' | 'grows' | 'absent' | 'unreadable';

/** A line of what `status` prints. */
export interface StatusSign {
  readonly line: RegExp;
}

export function isNone(sign: object): sign is None {
  return 'none' in sign;
}

export type SignName = keyof Signs;
export const SIGN_NAMES = ['condition', 'event', 'metric', 'status'] as const satisfies readonly SignName[];

/** What a run of the test saw, for the page. */
export interface Seen {
  /** Seconds from the fault until each sign was there. */
  readonly seconds: Readonly<Partial<Record<SignName, number>>>;
  /** Seconds from mending until the condition was good again, and until an event said so. */
  readonly recovered: Readonly<{ condition?: number; event?: number }>;
  /** Real text of each sign. */
  readonly text: Readonly<Partial<Record<SignName, string>>>;
  /** What commands printed meanwhile, for faults whose outputs the page shows in full. */
  readonly screens?: Readonly<Record<string, string>>;
}
