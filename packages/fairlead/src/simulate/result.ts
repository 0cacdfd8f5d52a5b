// SPDX-License-Identifier: Apache-2.0

/** What a simulation comes to: what each tenant got beside what it was entitled to, and how the fleet was used. */

import type { BandSnapshot } from '@fairlead/core';
import { percentiles } from '../demo/load/percentile.ts';
import type { Percentiles } from '../demo/load/percentile.ts';
import { sum } from '../demo/sum.ts';
import { entitlementsOf } from './entitlements.ts';
import type { Service } from './entitlements.ts';

/** Costs are in units of an input token (docs/fairness.md), shares of what all were served. */
export interface TenantOutcome {
  readonly name: string;
  readonly weight: number;
  readonly priority: number;
  readonly share: number;
  /** Its share by weighted max-min fairness within its band, of what is the band's. */
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

interface Played extends Service {
  readonly seed: number;
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
