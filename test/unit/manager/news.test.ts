import { expect } from 'chai';
import { news, type Finding, type News } from '../../../app/manager/news.ts';

const MINUTE = 60_000;
const wrong = (message = 'm', change: Partial<Finding> = {}): Finding => ({
  key: 'k',
  reason: 'Bad',
  subject: 's',
  message,
  ...change,
});
const well = (change: Partial<Finding> = {}): Finding =>
  wrong('all well', { reason: 'Good', isGood: true, ...change });

describe('news', () => {
  let memory: News;
  beforeEach(() => {
    memory = news();
  });
  /** Says all that is due: `Warning Bad m`. */
  const told = (nowMs: number, ...findings: readonly Finding[]): string[] =>
    memory.due(findings, nowMs).map((note) => {
      memory.said(note, nowMs);
      return `${note.type} ${note.reason} ${note.message}`;
    });

  it('is said once when it begins and once when it is over', () => {
    expect(told(0, wrong())).to.deep.equal(['Warning Bad m']);
    expect(told(1000, wrong())).to.deep.equal([]);
    expect(memory.againMs(1000)).to.equal(Infinity);
    expect(told(2000)).to.deep.equal(['Normal Recovered Bad is over.']);
    expect(told(3000)).to.deep.equal([]);
  });

  it('stays due until it was said', () => {
    expect(memory.due([wrong()], 0)).to.have.length(1);
    expect(memory.due([wrong()], 1)).to.have.length(1);
    expect(told(2)).to.deep.equal([]);
  });

  it('is said at most twice a minute, and the last word is true', () => {
    const words: string[] = [];
    for (let second = 0; second < 60; second++)
      words.push(...told(second * 1000, ...(second % 2 === 0 ? [wrong()] : [])));
    expect(words).to.have.length(2);
    expect(told(60_000, wrong()), 'another state than the last that was said').to.have.length(1);
    expect(told(61_000)).to.have.length(1);
    expect(told(62_000, wrong())).to.deep.equal([]);
    expect(memory.againMs(62_000)).to.equal(58_000);
    expect(told(120_000, wrong())).to.deep.equal(['Warning Bad m']);
  });

  it('is said in other words a minute after the last ones', () => {
    told(0, wrong('one'));
    expect(told(1000, wrong('two'))).to.deep.equal([]);
    expect(told(2000, wrong('one'))).to.deep.equal([]);
    told(3000, wrong('three'));
    expect(memory.againMs(3000)).to.equal(57_000);
    expect(told(MINUTE, wrong('three'))).to.deep.equal(['Warning Bad three']);
  });

  it('waits with what may pass', () => {
    const slow = wrong('m', { afterMs: 10_000 });
    expect(told(0, slow)).to.deep.equal([]);
    expect(memory.againMs(4000)).to.equal(6000);
    expect(told(5000), 'it passed').to.deep.equal([]);
    told(6000, slow);
    expect(told(15_999, slow)).to.deep.equal([]);
    expect(told(16_000, slow)).to.have.length(1);
  });

  it('does not say that something that happened is over', () => {
    expect(told(0, wrong('m', { isOnce: true }))).to.have.length(1);
    expect(told(1000)).to.deep.equal([]);
  });

  it('says that all is well when it was not, or is new', () => {
    expect(told(0, well()), 'it was so before').to.deep.equal([]);
    expect(told(1000, wrong())).to.have.length(1);
    expect(told(2000, well())).to.deep.equal(['Normal Good all well']);
    expect(told(3000, well({ message: 'in other words' }))).to.deep.equal([]);
    memory = news();
    expect(memory.due([well({ isNews: true })], 0)).to.have.length(1);
    expect(told(1, well()), 'until it was said').to.have.length(1);
  });

  it('joins what has one key, and forgets what was never said', () => {
    expect(told(0, wrong('a'), wrong('b'), wrong('a'))).to.deep.equal(['Warning Bad a b']);
    memory = news();
    memory.due([wrong()], 0);
    expect(memory.due([], 1)).to.deep.equal([]);
    expect(memory.againMs(1)).to.equal(Infinity);
  });

  it('marks what was said before, by its key', () => {
    const repeated = (nowMs: number, ...findings: readonly Finding[]): boolean[] =>
      memory.due(findings, nowMs).map((note) => {
        memory.said(note, nowMs);
        return note.isRepeated;
      });
    expect(repeated(0, wrong())).to.deep.equal([false]);
    expect(repeated(1000)).to.deep.equal([true]);
    expect(repeated(MINUTE, wrong())).to.deep.equal([true]);
  });
});
