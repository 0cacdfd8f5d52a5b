// SPDX-License-Identifier: Apache-2.0

/** What a simulation comes to: what each tenant got beside what it was entitled to, and how the fleet was used. */

import type { BandSnapshot } from '@fairlead/core';
import { maxMinShare } from '@fairlead/core/testing';
import { percentiles } from '../demo/load/percentile.ts';
import type { Percentiles } from '../demo/load/percentile.ts';
import type { Identity } from '../tenancy/identify.ts';
import type { Scenario, TenantModel } from './scenario-fields.ts';
import type { Tallies, TenantTally } from './tally.ts';
import { sum } from '../demo/sum.ts';

/** Costs are in units of an input token (docs/fairness.md), shares of what all were served. */
export interface TenantOutcome {
  readonly name: string;
  readonly weight: number;
  readonly priority: number;
  readonly share: number;
  /** Its share by weighted max-min fairness within its band, after the bands above. */
  readonly entitlement: number;
  /** Largest difference in cost ÷ weight to another tenant of its band while both waited. */
  readonly maxLagTokens: number;
  /** What its band's fairness policy promises for that; null when it promises nothing. */
  readonly boundTokens: number | null;
  readonly requests: number;
  readonly answered: number;
  /** Answered within its goal, of all that were asked. */
  readonly goodput: number;
  readonly broken: number;
  readonly gaveUp: number;
  readonly drops: Readonly<Record<string, number>>;
  readonly tokensPerS: number;
  readonly waitMs: Percentiles;
  readonly ttftMs: Percentiles;
}

export interface SimulationResult {
  readonly schema: 1;
  readonly seed: number;
  /** Simulated, warm-up not counted. */
  readonly seconds: number;
  readonly fleet: {
    readonly tokensPerS: number;
    readonly busyShare: number | null;
    readonly idleWhileWaitingS: number;
    readonly overCapacityS: number;
  };
  readonly tenants: readonly TenantOutcome[];
}

interface Played {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly seconds: number;
  readonly identities: ReadonlyMap<string, Identity>;
  readonly tallies: Tallies;
  readonly bands: readonly BandSnapshot[];
}

export function resultOf(played: Played): SimulationResult {
  const { scenario, seed, seconds, tallies, identities, bands } = played;
  const { fleet } = tallies;
  const entitlements = entitlementsOf(played);
  const served = sum(scenario.tenants, ({ name }) => tallies.tenant(name).served);
  const perS = (amount: number): number => (seconds === 0 ? 0 : amount / seconds);
  const tenants = scenario.tenants.map(({ name }): TenantOutcome => {
    const tally = tallies.tenant(name);
    const { weight, priority } = identities.get(name)!;
    return {
      ...{ name, weight, priority },
      share: served === 0 ? 0 : tally.served / served,
      entitlement: served === 0 ? 0 : entitlements.get(name)! / served,
      maxLagTokens: tallies.lag.get(priority)?.largestOf(name) ?? 0,
      boundTokens: bands.find((band) => band.priority === priority)?.lagBound ?? null,
      requests: tally.requests,
      answered: tally.answered,
      goodput: tally.requests === 0 ? 1 : tally.inTime / tally.requests,
      broken: tally.broken,
      gaveUp: tally.gaveUp,
      drops: Object.fromEntries(tally.drops),
      tokensPerS: perS(tally.outputTokens),
      waitMs: percentiles(tally.waitsMs),
      ttftMs: percentiles(tally.ttftsMs),
    };
  });
  return {
    ...{ schema: 1, seed, seconds },
    fleet: {
      tokensPerS: perS(sum(scenario.tenants, ({ name }) => tallies.tenant(name).outputTokens)),
      busyShare: fleet.slotMs === 0 ? null : fleet.busySlotMs / fleet.slotMs,
      idleWhileWaitingS: fleet.idleWhileWaitingMs / 1000,
      overCapacityS: fleet.overCapacityMs / 1000,
    },
    tenants,
  };
}

/** Of the cost that was served: poured over the bands from the highest down, within each by weighted max-min fairness. */
function entitlementsOf({ scenario, seconds, identities, tallies }: Played): Map<string, number> {
  let left = sum(scenario.tenants, ({ name }) => tallies.tenant(name).served);
  const entitlements = new Map<string, number>();
  const bandOf = ({ name }: TenantModel): number => identities.get(name)!.priority;
  const priorities = [...new Set(scenario.tenants.map(bandOf))].sort((a, b) => b - a);
  for (const priority of priorities) {
    const members = scenario.tenants.filter((tenant) => bandOf(tenant) === priority);
    const claimants = members.map((tenant) => ({
      demand: demandOf(tenant, tallies.tenant(tenant.name), { scenario, seconds }),
      weight: identities.get(tenant.name)!.weight,
    }));
    const shares = maxMinShare(left, claimants);
    members.forEach(({ name }, index) => entitlements.set(name, shares[index]!));
    left -= sum(shares, (share) => share);
  }
  return entitlements;
}

/** What it could have used: of a closed loop what it would have asked for if nobody had made it wait. */
function demandOf(
  { arrivals: { kind, loops, thinkTime } }: TenantModel,
  { asked, requests, outputTokens, answered }: TenantTally,
  { scenario: { fleet }, seconds }: Pick<Played, 'scenario' | 'seconds'>,
): number {
  if (kind !== 'closed-loop' || requests === 0) return asked;
  const tokens = answered === 0 ? 1 : outputTokens / answered;
  const aloneMs = fleet.prefill + fleet.token * Math.max(0, tokens - 1) + thinkTime;
  return (asked / requests) * loops * ((seconds * 1000) / Math.max(1, aloneMs));
}
