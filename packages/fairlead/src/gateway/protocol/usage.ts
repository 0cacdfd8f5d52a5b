// SPDX-License-Identifier: Apache-2.0

/** Puts together what an answer tells of its usage, one object after the other. */

import type { Usage } from '@fairlead/core';
import { withoutGaps } from './usage-object.ts';
import type { UsageObject } from './usage-object.ts';

export interface UsageTally {
  readonly usage: Usage | undefined;
  add(object: Pick<UsageObject, 'id' | 'usage'>): void;
}

/**
 * Every object speaks of the whole answer as far as it has come. Counts only grow: an Anthropic stream tells the prompt
 * first and the answer at its end, and some servers say 0 of what they have told before or will tell later.
 */
export class LatestUsage implements UsageTally {
  usage: Usage | undefined;

  add({ usage: told }: Pick<UsageObject, 'usage'>): void {
    if (told !== undefined) this.usage = this.usage === undefined ? told : largest(this.usage, told);
  }
}

/** More sequences than any answer has. */
const MAX_SEQUENCES = 4096;

/** Every object speaks of one sequence of the answer, by its `id`, as far as that has come. */
export class UsageOfSequences implements UsageTally {
  readonly #bySequence = new Map<string, Usage>();

  get usage(): Usage | undefined {
    const told = [...this.#bySequence.values()];
    const sum = (name: keyof Usage): number | undefined => {
      const counts = told.map((usage) => usage[name]).filter((tokens) => tokens !== undefined);
      return counts.length === 0 ? undefined : counts.reduce((total, tokens) => total + tokens, 0);
    };
    return withoutGaps({
      promptTokens: sum('promptTokens'),
      completionTokens: sum('completionTokens'),
      cachedTokens: sum('cachedTokens'),
    });
  }

  add({ id, usage: told }: Pick<UsageObject, 'id' | 'usage'>): void {
    if (told !== undefined && (this.#bySequence.size < MAX_SEQUENCES || this.#bySequence.has(id))) {
      this.#bySequence.set(id, told);
    }
  }
}

function largest(one: Usage, other: Usage): Usage {
  const larger = (name: keyof Usage): number | undefined =>
    one[name] === undefined || other[name] === undefined
      ? (one[name] ?? other[name])
      : Math.max(one[name], other[name]);
  return withoutGaps({
    promptTokens: larger('promptTokens'),
    completionTokens: larger('completionTokens'),
    cachedTokens: larger('cachedTokens'),
  })!;
}
