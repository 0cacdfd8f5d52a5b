// SPDX-License-Identifier: Apache-2.0

/**
 * Who should have had how much of what was served: each band what its selection leaves it, and within a band each tenant
 * its part by weighted max-min fairness, as far as it asks for that and is allowed it; in a hierarchy, at each level.
 */

import type { BandSelectionPolicy, Contender, FairnessPolicy } from '@fairlead/core';
import { maxMinShare } from '@fairlead/core/testing';
import { sum } from '../demo/sum.ts';
import type { Identity } from '../tenancy/identity.ts';
import type { Scenario, TenantModel } from './scenario-fields.ts';
import type { Tallies } from './tally.ts';

/** What was played, as far as it is served to anybody. */
export interface Service {
  readonly scenario: Scenario;
  /** Counted. */
  readonly seconds: number;
  readonly identities: ReadonlyMap<string, Identity>;
  readonly bandSelection: BandSelectionPolicy;
  /** The policy of the band of that priority. */
  readonly fairnessOf: (priority: number) => FairnessPolicy;
  readonly tallies: Tallies;
}

interface Band {
  readonly demand: number;
  readonly members: readonly TenantModel[];
}

/** By tenant, in the unit of cost. */
export function entitlementsOf(service: Service): Map<string, number> {
  const { scenario, identities, bandSelection, tallies } = service;
  const demands = new Map(scenario.tenants.map((tenant) => [tenant.name, demandOf(tenant, service)]));
  const priorityOf = ({ name }: TenantModel): number => identities.get(name)!.priority;
  const priorities = [...new Set(scenario.tenants.map(priorityOf))].sort((a, b) => b - a);
  const bands = priorities.map((priority): Band => {
    const members = scenario.tenants.filter((tenant) => priorityOf(tenant) === priority);
    return { demand: sum(members, ({ name }) => demands.get(name)!), members };
  });
  const served = sum(scenario.tenants, ({ name }) => tallies.tenant(name).served);
  const capacities = capacitiesOf(bands, served, promisedShares(bandSelection, priorities));
  const entitlements = new Map<string, number>();
  bands.forEach(({ members }, band) => {
    const fairness = service.fairnessOf(priorities[band]!);
    const leaves = members.map(({ name }): Leaf => {
      const { weight, path = '' } = identities.get(name)!;
      const names = path.split('/').slice(0, -1);
      const above = fairness.weightAt === undefined ? [] : names.filter((each) => each !== '');
      return { name, demand: demands.get(name)!, weight, above };
    });
    share(capacities[band]!, leaves, { path: '', weightAt: (path) => fairness.weightAt?.(path) ?? 1, entitlements });
  });
  return entitlements;
}

/** A tenant below what is left of its path. */
interface Leaf {
  readonly name: string;
  readonly demand: number;
  readonly weight: number;
  readonly above: readonly string[];
}

interface Tree {
  /** Of the node whose part is shared. */
  readonly path: string;
  readonly weightAt: (path: string) => number;
  readonly entitlements: Map<string, number>;
}

/** Among what stands directly below a node; then below each of that. */
function share(capacity: number, leaves: readonly Leaf[], { path, weightAt, entitlements }: Tree): void {
  const children = [...Map.groupBy(leaves, ({ name, above }) => above[0] ?? { name })].map(([key, below]) => {
    const at = typeof key === 'string' ? (path === '' ? key : `${path}/${key}`) : undefined;
    const weight = at === undefined ? below[0]!.weight : weightAt(at);
    return { at, below, weight, demand: sum(below, ({ demand }) => demand) };
  });
  const shares = maxMinShare(capacity, children);
  children.forEach(({ at, below }, index) => {
    if (at === undefined) entitlements.set(below[0]!.name, shares[index]!);
    else {
      const deeper = below.map((leaf) => ({ ...leaf, above: leaf.above.slice(1) }));
      share(shares[index]!, deeper, { path: at, weightAt, entitlements });
    }
  });
}

/** Each band its promised share, as far as it asks for that; the rest goes to the others. */
function capacitiesOf(bands: readonly Band[], served: number, promised: readonly number[]): number[] {
  // Where all is promised nothing is left to go by priority.
  if (Math.abs(sum(promised, (share) => share) - 1) < 1e-9 && promised.every((share) => share > 0)) {
    return maxMinShare(
      served,
      bands.map(({ demand }, index) => ({ demand, weight: promised[index]! })),
    );
  }
  const capacities = bands.map(({ demand }, index) => Math.min(demand, promised[index]! * served));
  let left = served - sum(capacities, (capacity) => capacity);
  bands.forEach(({ demand }, index) => {
    const more = Math.min(left, demand - capacities[index]!);
    capacities[index]! += more;
    left -= more;
  });
  return capacities;
}

/** What the policy promises each band while all have something to send. */
function promisedShares(policy: BandSelectionPolicy, priorities: readonly number[]): number[] {
  const state = policy.newState();
  const contenders = priorities.map((priority): Contender => ({ priority, state: policy.newBandState(priority) }));
  for (const contender of contenders) policy.ready?.(state, contender);
  return contenders.map((contender) => policy.shareOf?.(state, contender) ?? 0);
}

/** What it could have used: no more than it asks for, of a closed loop if nobody made it wait, nor than its limits allow. */
function demandOf({ name, arrivals }: TenantModel, { scenario, seconds, identities, tallies }: Service): number {
  const { asked, askedTokens, requests, outputTokens, answered } = tallies.tenant(name);
  if (requests === 0) return asked;
  const { cap, tokenBucket } = identities.get(name)!;
  const { fleet, warmUp } = scenario;
  const tokens = answered === 0 ? 1 : outputTokens / answered;
  const aloneMs = fleet.prefill + fleet.token * Math.max(0, tokens - 1);
  /** Of so many at once, one behind the other all the time. */
  const costOf = (atOnce: number, tookMs: number): number =>
    (asked / requests) * atOnce * ((seconds * 1000) / Math.max(1, tookMs));
  const isLoop = arrivals.kind === 'closed-loop';
  const wanted = isLoop ? costOf(arrivals.loops, aloneMs + arrivals.thinkTime) : asked;
  const allowed = cap === undefined ? Infinity : costOf(cap.max, aloneMs);
  if (tokenBucket === undefined) return Math.min(wanted, allowed);
  // A burst that was saved up before the start has gone by the end of a warm-up.
  const { tokensPerMinute, burstTokens } = tokenBucket;
  const granted = (tokensPerMinute * seconds) / 60 + (warmUp === 0 ? burstTokens : 0);
  return Math.min(wanted, allowed, granted * (asked / Math.max(1, askedTokens)));
}
