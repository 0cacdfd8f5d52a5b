// SPDX-License-Identifier: Apache-2.0

/**
 * Every plugin in the box passes the suite of each of its kinds, as it is by default and with the parameters below that
 * make it another. One of a kind without a suite, or that cannot be made without parameters and has none below, fails.
 */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { Random } from '../clock.ts';
import type {
  BandSelectionPolicy,
  FairnessPolicy,
  OrderingPolicy,
  SaturationDetector,
  UsageLimitPolicy,
} from '../flow-control/policies.ts';
import type { PluginKind } from '../plugin-registry/kinds.ts';
import type { Plugin, PluginDefinition } from '../plugin-registry/plugin.ts';
import type { Filter, Picker, Scorer } from '../scheduling/contracts.ts';
import { bandSelectionConformance } from '../testing/band-selection-conformance.ts';
import { type ConformanceCase, skipping, type Skips } from '../testing/conformance-case.ts';
import { fairnessConformance } from '../testing/fairness-conformance.ts';
import { filterConformance } from '../testing/filter-conformance.ts';
import { orderingConformance } from '../testing/ordering-conformance.ts';
import { pickerConformance } from '../testing/picker-conformance.ts';
import { instanceOf } from '../testing/plugin-instance.ts';
import { saturationConformance } from '../testing/saturation-conformance.ts';
import type { Made } from '../testing/scheduling-stand.ts';
import { scorerConformance } from '../testing/scorer-conformance.ts';
import { seededRandom } from '../testing/seeded-random.ts';
import { usageLimitConformance } from '../testing/usage-limit-conformance.ts';
import { deficitRoundRobinFairnessPolicy } from './fairness/deficit-round-robin-fairness-policy.ts';
import { virtualTokenCounterFairnessPolicy } from './fairness/virtual-token-counter-fairness-policy.ts';
import { builtins } from './index.ts';
import { approxPrefixCacheProducer } from './producers/approx-prefix-cache-producer.ts';

interface Variant {
  readonly definition: PluginDefinition;
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
}

/** The suite of each kind that has one; the registry has checked that an instance is of the kinds it says. */
const suites: Partial<Record<PluginKind, (variant: Variant) => readonly ConformanceCase[]>> = {
  'band-selection': (variant) => bandSelectionConformance(() => make(variant) as BandSelectionPolicy),
  fairness: (variant) => fairnessConformance(() => make(variant) as FairnessPolicy),
  ordering: (variant) => orderingConformance(() => make(variant) as OrderingPolicy),
  saturation: (variant) => saturationConformance(() => make(variant) as SaturationDetector),
  'usage-limit': (variant) => usageLimitConformance(() => make(variant) as UsageLimitPolicy),
  filter: (variant) => filterConformance(() => withProducer<Filter & Plugin>(variant)),
  scorer: (variant) => scorerConformance(() => withProducer<Scorer & Plugin>(variant)),
  picker: (variant) => pickerConformance((random) => make(variant, random) as Picker),
};

/** Kinds that have none, and why. */
const withoutSuite: Partial<Record<PluginKind, string>> = {
  'profile-handler': 'there is one, which only says that there is one profile',
  producer: 'what a producer knows is for its scorer to use, and is checked together with that',
};

/** Parameters with which a plugin is another than by default, or without which it is none. */
const variants: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>> = {
  'hierarchical-fairness-policy': [{ nodePolicyRef: 'deficit-round-robin-fairness-policy' }],
  'priority-holdback-policy': [{ minCeiling: 0.5 }, { minCeiling: 0.2, maxCeiling: 0.9, domain: 'value' }],
  'static-usage-limit-policy': [{ threshold: 0.5 }],
  'concurrency-detector': [
    { concurrencyMode: 'tokens' },
    { concurrencyMode: 'hybrid', maxConcurrency: 50, headroom: 0.5 },
  ],
  'utilization-detector': [{ queueDepthThreshold: 1, kvCacheUtilThreshold: 0.3, headroom: 1 }],
  'adaptive-concurrency-detector': [{ initialLimit: 1, maxLimit: 8 }],
  'by-label': [
    { label: 'zone', validValues: ['a'], allowsNoLabel: false },
    { label: 'llm-d.ai/role', validValues: ['decode'], allowsNoLabel: true },
  ],
  'label-selector-filter': [
    { matchLabels: { zone: 'a' }, matchExpressions: [{ key: 'llm-d.ai/role', operator: 'NotIn', values: ['encode'] }] },
  ],
  'by-label-selector': [{ matchLabels: { zone: 'b' } }],
  'session-affinity-filter': [{ strategy: 'session_id' }],
  'session-affinity-scorer': [{ strategy: 'session_id' }],
  'prefix-cache-scorer': [{ matchLengthWeight: 0.5, matchLengthScaleTokens: 200 }],
  'active-request-scorer': [{ idleThreshold: 2, maxBusyScore: 0.5 }],
  'max-score-picker': [{ maxNumOfEndpoints: 3 }],
  'random-picker': [{ maxNumOfEndpoints: 3 }],
  'weighted-random-picker': [{ maxNumOfEndpoints: 3 }],
};

/** Cases that a plugin is excused from, by its type. */
const excused: Readonly<Record<string, Skips>> = {};

function make(variant: Variant, random = seededRandom(1)): Plugin {
  return made(
    variant,
    [instanceOf(virtualTokenCounterFairnessPolicy), instanceOf(deficitRoundRobinFairnessPolicy)],
    random,
  );
}

/** With a producer that knows prompts, of which it may ask. */
function withProducer<T extends Plugin>(variant: Variant): Made<T> {
  const producer = instanceOf(approxPrefixCacheProducer);
  return [made(variant, [producer], seededRandom(1)) as T, producer];
}

/** `others` are those that its parameters may name. */
function made({ definition, parameters }: Variant, others: readonly Plugin[], random: Random): Plugin {
  return instanceOf(definition, { ...(parameters && { parameters }), others, random });
}

const needsParameters = ({ parameters }: PluginDefinition): boolean =>
  Object.values(parameters).some(({ required }) => required === true);

function variantsOf(definition: PluginDefinition): Variant[] {
  const others = (variants[definition.type] ?? []).map((parameters) => ({ definition, parameters }));
  return needsParameters(definition) ? others : [{ definition }, ...others];
}

test('every plugin in the box is run through the suite of each of its kinds, or its kind says why there is none', () => {
  for (const definition of builtins) {
    assert.ok(variantsOf(definition).length > 0, `${definition.type} needs parameters, and none are given here`);
    for (const kind of definition.kinds) {
      assert.ok(suites[kind] ?? withoutSuite[kind], `${definition.type} is of kind ${kind}, which has no suite`);
    }
  }
  const types = builtins.map(({ type }) => type);
  for (const type of [...Object.keys(variants), ...Object.keys(excused)]) assert.ok(types.includes(type), type);
});

for (const definition of builtins) {
  for (const variant of variantsOf(definition)) {
    const parameters = variant.parameters === undefined ? '' : ` with ${JSON.stringify(variant.parameters)}`;
    for (const kind of definition.kinds) {
      const cases = suites[kind]?.(variant) ?? [];
      for (const { title, skip, run } of skipping(cases, excused[definition.type] ?? {})) {
        test(`${definition.type}${parameters}, as a ${kind} plugin, ${title}`, { skip }, run);
      }
    }
  }
}
