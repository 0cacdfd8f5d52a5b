// SPDX-License-Identifier: Apache-2.0

/**
 * The plugins in the box, as one ordered list of definitions. Nothing is registered by importing this: a registry is
 * made from the list, with or without definitions of one's own.
 */

import type { PluginDefinition } from '../plugin-registry/plugin.ts';
import { minShareBandSelectionPolicy } from './band-selection/min-share-band-selection-policy.ts';
import { strictBandSelectionPolicy } from './band-selection/strict-band-selection-policy.ts';
import { weightedBandSelectionPolicy } from './band-selection/weighted-band-selection-policy.ts';
import { deficitRoundRobinFairnessPolicy } from './fairness/deficit-round-robin-fairness-policy.ts';
import { globalStrictFairnessPolicy } from './fairness/global-strict-fairness-policy.ts';
import { hierarchicalFairnessPolicy } from './fairness/hierarchical-fairness-policy.ts';
import { programAwareFairness } from './fairness/program-aware-fairness.ts';
import { roundRobinFairnessPolicy } from './fairness/round-robin-fairness-policy.ts';
import { virtualTokenCounterFairnessPolicy } from './fairness/virtual-token-counter-fairness-policy.ts';
import { byLabelSelector } from './filters/by-label-selector.ts';
import { byLabel } from './filters/by-label.ts';
import { decodeFilter } from './filters/decode-filter.ts';
import { encodeFilter } from './filters/encode-filter.ts';
import { labelSelectorFilter } from './filters/label-selector-filter.ts';
import { prefillFilter } from './filters/prefill-filter.ts';
import { sessionAffinityFilter } from './filters/session-affinity-filter.ts';
import { edfOrderingPolicy } from './ordering/edf-ordering-policy.ts';
import { fcfsOrderingPolicy } from './ordering/fcfs-ordering-policy.ts';
import { sloDeadlineOrderingPolicy } from './ordering/slo-deadline-ordering-policy.ts';
import { maxScorePicker } from './pickers/max-score-picker.ts';
import { randomPicker } from './pickers/random-picker.ts';
import { weightedRandomPicker } from './pickers/weighted-random-picker.ts';
import { approxPrefixCacheProducer } from './producers/approx-prefix-cache-producer.ts';
import { inflightLoadProducer } from './producers/inflight-load-producer.ts';
import { singleProfileHandler } from './profile-handlers/single-profile-handler.ts';
import { adaptiveConcurrencyDetector } from './saturation/adaptive-concurrency-detector.ts';
import { concurrencyDetector } from './saturation/concurrency-detector.ts';
import { utilizationDetector } from './saturation/utilization-detector.ts';
import { activeRequestScorer } from './scorers/active-request-scorer.ts';
import { kvCacheUtilizationScorer } from './scorers/kv-cache-utilization-scorer.ts';
import { loadAwareScorer } from './scorers/load-aware-scorer.ts';
import { loraAffinityScorer } from './scorers/lora-affinity-scorer.ts';
import { prefixCacheScorer } from './scorers/prefix-cache-scorer.ts';
import { queueScorer } from './scorers/queue-scorer.ts';
import { runningRequestsSizeScorer } from './scorers/running-requests-size-scorer.ts';
import { sessionAffinityScorer } from './scorers/session-affinity-scorer.ts';
import { tokenLoadScorer } from './scorers/token-load-scorer.ts';
import { priorityHoldbackPolicy } from './usage-limits/priority-holdback-policy.ts';
import { softReflectiveCeilingPolicy } from './usage-limits/soft-reflective-ceiling-policy.ts';
import { staticUsageLimitPolicy } from './usage-limits/static-usage-limit-policy.ts';

export const builtins: readonly PluginDefinition[] = Object.freeze([
  strictBandSelectionPolicy,
  weightedBandSelectionPolicy,
  minShareBandSelectionPolicy,
  globalStrictFairnessPolicy,
  roundRobinFairnessPolicy,
  deficitRoundRobinFairnessPolicy,
  virtualTokenCounterFairnessPolicy,
  hierarchicalFairnessPolicy,
  programAwareFairness,
  fcfsOrderingPolicy,
  edfOrderingPolicy,
  sloDeadlineOrderingPolicy,
  adaptiveConcurrencyDetector,
  concurrencyDetector,
  utilizationDetector,
  staticUsageLimitPolicy,
  priorityHoldbackPolicy,
  softReflectiveCeilingPolicy,
  singleProfileHandler,
  labelSelectorFilter,
  byLabelSelector,
  byLabel,
  decodeFilter,
  prefillFilter,
  encodeFilter,
  sessionAffinityFilter,
  queueScorer,
  kvCacheUtilizationScorer,
  runningRequestsSizeScorer,
  activeRequestScorer,
  tokenLoadScorer,
  loadAwareScorer,
  prefixCacheScorer,
  loraAffinityScorer,
  sessionAffinityScorer,
  maxScorePicker,
  randomPicker,
  weightedRandomPicker,
  approxPrefixCacheProducer,
  inflightLoadProducer,
]);

export {
  activeRequestScorer,
  adaptiveConcurrencyDetector,
  approxPrefixCacheProducer,
  byLabel,
  byLabelSelector,
  concurrencyDetector,
  decodeFilter,
  deficitRoundRobinFairnessPolicy,
  edfOrderingPolicy,
  encodeFilter,
  fcfsOrderingPolicy,
  globalStrictFairnessPolicy,
  hierarchicalFairnessPolicy,
  inflightLoadProducer,
  kvCacheUtilizationScorer,
  labelSelectorFilter,
  loadAwareScorer,
  loraAffinityScorer,
  maxScorePicker,
  prefillFilter,
  prefixCacheScorer,
  priorityHoldbackPolicy,
  programAwareFairness,
  queueScorer,
  randomPicker,
  roundRobinFairnessPolicy,
  runningRequestsSizeScorer,
  sessionAffinityFilter,
  sessionAffinityScorer,
  singleProfileHandler,
  sloDeadlineOrderingPolicy,
  softReflectiveCeilingPolicy,
  staticUsageLimitPolicy,
  minShareBandSelectionPolicy,
  strictBandSelectionPolicy,
  tokenLoadScorer,
  utilizationDetector,
  weightedBandSelectionPolicy,
  virtualTokenCounterFairnessPolicy,
  weightedRandomPicker,
};
