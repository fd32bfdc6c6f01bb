// The stage machine of one port, as tables: every stage in every situation that decides.
import { expect } from 'chai';
import type { ServiceAnswers } from '../../../app/domain/answers.ts';
import { nextUnwantedStage, nextWantedStage } from '../../../app/domain/stages.ts';
import { CONTROLLER_0 } from '../../support/world-builders.ts';

const ALL: ServiceAnswers = {
  missing: [],
  lagging: [],
  isAnyoneAwaited: true,
  mayGoAlone: false,
  isKnownToAll: true,
};
const SOME: ServiceAnswers = { ...ALL, missing: [CONTROLLER_0], isKnownToAll: false };
const NOBODY: ServiceAnswers = { ...ALL, isAnyoneAwaited: false, isKnownToAll: false };
const NOBODY_FOR_LONG: ServiceAnswers = { ...NOBODY, mayGoAlone: true };

describe('nextWantedStage', () => {
  const live = { hasEndpoints: true, isHeldAlready: false, isPrepared: true };
  const cases = [
    { name: 'a new port', current: undefined, given: { ...live, answers: ALL }, expect: 'prepare' },
    {
      name: 'a new port without endpoints',
      current: undefined,
      given: { ...live, hasEndpoints: false, answers: ALL },
      expect: 'enforce',
    },
    {
      name: 'a new number behind a held service port',
      current: undefined,
      given: { ...live, isHeldAlready: true, answers: ALL },
      expect: 'enforce',
    },
    {
      name: 'made again in release',
      current: 'release',
      given: { ...live, answers: ALL },
      expect: 'prepare',
    },
    { name: 'made again in gone', current: 'gone', given: { ...live, answers: ALL }, expect: 'prepare' },
    {
      name: 'made again in release, clients hold another port',
      current: 'release',
      given: { ...live, isHeldAlready: true, answers: ALL },
      expect: 'prepare',
    },
    {
      name: 'prepared, all answered',
      current: 'prepare',
      given: { ...live, answers: ALL },
      expect: 'protect',
    },
    {
      name: 'prepared, one missing',
      current: 'prepare',
      given: { ...live, answers: SOME },
      expect: 'prepare',
    },
    {
      name: 'prepared, an endpoint pending',
      current: 'prepare',
      given: { ...live, isPrepared: false, answers: ALL },
      expect: 'prepare',
    },
    {
      name: 'prepared, the last endpoint went',
      current: 'prepare',
      given: { ...live, hasEndpoints: false, answers: SOME },
      expect: 'enforce',
    },
    {
      name: 'protected, all answered',
      current: 'protect',
      given: { ...live, answers: ALL },
      expect: 'enforce',
    },
    {
      name: 'protected, a new endpoint pending',
      current: 'protect',
      given: { ...live, isPrepared: false, answers: ALL },
      expect: 'enforce',
    },
    {
      name: 'protected, one missing',
      current: 'protect',
      given: { ...live, answers: SOME },
      expect: 'protect',
    },
    {
      name: 'enforced, one missing',
      current: 'enforce',
      given: { ...live, answers: SOME },
      expect: 'enforce',
    },
    {
      name: 'enforced, an endpoint pending',
      current: 'enforce',
      given: { ...live, isPrepared: false, answers: ALL },
      expect: 'enforce',
    },
    { name: 'new, nobody there', current: undefined, given: { ...live, answers: NOBODY }, expect: 'prepare' },
    {
      name: 'prepared, nobody there',
      current: 'prepare',
      given: { ...live, answers: NOBODY },
      expect: 'prepare',
    },
    {
      name: 'protected, nobody there',
      current: 'protect',
      given: { ...live, answers: NOBODY },
      expect: 'protect',
    },
    {
      name: 'prepared, nobody there for long',
      current: 'prepare',
      given: { ...live, answers: NOBODY_FOR_LONG },
      expect: 'enforce',
    },
    {
      name: 'new, nobody there for long',
      current: undefined,
      given: { ...live, answers: NOBODY_FOR_LONG },
      expect: 'enforce',
    },
  ] as const;
  for (const { name, current, given, expect: stage } of cases)
    it(`${name}: ${stage}`, () => {
      expect(nextWantedStage(current, given)).to.equal(stage);
    });
});

describe('nextUnwantedStage', () => {
  const cases = [
    { name: 'enforced', current: 'enforce', answers: ALL, expect: 'release' },
    { name: 'enforced, one missing', current: 'enforce', answers: SOME, expect: 'release' },
    { name: 'prepared', current: 'prepare', answers: ALL, expect: 'release' },
    { name: 'protected', current: 'protect', answers: ALL, expect: 'release' },
    { name: 'released, all answered', current: 'release', answers: ALL, expect: 'gone' },
    { name: 'released, one missing', current: 'release', answers: SOME, expect: 'release' },
    { name: 'gone, known to all', current: 'gone', answers: ALL, expect: undefined },
    { name: 'gone, one missing', current: 'gone', answers: SOME, expect: 'gone' },
    { name: 'enforced, no host is Ready', current: 'enforce', answers: NOBODY, expect: 'gone' },
    { name: 'gone, no host is Ready to have seen it', current: 'gone', answers: NOBODY, expect: 'gone' },
  ] as const;
  for (const { name, current, answers, expect: stage } of cases)
    it(`${name}: ${stage ?? 'not listed any more'}`, () => {
      expect(nextUnwantedStage(current, answers, true)).to.equal(stage);
    });

  it('forgets at once what no host can have', () => {
    expect(nextUnwantedStage('enforce', NOBODY, false)).to.equal(undefined);
  });
});
