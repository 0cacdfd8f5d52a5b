// SPDX-License-Identifier: Apache-2.0

/**
 * What happens in one simulation, as data drawn from its seed: the fleet, the first configuration and the steps. A step
 * names requests, permits and endpoints by numbers that are taken modulo what there is, so that it means something
 * whatever became of the steps before it, and any of them can be left out.
 */

import type { Ending } from '@fairlead/core';
import { Dice } from './dice.ts';

/** Policies and limits by number; which ones there are is for `Box` to say. */
export interface ConfigDraw {
  readonly bands: readonly BandDraw[];
  readonly knownPriorities: readonly number[];
  readonly maxRequests: number;
  readonly maxBytes: number;
  readonly ttlMs: number;
  readonly noEndpointTtlMs: number;
  readonly selection: number;
  readonly usageLimit: number;
}

/** The first is that of band 0 and the template of all that are not named. */
export interface BandDraw {
  readonly priority: number;
  readonly fairness: number;
  readonly ordering: number;
  readonly maxRequests: number;
  readonly maxFlowShare: number;
}

/** How full the pool is judged to be; `limit` and `tokenLimit` count where the detector is told them. */
export interface DetectorDraw {
  readonly detector: 'requests' | 'tokens' | 'hybrid' | 'adaptive' | 'utilization';
  readonly limit: number;
  readonly tokenLimit: number;
  readonly picker: number;
  readonly scorer: number;
  readonly slowStartMs: number;
}

export interface Arrival {
  readonly flow: number;
  readonly priority: number;
  readonly sequences: number;
  readonly tokens: number;
  readonly model: 'm' | 'lora';
  readonly ttlMs: number | undefined;
  readonly deadlineMs: number | undefined;
  readonly weight: number;
  /** So long it is served; undefined: until a step ends it. */
  readonly serviceMs: number | undefined;
  readonly outputTokens: number;
  /** What its owner does in the very turn in which it is settled. */
  readonly then: (typeof THEN)[number];
}

export type Step =
  | ({ readonly do: 'enqueue' } & Arrival)
  /** Of two flows in turn, the second of which may be of another band. */
  | { readonly do: 'burst'; readonly count: number; readonly of: Arrival; readonly other: number }
  | { readonly do: 'end'; readonly which: number; readonly ending: Ending; readonly outputTokens: number }
  | { readonly do: 'end-twice' | 'requeue' | 'fail-over' | 'cancel' | 'kill'; readonly which: number }
  | { readonly do: 'stream'; readonly which: number; readonly outputTokens: number }
  | { readonly do: 'flap'; readonly up: number }
  | { readonly do: 'replace' | 'metrics'; readonly which: number }
  | { readonly do: 'advance'; readonly byMs: number }
  | { readonly do: 'reconfigure'; readonly config: ConfigDraw }
  | { readonly do: 'detect'; readonly judge: DetectorDraw }
  | { readonly do: 'cap'; readonly max: number }
  | { readonly do: 'tokens'; readonly tokensPerMinute: number }
  | { readonly do: 'bypass'; readonly on: boolean }
  | { readonly do: 'close' | 'destroy' };

export interface Plan {
  readonly seed: number;
  readonly endpoints: number;
  readonly judge: DetectorDraw;
  readonly config: ConfigDraw;
  readonly steps: readonly Step[];
}

/** What some seeds have and others do not, because with it less can be said of what must happen. */
interface Traits {
  /** Requests of several sequences, for which an endpoint may be kept. */
  readonly wide: boolean;
  /** Detectors that learn, whose limits nobody knows beforehand, slow starts, and ceilings below 1. */
  readonly vague: boolean;
}

/** How often each step is drawn. */
const CALM = {
  enqueue: 30,
  burst: 4,
  end: 12,
  'end-twice': 1,
  requeue: 2,
  'fail-over': 2,
  cancel: 6,
  kill: 0.5,
  stream: 3,
  flap: 1,
  replace: 0.3,
  metrics: 1,
  advance: 10,
  reconfigure: 1,
  detect: 0.5,
  cap: 1,
  tokens: 0.5,
  bypass: 0.5,
  close: 0.1,
  destroy: 0.1,
} satisfies Record<Step['do'], number>;

const MOODS: readonly Record<Step['do'], number>[] = [
  CALM,
  { ...CALM, enqueue: 60, burst: 12, advance: 4 },
  { ...CALM, kill: 4, flap: 6, replace: 2, 'fail-over': 6, requeue: 6 },
  { ...CALM, reconfigure: 8, detect: 5, cap: 4, tokens: 3 },
  { ...CALM, cancel: 20, advance: 25 },
  { ...CALM, burst: 20, advance: 25 },
];

const ENDINGS: readonly Ending[] = ['succeeded', 'succeeded', 'succeeded', 'failed', 'cancelled'];

/** What owners of requests do: end this one or the oldest that is out, ask again, more urgently too, leave. */
const THEN = ['nothing', 'end', 'end-oldest', 'enqueue', 'enqueue-higher', 'cancel'] as const;

/** The same seed gives the same plan. */
export function drawPlan(seed: number): Plan {
  const dice = new Dice(seed);
  const traits: Traits = { wide: dice.chance(0.3), vague: dice.chance(0.2) };
  const mood = dice.of(MOODS);
  return {
    seed,
    endpoints: 1 + dice.below(3),
    judge: drawJudge(dice, traits),
    config: drawConfig(dice, traits),
    steps: Array.from({ length: 20 + dice.below(80) }, () => drawStep(dice, mood, traits)),
  };
}

function drawStep(dice: Dice, mood: Record<Step['do'], number>, traits: Traits): Step {
  const act = dice.weighted(mood);
  const which = dice.below(64);
  switch (act) {
    case 'enqueue':
      return { do: act, ...drawArrival(dice, traits) };
    case 'burst':
      return { do: act, count: 2 + dice.below(12), of: drawArrival(dice, traits), other: drawPriority(dice) };
    case 'end':
      return { do: act, which, ending: dice.of(ENDINGS), outputTokens: drawOutput(dice) };
    case 'stream':
      return { do: act, which, outputTokens: dice.of([1, 40, 400]) };
    case 'flap':
      return { do: act, up: dice.below(8) };
    case 'advance':
      return { do: act, byMs: dice.of([1, 1, 10, 40, 40, 200, 2_000, 700_000]) };
    case 'reconfigure':
      return { do: act, config: drawConfig(dice, traits) };
    case 'detect':
      return { do: act, judge: drawJudge(dice, traits) };
    case 'cap':
      return { do: act, max: dice.of([1, 2, 3, Infinity]) };
    case 'tokens':
      return { do: act, tokensPerMinute: dice.of([60, 600, 6_000, Infinity]) };
    case 'bypass':
      return { do: act, on: dice.chance(0.4) };
    case 'close':
    case 'destroy':
      return { do: act };
    default:
      return { do: act, which };
  }
}

function drawArrival(dice: Dice, { wide }: Traits): Arrival {
  return {
    flow: dice.below(5),
    priority: drawPriority(dice),
    sequences: wide ? dice.of([1, 1, 1, 2, 5]) : 1,
    tokens: dice.of([1, 10, 33, 60, 5_000]),
    model: dice.of(['m', 'm', 'lora']),
    ttlMs: dice.of([undefined, undefined, 50, 2_000]),
    deadlineMs: dice.of([undefined, undefined, undefined, 60, 600]),
    weight: dice.of([1, 1, 1, 2, 8]),
    serviceMs: dice.of([undefined, 0, 5, 20, 100]),
    outputTokens: drawOutput(dice),
    then: dice.chance(0.5) ? 'nothing' : dice.of(THEN),
  };
}

function drawPriority(dice: Dice): number {
  return dice.of([0, 0, 0, 1, -1, 5, 99]);
}

/** Now and then what no request can have used. */
function drawOutput(dice: Dice): number {
  return dice.chance(0.05) ? dice.of([NaN, -5, 1e12]) : dice.of([0, 8, 60, 900]);
}

function drawConfig(dice: Dice, { vague }: Traits): ConfigDraw {
  const named = [1, -1, 5].filter(() => dice.chance(0.4));
  return {
    bands: [0, ...named].map((priority) => drawBand(dice, priority)),
    knownPriorities: [1, -1, 5].filter(() => dice.chance(0.7)),
    maxRequests: dice.of([20, 60, Infinity]),
    maxBytes: dice.of([1_500, Infinity, Infinity]),
    ttlMs: dice.of([1_000, 5_000, Infinity]),
    noEndpointTtlMs: dice.of([100, 1_000]),
    selection: dice.below(64),
    usageLimit: vague ? dice.below(64) : 0,
  };
}

function drawBand(dice: Dice, priority: number): BandDraw {
  const [fairness, ordering] = [dice.below(64), dice.below(64)];
  return { priority, fairness, ordering, maxRequests: dice.of([6, 40, 40]), maxFlowShare: dice.of([0.5, 1]) };
}

function drawJudge(dice: Dice, { vague }: Traits): DetectorDraw {
  const counting = ['requests', 'requests', 'requests', 'tokens', 'hybrid'] as const;
  return {
    detector: vague ? dice.of(['requests', 'adaptive', 'utilization'] as const) : dice.of(counting),
    limit: 1 + dice.below(4),
    tokenLimit: dice.of([50, 100]),
    picker: dice.below(64),
    scorer: dice.below(64),
    slowStartMs: vague ? dice.of([0, 500]) : 0,
  };
}
