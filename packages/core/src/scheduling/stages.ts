// SPDX-License-Identifier: Apache-2.0

/**
 * The stages of a pool whose servers have roles: those that prefill, and those that decode. A server that does both is
 * in both; one that only encodes, or whose role nobody knows, is in neither. The pool is as full as the fuller of its
 * stages, because a request needs them all: idle prefill servers do not make up for decode servers that are full.
 */

import { DECODE_ROLES, PREFILL_ROLES, roleOf } from '../endpoints/roles.ts';
import type { SaturationDetector, Tracked } from '../flow-control/policies.ts';

/** How full each stage is; undefined where no endpoint is in it. */
export interface StageSaturations {
  readonly prefill: number | undefined;
  readonly decode: number | undefined;
}

export class Stages {
  readonly #prefill: readonly Tracked[];
  readonly #decode: readonly Tracked[];
  /** What has to be measured to know how full the pool is: each list once. */
  readonly #measured: readonly (readonly Tracked[])[];

  constructor(endpoints: readonly Tracked[]) {
    const within = (roles: typeof DECODE_ROLES) => endpoints.filter(({ endpoint }) => roles.includes(roleOf(endpoint)));
    this.#prefill = within(PREFILL_ROLES);
    this.#decode = within(DECODE_ROLES);
    const areSame =
      this.#prefill.length === this.#decode.length && this.#prefill.every((one) => this.#decode.includes(one));
    const filled = [this.#decode, ...(areSame ? [] : [this.#prefill])].filter(({ length }) => length > 0);
    this.#measured = filled.length === 0 ? [endpoints] : filled;
  }

  /** The saturation of the fullest stage that has endpoints; of all endpoints when no stage has any. */
  effective(detector: Pick<SaturationDetector, 'saturation'>, nowMs: number): number {
    let most = -Infinity;
    for (const endpoints of this.#measured) most = Math.max(most, detector.saturation(endpoints, nowMs));
    return most;
  }

  each(measure: (endpoints: readonly Tracked[]) => number): StageSaturations {
    const of = (endpoints: readonly Tracked[]) => (endpoints.length === 0 ? undefined : measure(endpoints));
    return { prefill: of(this.#prefill), decode: of(this.#decode) };
  }
}
