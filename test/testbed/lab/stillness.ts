// Did anything happen that nobody asked for? Watches everything of ours that a host or the API could notice: kernel
// events, configuration given to charon, our file, our objects. What should have stayed still is the test's to say.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  EVENTS,
  HOSTS,
  NETWORKS,
  POLICIES,
  REPORTS,
  SHARDS,
  collectionPath,
} from '../../../app/kubernetes/resources.ts';
import type { Lab } from './lab.ts';
import { HOST_NAMES, type LabHost } from './topology.ts';
import { watchXfrmEverywhere } from './xfrm-monitor.ts';

/** Each a list of texts; empty where nothing happened. */
export interface Changes {
  /** Kernel events on our flows: pods and cluster-host addresses. */
  readonly kernel: readonly string[];
  /** Kernel events on anything else, the platform's. */
  readonly platformKernel: readonly string[];
  /** Connections that charon was given or had to give up, by anyone. */
  readonly loads: readonly string[];
  /** Hosts whose file was written or removed, even with the same content. */
  readonly files: readonly string[];
  /** Objects of ours, and events, that were written, made or deleted. */
  readonly objects: readonly string[];
}

export interface Watch {
  stop(): Promise<Changes>;
}

/** Nothing happened, at least to us. */
export const STILL: Omit<Changes, 'platformKernel' | 'loads'> = { kernel: [], files: [], objects: [] };

/** Resolves when everything from now on is seen. */
export async function watchStillness(lab: Lab): Promise<Watch> {
  const [files, objects] = await Promise.all([fileStates(lab), objectVersions(lab)]);
  const logLengths = HOST_NAMES.map((host) => charonLog(lab, host).length);
  const xfrm = await watchXfrmEverywhere(lab);
  return {
    stop: async () => {
      const events = await xfrm.stop();
      const [filesNow, objectsNow] = await Promise.all([fileStates(lab), objectVersions(lab)]);
      const logs = HOST_NAMES.map((host, index) => charonLog(lab, host).slice(logLengths[index]));
      return {
        kernel: events.filter(isOurs),
        platformKernel: events.filter((event) => !isOurs(event)),
        loads: HOST_NAMES.flatMap((host, index) =>
          [...(logs[index] ?? '').matchAll(LOADS)].map(([text]) => `${host}: ${text}`),
        ),
        files: differing(files, filesNow),
        objects: differing(objects, objectsNow),
      };
    },
  };
}

/** charon says so at its usual log level, also when what it is given is what it has. */
const LOADS = /(?:added|updated|replaced|removed|unloaded) (?:vici )?connection:? \S+/g;

function isOurs(event: string): boolean {
  return /\b172\.16\.|\b192\.168\.206\.|\bfd00:/.test(event);
}

function charonLog(lab: Lab, host: LabHost): string {
  return readFileSync(join(lab.dir, `charon-${host}.log`), 'utf8');
}

async function fileStates(lab: Lab): Promise<Map<string, string>> {
  const states = await Promise.all(
    HOST_NAMES.map((host) => lab.exec(host, ['stat', '-c', '%i %y', '/etc/swanctl/conf.d/k8s-nodes.conf'])),
  );
  return new Map(HOST_NAMES.map((host, index) => [host, states[index]?.stdout ?? '']));
}

async function objectVersions(lab: Lab): Promise<Map<string, string>> {
  const kinds = [POLICIES, NETWORKS, HOSTS, SHARDS, REPORTS, EVENTS];
  const lists = await Promise.all(kinds.map((kind) => lab.api.list(collectionPath(kind))));
  return new Map(
    lists.flatMap((objects, index) =>
      objects.map(({ metadata }) => [
        `${kinds[index]?.kind ?? ''} ${metadata.name}`,
        metadata.resourceVersion ?? '',
      ]),
    ),
  );
}

function differing(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((name) => before.get(name) !== after.get(name)).sort();
}
