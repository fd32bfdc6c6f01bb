// The platform's own swanctl reads our file and sends what it made of it: is that, message for message, what we send
// over VICI? No charon is needed for it, only swanctl and something that listens.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import type { HostConfig } from '../../app/domain/host-config.ts';
import { parseConfText } from '../../app/swanctl/conf-parse.ts';
import { confText } from '../../app/swanctl/conf-text.ts';
import { loadMessage } from '../../app/swanctl/host-config-tree.ts';
import type { Tree } from '../../app/swanctl/tree.ts';
import { startFakeCharon } from '../support/fake-charon.ts';
import { child, config, DNS_EGRESS, peer, someHostConfig } from '../support/host-configs.ts';

const run = promisify(execFile);

describe('swanctl --load-conns of our file', function () {
  this.timeout(120_000);

  it('sends what we send, in the same order', async () => {
    const samples = fc.sample(someHostConfig, { numRuns: 15, seed: 1 });
    for (const sample of samples)
      expect(await loadedBySwanctl(confText(sample))).to.deep.equal(sample.connections.map(loadMessage));
  });

  it('knows the longest names that our parser lets through, and mistakes longer ones', async () => {
    const withNames = (connection: number, name: number): HostConfig =>
      config(
        peer('h'.repeat(connection - 'k8s-node-'.length), [
          child('n'.repeat(name), '10.0.0.1/32[sctp/1]', '10.0.1.0/26[sctp]'),
        ]),
      );
    for (const longest of [withNames(106, 127), withNames(115, 118)]) {
      expect(parseConfText(confText(longest))).to.have.property('config');
      expect(await loadedBySwanctl(confText(longest))).to.deep.equal(longest.connections.map(loadMessage));
    }
    for (const tooLong of [withNames(50, 128), withNames(107, 127), withNames(128, 50)]) {
      expect(parseConfText(confText(tooLong)))
        .to.have.property('error')
        .that.contains('too long');
      expect(await loadedBySwanctl(confText(tooLong))).not.to.deep.equal(
        tooLong.connections.map(loadMessage),
      );
    }
  });

  it('leaves what a platform file before it says', async () => {
    const platform =
      'connections {\n  system-nodes {\n    version = 2\n    children {\n      node {\n      }\n    }\n  }\n}\n';
    const sample = config(peer('controller-1', [DNS_EGRESS]));
    expect(await loadedBySwanctl(confText(sample), platform)).to.deep.equal([
      { 'system-nodes': { version: '2', children: { node: {} } } },
      ...sample.connections.map(loadMessage),
    ]);
  });
});

/** The load-conn messages of one run; our file is included as the platform includes it. */
async function loadedBySwanctl(text: string, platform = ''): Promise<Tree[]> {
  const charon = await startFakeCharon();
  const directory = await mkdtemp(join(tmpdir(), 'swanctl-'));
  try {
    await writeFile(join(directory, 'k8s-nodes.conf'), text);
    await writeFile(join(directory, 'k8s-nodes.conf.new'), 'not { read');
    await writeFile(
      join(directory, 'swanctl.conf'),
      `${platform}include *.conf.d/none\ninclude k8s-nodes*.conf\n`,
    );
    await run('swanctl', [
      '--load-conns',
      '--file',
      join(directory, 'swanctl.conf'),
      '--uri',
      `unix://${charon.path}`,
    ]);
    return charon.commands.filter(({ command }) => command === 'load-conn').map(({ message }) => message);
  } finally {
    await rm(directory, { recursive: true });
    await charon.stop();
  }
}
