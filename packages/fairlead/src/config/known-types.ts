// SPDX-License-Identifier: Apache-2.0

/**
 * Plugin types that the reference registers. Those that are not in this version get a message of their own, because a
 * file that names them is right and we are not there yet.
 */

import type { PluginDefinition } from '@fairlead/core';

/** All of them, in the order in which the reference's kinds come. */
export const REFERENCE_TYPES: readonly string[] = `
  single-profile-handler data-parallel-profile-handler disagg-profile-handler pd-profile-handler disagg-headers-handler
  prefill-header-handler header-profile-handler always-disagg-pd-decider prefix-based-pd-decider
  always-disagg-multimodal-decider
  label-selector-filter by-label-selector by-label decode-filter prefill-filter encode-filter prefix-cache-affinity-filter
  slo-headroom-tier-filter session-affinity-filter endpoint-attribute-filter topology-affinity-filter utilization-filter
  multicluster-session-affinity-filter header-based-testing-filter
  queue-scorer kv-cache-utilization-scorer running-requests-size-scorer prefix-cache-scorer lora-affinity-scorer
  token-load-scorer active-request-scorer load-aware-scorer context-length-aware latency-scorer no-hit-lru-scorer
  mm-embeddings-cache-scorer precise-prefix-cache-scorer session-affinity-scorer header-label-affinity-scorer
  endpoint-attribute-scorer topology-affinity-scorer multicluster-queue-scorer
  multicluster-kv-cache-utilization-scorer multicluster-prefix-cache-scorer
  max-score-picker random-picker weighted-random-picker
  global-strict-fairness-policy round-robin-fairness-policy program-aware-fairness fcfs-ordering-policy
  edf-ordering-policy slo-deadline-ordering-policy static-usage-limit-policy priority-holdback-policy
  soft-reflective-ceiling-policy utilization-detector concurrency-detector sheddable-eviction-filter
  priority-then-time-eviction-order-policy
  metrics-data-source core-metrics-extractor models-data-source models-data-extractor endpoint-notification-source
  k8s-notification-source topology-extractor dcgm-data-source dcgm-extractor file-discovery multicluster-file-discovery
  multicluster-metrics-data-source multicluster-metrics-extractor local-syncer
  approx-prefix-cache-producer burst-prefix-cache-producer inflight-load-producer predicted-latency-producer
  precise-prefix-cache-producer token-producer tokenizer mm-embeddings-cache-producer session-id-producer
  p2p-source-producer multicluster-approx-prefix-cache-producer latency-slo-admitter probabilistic-admitter
  disaggregatedset-rollout-screener agent-identity request-attribute-reporter destination-endpoint-served-verifier
  openai-parser anthropic-parser vllmhttp-parser sglanghttp-parser vllmgrpc-parser vertexai-parser passthrough-parser`
  .trim()
  .split(/\s+/);

/** The end of every message about something of the reference that is not here. */
export const NOT_IN_THIS_VERSION = 'is known to the reference but not in this version; see docs/compatibility.md';

/** The reference's types that `definitions` lack, for a `PluginRegistry`. */
export function unavailableTypes(definitions: readonly PluginDefinition[]): ReadonlyMap<string, string> {
  const present = new Set(definitions.map(({ type }) => type));
  return new Map(REFERENCE_TYPES.filter((type) => !present.has(type)).map((type) => [type, NOT_IN_THIS_VERSION]));
}
