// SPDX-License-Identifier: Apache-2.0

/** What share a tenant has that no entry of its own gives a weight: by its id, else by the first pattern, else the default. */

import type { FairnessConfig } from '../config/resolved.ts';

export class FairnessWeights {
  readonly #byId: ReadonlyMap<string, number>;
  readonly #globs: readonly { readonly glob: string; readonly weight: number }[];
  readonly #defaultWeight: number;

  constructor({ weights, defaultWeight }: FairnessConfig = { weights: [], defaultWeight: 1 }) {
    this.#byId = new Map(weights.flatMap(({ id, weight }) => (id === undefined ? [] : [[id, weight]])));
    this.#globs = weights.flatMap(({ glob, weight }) => (glob === undefined ? [] : [{ glob, weight }]));
    this.#defaultWeight = defaultWeight;
  }

  /** The weight of a fairness id. */
  of(id: string): number {
    const own = this.#byId.get(id);
    if (own !== undefined) return own;
    for (const { glob, weight } of this.#globs) if (matches(glob, id)) return weight;
    return this.#defaultWeight;
  }
}

/**
 * Whether the text is what the glob stands for: `*` for any characters, `?` for one. Ids come from outside, so it goes
 * back to the last star only, which takes at most the product of their lengths.
 */
export function matches(glob: string, text: string): boolean {
  let [at, star, from] = [0, -1, 0];
  for (let index = 0; index < text.length;) {
    if (glob[at] === '*') {
      star = at;
      from = index;
      at += 1;
    } else if (at < glob.length && (glob[at] === '?' || glob[at] === text[index])) {
      at += 1;
      index += 1;
    } else if (star >= 0) {
      from += 1;
      at = star + 1;
      index = from;
    } else return false;
  }
  while (glob[at] === '*') at += 1;
  return at === glob.length;
}
