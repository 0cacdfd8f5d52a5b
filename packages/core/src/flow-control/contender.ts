// SPDX-License-Identifier: Apache-2.0

/** A band's side of tier 1: what the band selection policy sees of it and remembers of it. */

import type { Contender } from './policies.ts';

/** `out`: nothing of it could be sent. `in`: it is offered to the policy. `passed`: it was, and cannot be served in this turn. */
type Place = 'out' | 'in' | 'passed';

export class BandContender<
  B extends { readonly priority: number } = { readonly priority: number },
> implements Contender {
  readonly band: B;
  readonly priority: number;
  state: unknown;
  place: Place = 'out';

  constructor(band: B) {
    this.band = band;
    this.priority = band.priority;
  }
}
