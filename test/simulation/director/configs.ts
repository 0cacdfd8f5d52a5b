// SPDX-License-Identifier: Apache-2.0

/** The configurations that a simulated director is reloaded with: loaded once, as from files, and played with any dice. */

import assert from 'node:assert/strict';
import { loadConfig } from '../../../packages/fairlead/src/config/load.ts';
import type { ResolvedConfig } from '../../../packages/fairlead/src/config/resolved.ts';

const LIMITED = 'plugins: [{ type: concurrency-detector, parameters: { maxConcurrency: 2 } }';

export const CONFIG_TEXTS = [
  '',
  `${LIMITED}]\nflowControl: { saturationDetector: { pluginRef: concurrency-detector }, maxRequests: 12, defaultRequestTTL: 5s }`,
  `
${LIMITED}, { type: min-share-band-selection-policy }, { type: max-score-picker, parameters: { maxNumOfEndpoints: 2 } }]
schedulingProfiles: [{ name: default, plugins: [{ pluginRef: max-score-picker }] }]
flowControl:
  saturationDetector: { pluginRef: concurrency-detector }
  bandSelectionPolicyRef: min-share-band-selection-policy
  priorityBands: [{ priority: 10 }]
gateway: { firstByteTimeout: 2s }
identity:
  tenants:
    - { tenant: t0, priority: 10, maxInFlight: 1 }
    - { tenant: t1, priority: -5, tokensPerMinute: 1000 }
    - { tenant: t2, weight: 3 }
`,
  `
${LIMITED}, { type: hierarchical-fairness-policy }, { type: edf-ordering-policy }]
flowControl:
  saturationDetector: { pluginRef: concurrency-detector }
  defaultPriorityBand: { fairnessPolicyRef: hierarchical-fairness-policy, orderingPolicyRef: edf-ordering-policy }
outlierDetection: { consecutiveFailures: 2 }
identity:
  tenants: [{ tenant: t0, path: acme }, { tenant: t1, path: acme, maxInFlight: 2 }, { tenant: t2, path: beta/ops }]
`,
  'featureGates: [flowControl=false]',
] as const;

/** The dice of the run that is played. */
let random: () => number = Math.random;
let loaded: Promise<readonly ResolvedConfig[]> | undefined;

/** All of them, in their order, whose policies draw from these dice from now on. */
export function configsWith(dice: () => number): Promise<readonly ResolvedConfig[]> {
  random = dice;
  return (loaded ??= Promise.all(CONFIG_TEXTS.map(load)));
}

async function load(text: string): Promise<ResolvedConfig> {
  const head = 'apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n';
  const { ok, problems } = await loadConfig({ text: head + text, defaults: 'serve', random: () => random() });
  assert.ok(ok !== undefined, JSON.stringify(problems));
  return ok;
}
