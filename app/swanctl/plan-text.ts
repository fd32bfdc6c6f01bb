// What would each host load? The conf file of every host in the facts, for the `plan` command and the golden tests.
import type { Facts, HostName } from '../domain/facts.ts';
import { assignNames } from '../domain/names.ts';
import { planHost } from '../domain/plan-host.ts';
import { compareText } from '../domain/problem.ts';
import { confText } from './conf-text.ts';

/** The file's text by host, sorted; names as a host without a file and with an empty charon would give them. */
export function renderPlans(facts: Facts): Map<HostName, string> {
  const hosts = facts.hosts.map(({ name }) => name).sort(compareText);
  return new Map(
    hosts.map((host) => [host, confText(assignNames(planHost(facts, host), undefined, new Map()))]),
  );
}
