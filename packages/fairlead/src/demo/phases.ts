// SPDX-License-Identifier: Apache-2.0

/**
 * The acts of the demo as data, and how a given time is divided among them.
 */

/** One act. */
export interface Phase {
  readonly name: string;
  /** One sentence, said as it begins. */
  readonly summary: string;
  /** Relative length. */
  readonly share: number;
  readonly flood: boolean;
  readonly bypass: boolean;
  /** Runs on with the load of the phase before, instead of waiting for an idle fleet. */
  readonly goesOn?: true;
  /** Kills one server with `kill -9` as it begins; only for servers of our own. */
  readonly kills?: true;
}

export const PHASES: readonly Phase[] = [
  {
    name: 'alone',
    summary: 'the interactive tenant has the fleet to itself',
    share: 2,
    flood: false,
    bypass: false,
  },
  {
    name: 'unprotected',
    summary: 'an agent and a batch flood join; flow control is off (POST /bypass)',
    share: 4,
    flood: true,
    bypass: true,
  },
  {
    name: 'protected',
    summary: 'the same load, with flow control as `fairlead serve` has it by default',
    share: 4,
    flood: true,
    bypass: false,
  },
  {
    name: 'one server killed',
    summary: 'the same load goes on; one of the servers gets a kill -9',
    share: 3,
    flood: true,
    bypass: false,
    goesOn: true,
    kills: true,
  },
];

/** At the end of a phase nothing new is asked interactively, so that what was asked can still be answered. */
export interface PhaseTimes {
  readonly sendMs: number;
  /** At most; over as soon as nobody who asked is still without a first token. */
  readonly tailMs: number;
}

/** Behind the engines' own queues answers take seconds; in front of them a fraction of one. */
const BYPASS_TAIL = { share: 0.4, maxMs: 6_000 } as const;
const TAIL = { share: 0.25, maxMs: 1_500 } as const;

/** The times of the first of `phases`, when `leftMs` are left for all of them. */
export function phaseTimes(phases: readonly Phase[], leftMs: number): PhaseTimes {
  const shares = phases.reduce((sum, phase) => sum + phase.share, 0);
  const wholeMs = (Math.max(0, leftMs) * (phases[0]?.share ?? 0)) / shares;
  const tail = phases[0]?.bypass === true ? BYPASS_TAIL : TAIL;
  const tailMs = Math.min(tail.maxMs, wholeMs * tail.share);
  return { sendMs: wholeMs - tailMs, tailMs };
}
