// SPDX-License-Identifier: Apache-2.0

/**
 * A band under a fairness policy that counts cost, with flows that stay backlogged: for tests of how much each is served.
 */

import type { FairnessPolicy, Member, Waiting } from '../flow-control/policies.ts';
import { compareWaiting } from '../flow-control/waiting-request.ts';

export interface BackloggedFlow {
  readonly id: string;
  readonly weight: number;
  /** Cost of its next request. */
  cost(): number;
}

class Backlogged implements Member {
  readonly id: string;
  readonly weight: number;
  readonly state: unknown;
  spell = 1;

  constructor(flow: BackloggedFlow, state: unknown) {
    this.id = flow.id;
    this.weight = flow.weight;
    this.state = state;
  }

  get head(): Waiting {
    throw new Error('a policy that counts cost has no need of heads');
  }
}

/** Serves `times` requests, each in flight by itself; what each flow was served, in its order. */
export function servedCosts(policy: FairnessPolicy, flows: readonly BackloggedFlow[], times: number): number[] {
  const state = policy.newState({ compareHeads: compareWaiting, now: () => 0 });
  const members = flows.map((flow) => new Backlogged(flow, policy.newMemberState()));
  for (const member of members) policy.ready(state, member);
  const served = flows.map(() => 0);
  for (let time = 0; time < times; time += 1) {
    const member = policy.pick(state) as Backlogged;
    const index = members.indexOf(member);
    const cost = flows[index]!.cost();
    policy.charge?.(state, member, cost);
    served[index]! += cost;
  }
  return served;
}
