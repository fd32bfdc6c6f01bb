// The system calls that engines let a container make by default (RuntimeDefault), from the profile that Debian ships for them,
// as runc wants it. The profile is written for all machines and sets of capabilities; here one of each is chosen.
import { readFileSync } from 'node:fs';

/** Of golang-github-containers-common, on which skopeo depends. */
const PROFILE = '/usr/share/containers/seccomp.json';

interface Condition {
  readonly arches?: readonly string[];
  readonly caps?: readonly string[];
}

interface Rule {
  readonly names: readonly string[];
  readonly action: string;
  readonly args?: readonly object[] | null;
  readonly errnoRet?: number;
  readonly includes?: Condition;
  readonly excludes?: Condition;
}

interface Profile {
  readonly defaultAction: string;
  readonly defaultErrnoRet: number;
  readonly syscalls: readonly Rule[];
}

/** `linux.seccomp` of config.json, for x86-64 and these capabilities. */
export function runtimeDefault(capabilities: readonly string[]): object {
  const { defaultAction, defaultErrnoRet, syscalls } = JSON.parse(readFileSync(PROFILE, 'utf8')) as Profile;
  const has = ({ arches = [], caps = [] }: Condition): boolean[] => [
    ...arches.map((name) => name === 'amd64'),
    ...caps.map((name) => capabilities.includes(name)),
  ];
  const holds = ({ includes = {}, excludes = {} }: Rule): boolean =>
    (has({ arches: includes.arches ?? [] }).includes(true) || includes.arches === undefined) &&
    has({ caps: includes.caps ?? [] }).every(Boolean) &&
    !has(excludes).includes(true);
  return {
    defaultAction,
    defaultErrnoRet,
    architectures: ['SCMP_ARCH_X86_64'],
    syscalls: syscalls.filter(holds).map(({ names, action, args, errnoRet }) => ({
      names,
      action,
      ...(args && { args }),
      ...(errnoRet !== undefined && { errnoRet }),
    })),
  };
}
