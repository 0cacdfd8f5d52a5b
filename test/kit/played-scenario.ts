// SPDX-License-Identifier: Apache-2.0

/** Scenarios and configurations as text, played. */

import assert from 'node:assert/strict';
import { seededRandom } from '@fairlead/core/testing';
import { loadConfig } from '../../packages/fairlead/src/config/load.ts';
import { readScenario } from '../../packages/fairlead/src/simulate/load-scenario.ts';
import type { SimulationResult, TenantOutcome } from '../../packages/fairlead/src/simulate/result.ts';
import { simulate } from '../../packages/fairlead/src/simulate/simulate.ts';
import type { TraceRequest } from '../../packages/fairlead/src/simulate/trace.ts';
import { workloadOf } from '../../packages/fairlead/src/simulate/workload.ts';

const HEAD = 'apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n';
/** The right limit, typed in: nothing has to be learned. */
export const EIGHT = `
plugins: [{ type: concurrency-detector, parameters: { maxConcurrency: 8 } }]
flowControl:
  saturationDetector: { pluginRef: concurrency-detector }
`;

/** Of a configuration the part after its kind. */
export async function played(
  scenarioText: string,
  configText = EIGHT,
  trace: readonly TraceRequest[] = [],
): Promise<SimulationResult> {
  const { scenario, problems } = readScenario(scenarioText, 'scenario.yaml');
  assert.ok(scenario !== undefined, JSON.stringify(problems));
  const random = seededRandom(1);
  const { ok, problems: wrong } = await loadConfig({ text: HEAD + configText, defaults: 'serve', random });
  assert.ok(ok !== undefined, JSON.stringify(wrong));
  return simulate({ workload: workloadOf(scenario, trace), config: ok });
}

/** What became of one tenant. */
export function tenant({ tenants }: SimulationResult, name: string): TenantOutcome {
  return tenants.find((each) => each.name === name)!;
}
