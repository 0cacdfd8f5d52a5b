// SPDX-License-Identifier: Apache-2.0

/**
 * Fairness policies in thirty lines: write `pick` over the list of eligible flows, and this does the rest of the
 * contract. It keeps that list (who became ready, who left, who was served) and gives every flow a state of its own.
 *
 * Bound: a pick costs what the given `pick` costs, as a rule O(eligible flows); everything else is O(1) on average. For
 * tens of thousands of busy flows in a band, implement `FairnessPolicy` itself with a structure that does not search.
 */

import type { Random } from '../clock.ts';
import type { ParameterSpecs, ParametersOf } from '../plugin-registry/parameters.ts';
import { definePlugin, type PluginDefinition, type Stability } from '../plugin-registry/plugin.ts';
import { EligibleList, EligibleMember } from './eligible-list.ts';
import type { BandContext, FairnessPolicy, Member } from './policies.ts';

/** What a band's state is made from. */
export interface SimpleFairnessContext<P> extends BandContext {
  readonly parameters: P;
  readonly random: Random;
}

/** `B` is what the policy remembers of a band, `M` of a flow. */
export interface SimpleFairness<S extends ParameterSpecs, B, M> {
  readonly type: string;
  /** One sentence: which flow it serves next. */
  readonly summary: string;
  /** `stable` unless given: the owner of a policy decides how far to trust it. */
  readonly stability?: Stability;
  readonly parameters?: S;
  /** Made for each band, and for each group of its flows that waits for the same endpoints. */
  newState(context: SimpleFairnessContext<ParametersOf<S>>): B;
  /** Made for each flow; dies with it. */
  newMemberState?(): M;
  /**
   * The flow to serve next, out of at least one: the longest unserved first, so that taking the first of equals is fair.
   * Must change nothing and throw no dice (draw them in `served`). Anything but one of `eligible` counts as the first.
   */
  pick(band: B, eligible: readonly Member<M>[]): Member<M> | undefined;
  /** The flow was served: what that is estimated to cost, in units of an input token. */
  served?(band: B, member: Member<M>, cost: number): void;
  /** What it was charged is off by so much, up or down: what a request really costs is known when it ends. */
  settled?(band: B, member: Member<M>, delta: number): void;
}

interface BandState<B, M> {
  readonly own: B;
  readonly eligible: EligibleList<M>;
}

/** Makes a plugin definition, ready for `plugins[].module` or a registry, out of a simple policy. */
export function defineSimpleFairnessPolicy<
  const S extends ParameterSpecs = Record<never, never>,
  B = undefined,
  M = undefined,
>(policy: SimpleFairness<S, B, M>): PluginDefinition<S, FairnessPolicy<BandState<B, M>, EligibleMember<M>>> {
  return definePlugin({
    type: policy.type,
    kinds: ['fairness'],
    stability: policy.stability ?? 'stable',
    summary: policy.summary,
    parameters: policy.parameters ?? ({} as S),
    create: ({ type, name, parameters, random }) => ({
      type,
      name,
      newState: (context) => ({
        own: policy.newState({ ...context, parameters, random }),
        eligible: new EligibleList<M>(),
      }),
      newMemberState: () => new EligibleMember(policy.newMemberState?.() as M),
      ready: (band, member) => {
        member.state.member = member;
        band.eligible.add(member.state);
      },
      unready: (band, member) => {
        band.eligible.remove(member.state);
      },
      pick: (band) => choose(policy, band),
      charge: (band, member, cost) => {
        member.state.member = member;
        policy.served?.(band.own, member.state, cost);
        band.eligible.toEnd(member.state);
      },
      settle: (band, member, delta) => {
        member.state.member = member;
        policy.settled?.(band.own, member.state, delta);
      },
    }),
  });
}

function choose<S extends ParameterSpecs, B, M>(
  policy: SimpleFairness<S, B, M>,
  band: BandState<B, M>,
): Member<EligibleMember<M>> | undefined {
  const eligible = band.eligible.compact();
  const first = eligible[0];
  if (first === undefined) return undefined;
  return (band.eligible.known(policy.pick(band.own, eligible)) ?? first).member;
}
