// SPDX-License-Identifier: Apache-2.0

/** Which model a request is for: the one it names, the one that a trusted source names for it, or what a rule makes of it. */

import type { Random } from '@fairlead/core';
import type { ModelRewrite } from '../config/resolved.ts';

/** What becomes of a name. */
export interface RewrittenModel {
  /** The model that is asked for instead. */
  readonly target: string;
  /** The rule; undefined when a header said so. */
  readonly rewrite?: string | undefined;
}

export class ModelRewrites {
  readonly #byModel = new Map<string, ModelRewrite>();
  readonly #others: ModelRewrite | undefined;
  readonly #random: Random;

  constructor(rewrites: readonly ModelRewrite[], random: Random) {
    for (const rewrite of rewrites) for (const model of rewrite.models) this.#byModel.set(model, rewrite);
    this.#others = rewrites.find(({ models }) => models.length === 0);
    this.#random = random;
  }

  /** The names that exact rules are for, each with the targets it may become. */
  *names(): Iterable<readonly [name: string, targets: readonly string[]]> {
    for (const [name, { targets }] of this.#byModel) yield [name, targets.map(({ modelRewrite }) => modelRewrite)];
  }

  /** Undefined when the name stays. A rule goes before `header`, and one for the very name before one for all. */
  choose(model: string | undefined, header?: string): RewrittenModel | undefined {
    const rule = (model === undefined ? undefined : this.#byModel.get(model)) ?? this.#others;
    if (rule !== undefined) return { target: this.#draw(rule), rewrite: rule.name };
    return header === undefined || header === model ? undefined : { target: header };
  }

  #draw({ targets }: ModelRewrite): string {
    const isWeighted = targets.some(({ weight }) => weight !== undefined);
    const weights = targets.map(({ weight = 0 }) => (isWeighted ? weight : 1));
    let left = this.#random() * weights.reduce((sum, weight) => sum + weight, 0);
    const drawn = targets.findIndex((_, index) => (left -= weights[index] as number) < 0);
    return (targets[drawn] ?? targets[0])?.modelRewrite ?? '';
  }
}
