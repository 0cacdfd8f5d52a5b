// SPDX-License-Identifier: Apache-2.0

/** Numbers by chance, as a scenario describes them: how long prompts and answers are, and when requests come. */

import type { Random } from '../clock.ts';

/** How long prompts or answers are, in tokens. */
export interface Sizes {
  readonly kind: 'fixed' | 'uniform' | 'log-normal' | 'heavy-tail';
  /** The number (`fixed`), or the median (`log-normal`). */
  readonly tokens: number;
  /** Of all but `fixed`; `heavy-tail` is Pareto's distribution from here on. */
  readonly min: number;
  readonly max: number;
  /** Of the logarithm (`log-normal`). */
  readonly sigma: number;
  /** How fast the tail gets thin (`heavy-tail`). */
  readonly alpha: number;
}

/** A number of tokens, whole, at least 1. */
export function drawSize({ kind, tokens, min, max, sigma, alpha }: Sizes, random: Random): number {
  if (kind === 'fixed') return Math.max(1, Math.round(tokens));
  const drawn =
    kind === 'uniform'
      ? min + random() * (max - min)
      : kind === 'log-normal'
        ? tokens * Math.exp(sigma * drawNormal(random))
        : Math.max(1, min) / (1 - random()) ** (1 / alpha);
  return Math.max(1, Math.round(Math.min(max, Math.max(min, drawn))));
}

/** Milliseconds until the next of events that come by chance, so many a second on average. */
export function drawInterval(ratePerS: number, random: Random): number {
  return (-Math.log(1 - random()) * 1000) / ratePerS;
}

/** A factor around 1, never 0. */
export function drawFactor(noise: number, random: Random): number {
  return noise === 0 ? 1 : Math.exp(noise * drawNormal(random));
}

/** Standard normal (Box and Muller, 1958). */
function drawNormal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
