// SPDX-License-Identifier: Apache-2.0

/**
 * A fairness policy of one's own: tenants share by weight, so that one of weight 3 gets three dispatches for each of one
 * of weight 1 while both have requests waiting. It is start-time fair queueing (Goyal, Vin and Cheng, 1996): a flow's
 * next turn is due one step after its last, the step being its cost over its weight, and the earliest due is served. Who
 * was away has saved nothing up: his turn is due now.
 */

import { defineSimpleFairnessPolicy } from '@fairlead/core';

const due = (band: { now: number }, flow: { state: { next: number } }): number => Math.max(band.now, flow.state.next);

export default defineSimpleFairnessPolicy({
  type: 'weighted-share-fairness-policy',
  summary: 'Serves the flows of a band in proportion to their weights.',
  newState: () => ({ now: 0 }),
  newMemberState: () => ({ next: 0 }),
  pick: (band, eligible) => eligible.reduce((best, flow) => (due(band, flow) < due(band, best) ? flow : best)),
  served: (band, flow, cost) => {
    band.now = due(band, flow);
    flow.state.next = band.now + cost / flow.weight;
  },
});
