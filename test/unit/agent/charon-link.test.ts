import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { charonLink, type CharonLink } from '../../../app/agent/charon-link.ts';
import { isWorldError, type WorldError } from '../../../app/runtime/errors.ts';
import { ViciClosedError, ViciCommandError, ViciProtocolError } from '../../../app/vici/errors.ts';
import { startFakeCharon, type FakeCharon } from '../../support/fake-charon.ts';
import { until } from '../../support/until.ts';

describe('charonLink', () => {
  let directory: string;
  let fake: FakeCharon;
  let link: CharonLink;
  let events: string[];
  let losses: (Error | undefined)[];

  const failure = async (): Promise<unknown> => link.session().catch((error: unknown) => error);
  const countOf = (command: string): number =>
    fake.commands.filter((entry) => entry.command === command).length;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'charon-link-'));
    fake = await startFakeCharon({ path: join(directory, 'charon.vici') });
    [events, losses] = [[], []];
    link = charonLink({
      path: fake.path,
      timeoutMs: 60_000,
      onEvent: (name) => events.push(name),
      onLost: (error) => losses.push(error),
    });
  });

  afterEach(async () => {
    link.close();
    await fake.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('fails with errors of the world, of which the work loop knows what to do', () => {
    // Typed: app/vici may not know the type that it must match.
    const errors: readonly WorldError[] = [
      new ViciCommandError('load-conn', 'refused', 'on-change'),
      new ViciProtocolError('broken'),
      new ViciClosedError('gone'),
    ];
    expect(errors.map(isWorldError)).to.deep.equal([true, true, true]);
  });

  it('keeps one session, with an empty memory at its beginning', async () => {
    const session = await link.session();
    expect([session.version, session.sent.size]).to.deep.equal(['5.9.8', 0]);
    expect(await link.session()).to.equal(session);
    expect(countOf('version')).to.equal(1);
  });

  it('opens one session for all who ask while it is opened', async () => {
    const release = fake.hold('version');
    const asked = [link.session(), link.session()];
    await fake.arrived('version');
    asked.push(link.session());
    release();
    const [first, ...others] = await Promise.all(asked);
    expect(others.every((session) => session === first)).to.equal(true);
    expect(countOf('version')).to.equal(1);
  });

  it('passes events on', async () => {
    await link.session();
    fake.emit('child-updown', {});
    fake.emit('ike-updown', {});
    fake.emit('ike-rekey', {});
    await (await link.session()).charon.version();
    expect(events).to.deep.equal(['child-updown', 'ike-updown']);
  });

  it('tells of a lost session once and opens another one with an empty memory', async () => {
    const session = await link.session();
    session.sent.set('k8s-node-worker-0' as never, 'something');
    fake.dropClients();
    await until('it is lost', () => losses.length > 0);
    const next = await link.session();
    expect(next).not.to.equal(session);
    expect(next.sent.size).to.equal(0);
    expect(losses).to.have.length(1);
    expect(losses[0]).to.have.property('name', 'ViciClosedError');
  });

  it('does not keep a session that is over before it was handed out', async () => {
    const release = fake.hold('version');
    const opening = link.session();
    await fake.arrived('version');
    release();
    // In the same piece as the answer comes what ends the session.
    fake.sendRaw(Buffer.from([0, 0, 0, 1, 99]));
    await opening.catch(() => undefined);
    await until('another session is had', async () => {
      const session = await link.session();
      return session.charon.version().then(
        () => true,
        () => false,
      );
    });
  });

  it('throws when nobody listens, and tries anew the next time', async () => {
    await fake.stop();
    expect(await failure()).to.have.property('name', 'ViciClosedError');
    fake = await startFakeCharon({ path: join(directory, 'charon.vici') });
    expect((await link.session()).version).to.equal('5.9.8');
    expect(losses).to.deep.equal([]);
  });

  it('throws when charon does not know an event, and leaves no connection behind', async () => {
    fake.unknown.add('child-updown');
    expect(await failure()).to.have.property('name', 'ViciCommandError');
    expect(await failure()).to.have.property('name', 'ViciCommandError');
    fake.unknown.clear();
    await link.session();
    expect(losses).to.deep.equal([]);
  });

  it('closes what is still being opened', async () => {
    const release = fake.hold('version');
    const opening = link.session();
    await fake.arrived('version');
    link.close();
    release();
    const { charon } = await opening;
    expect(await charon.closed).to.equal(undefined);
    expect(losses).to.deep.equal([]);
    expect(await failure()).to.have.property('name', 'ViciClosedError');
  });
});
