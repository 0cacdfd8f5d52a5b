// SPDX-License-Identifier: Apache-2.0

/** What is played: a scenario with the tenants of a trace in it, and with an end. */

import { halfCheckParameters } from '@fairlead/core';
import { DEFAULT_DURATION_MS, tenantFields } from './scenario-fields.ts';
import type { Scenario, TenantModel } from './scenario-fields.ts';
import type { TraceRequest } from './trace.ts';

/** After the last request of a trace, for its answer. */
const LAST_ANSWER_MS = 10_000;

export interface Workload extends Scenario {
  readonly duration: number;
  /** In the order of their times. */
  readonly trace: readonly TraceRequest[];
}

export function workloadOf(scenario: Scenario, trace: readonly TraceRequest[] = []): Workload {
  const lastMs = trace.at(-1)?.atMs;
  const duration = scenario.duration ?? (lastMs === undefined ? DEFAULT_DURATION_MS : lastMs + LAST_ANSWER_MS);
  const known = new Set(scenario.tenants.map(({ name }) => name));
  const others = new Map(
    trace.filter(({ tenant }) => !known.has(tenant)).map(({ tenant, priority }) => [tenant, priority]),
  );
  const tenants = [...scenario.tenants, ...[...others].map(([name, priority]) => tenantOf(name, priority))];
  return { ...scenario, duration, tenants, trace };
}

/** One of which there is nothing but the trace. */
function tenantOf(name: string, priority: number | undefined): TenantModel {
  const given = { name, arrivals: { kind: 'trace' }, ...(priority !== undefined && { priority }) };
  return halfCheckParameters(tenantFields, given, { path: [], problems: [] }) as TenantModel;
}
