// SPDX-License-Identifier: Apache-2.0

/** What a configuration gives the tenants of a scenario: through what `fairlead serve` looks that up in. */

import type { IdentityConfig } from '../config/resolved.ts';
import { FairnessWeights } from '../tenancy/fairness-weights.ts';
import { Grants } from '../tenancy/grants.ts';
import { pathOf } from '../tenancy/identify.ts';
import type { Identity } from '../tenancy/identity.ts';
import type { TenantMemory } from '../tenancy/tenant-memory.ts';
import type { TenantModel } from './scenario-fields.ts';

/**
 * By name; what the scenario says of a tenant itself goes before the configuration. `memory`: of what the limits of
 * tenants count.
 */
export function simulatedIdentities(
  tenants: readonly Pick<TenantModel, 'name' | 'weight' | 'priority'>[],
  config: IdentityConfig,
  memory: TenantMemory,
): ReadonlyMap<string, Identity> {
  const grants = new Grants(config, memory);
  const weights = new FairnessWeights(config.fairness);
  return new Map(
    tenants.map(({ name, weight, priority }): [string, Identity] => {
      const granted = grants.ofTenant(name);
      return [
        name,
        {
          tenant: name,
          weight: weight ?? granted?.weight ?? weights.of(name),
          priority: priority ?? granted?.priority ?? 0,
          path: pathOf(name, name, { granted }),
          cap: granted?.cap,
          tokenBucket: granted?.tokenBucket,
          verified: true,
          trusted: false,
          unknownObjective: false,
          address: undefined,
          viaProxy: false,
        },
      ];
    }),
  );
}
