// SPDX-License-Identifier: Apache-2.0

/**
 * Why an endpoint is down or not believed, from the several that look at it: each sets and clears only what it said
 * itself, and `endpoint.problem` shows the gravest.
 */

import type { Endpoint } from '@fairlead/core';

/** Who found it, the gravest first. */
const FINDERS = ['health', 'requests', 'metrics', 'models'] as const;

export type ProblemFinder = (typeof FINDERS)[number];

/** Text that comes from a model server has an end. */
const MAX_TEXT = 300;

export class Problems {
  readonly #found = new WeakMap<Endpoint, Map<ProblemFinder, string>>();
  readonly #onChange: ((endpoint: Endpoint) => void) | undefined;

  /** `onChange` is told whenever an endpoint's problem is another than before. */
  constructor(onChange?: (endpoint: Endpoint) => void) {
    this.#onChange = onChange;
  }

  /** Sets what one finder has to say of an endpoint; undefined: nothing. */
  set(endpoint: Endpoint, finder: ProblemFinder, text: string | undefined): void {
    let found = this.#found.get(endpoint);
    if (found === undefined) {
      if (text === undefined) return;
      found = new Map<ProblemFinder, string>();
      this.#found.set(endpoint, found);
    }
    // With every request that is answered somebody has nothing to say.
    if (text === undefined && !found.has(finder)) return;
    if (text === undefined) found.delete(finder);
    else found.set(finder, printable(text.slice(0, MAX_TEXT)));
    const gravest = FINDERS.find((each) => found.has(each));
    const before = endpoint.problem;
    endpoint.problem = gravest === undefined ? undefined : found.get(gravest);
    if (endpoint.problem !== before) this.#onChange?.(endpoint);
  }
}

function printable(text: string): string {
  return text.replace(/\p{C}/gu, '�');
}
