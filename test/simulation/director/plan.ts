// SPDX-License-Identifier: Apache-2.0

/** What happens in one simulation of the director, drawn from a seed: plain data, so that steps can be left out. */

import type { Fault } from '../../../packages/fairlead/src/simulate/scenario-fields.ts';
import type { UpstreamErrorKind } from '../../../packages/fairlead/src/director/ports.ts';
import { Dice } from '../dice.ts';
import { CONFIG_TEXTS } from './configs.ts';

/** What becomes of a try instead of what the server would make of it. */
export type Curse = UpstreamErrorKind | 'error-500' | 'throws';

const CURSES: readonly Curse[] = [
  ...['refused', 'refused', 'reset-idle', 'reset-idle', 'reset', 'died'],
  ...['timeout-first-byte', 'timeout-idle', 'protocol', 'shortage', 'error-500', 'throws'],
] as const;

/** What a client does when it hears of its answer: at its head, at its first byte, at its end. */
const THEN = ['nothing', 'leave-at-head', 'leave-at-data', 'ask-again'] as const;

export interface Ask {
  readonly tenant: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly isStream: boolean;
  readonly ttlMs: number | undefined;
  readonly deadlineMs: number | undefined;
  /** It leaves when it is not over by then. */
  readonly patienceMs: number | undefined;
  readonly then: (typeof THEN)[number];
}

export type DirectorStep =
  | ({ readonly do: 'ask'; readonly count: number } & Ask)
  | { readonly do: 'leave'; readonly which: number }
  | { readonly do: 'curse'; readonly curse: Curse; readonly count: number }
  | ({ readonly do: 'fault' } & Pick<Fault, 'what' | 'server' | 'for' | 'factor' | 'period'>)
  | { readonly do: 'reload'; readonly config: number }
  | { readonly do: 'bypass'; readonly on: boolean }
  | { readonly do: 'advance'; readonly byMs: number }
  | { readonly do: 'close' | 'destroy' };

export interface DirectorPlan {
  readonly seed: number;
  readonly servers: number;
  readonly slots: number;
  readonly config: number;
  readonly steps: readonly DirectorStep[];
}

const CALM = {
  ask: 30,
  leave: 5,
  curse: 3,
  fault: 2,
  reload: 2,
  bypass: 0.5,
  advance: 15,
  close: 0.1,
  destroy: 0.1,
} satisfies Record<DirectorStep['do'], number>;

const MOODS: readonly Record<DirectorStep['do'], number>[] = [
  CALM,
  { ...CALM, curse: 15 },
  { ...CALM, fault: 10 },
  { ...CALM, reload: 15 },
  { ...CALM, leave: 25 },
];

/** The same seed gives the same plan. */
export function drawDirectorPlan(seed: number): DirectorPlan {
  const dice = new Dice(seed);
  const mood = dice.of(MOODS);
  const servers = 1 + dice.below(3);
  return {
    seed,
    servers,
    slots: 1 + dice.below(4),
    config: dice.below(CONFIG_TEXTS.length),
    steps: Array.from({ length: 10 + dice.below(30) }, () => drawStep(dice, mood, servers)),
  };
}

function drawStep(dice: Dice, mood: Record<DirectorStep['do'], number>, servers: number): DirectorStep {
  const act = dice.weighted(mood);
  switch (act) {
    case 'ask':
      return { do: act, count: dice.of([1, 1, 1, 5, 20]), ...drawAsk(dice) };
    case 'leave':
      return { do: act, which: dice.below(64) };
    case 'curse':
      return { do: act, curse: dice.of(CURSES), count: 1 + dice.below(3) };
    case 'fault': {
      const what = dice.of(['kill', 'flap', 'slow', 'stale-metrics'] as const);
      const forMs = dice.of([50, 1_000, 6_000]);
      return { do: act, what, server: 1 + dice.below(servers), for: forMs, factor: 5, period: dice.of([100, 900]) };
    }
    case 'reload':
      return { do: act, config: dice.below(CONFIG_TEXTS.length) };
    case 'bypass':
      return { do: act, on: dice.chance(0.4) };
    case 'advance':
      return { do: act, byMs: dice.of([1, 20, 100, 100, 500, 3_000]) };
    default:
      return { do: act };
  }
}

function drawAsk(dice: Dice): Ask {
  return {
    tenant: dice.below(5),
    promptTokens: dice.of([1, 30, 400]),
    outputTokens: dice.of([1, 5, 30, 200]),
    isStream: dice.chance(0.7),
    ttlMs: dice.of([undefined, undefined, 100, 2_000]),
    deadlineMs: dice.of([undefined, undefined, undefined, 300, 3_000]),
    patienceMs: dice.of([undefined, undefined, 10, 700]),
    then: dice.chance(0.6) ? 'nothing' : dice.of(THEN),
  };
}
