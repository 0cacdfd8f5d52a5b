// SPDX-License-Identifier: Apache-2.0

/**
 * Every metric there is, as data: `/metrics`, `docs/metrics.md` and the tests all read this list. Families that begin
 * with `llm_d_epp_` have the reference picker's names, labels and buckets, so that its dashboards and alerts read them;
 * what it does not have begins with `fairlead_`.
 */

export interface MetricFamily {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram, ascending, without +Inf. */
  readonly buckets?: readonly number[];
}

const perRequest = ['model_name', 'target_model_name', 'fairness_id', 'priority'] as const;
const perFlow = ['fairness_id', 'priority', 'inference_pool', 'model_name', 'target_model_name'] as const;

/** Doubling from `first`, `count` values. */
function doubling(first: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => first * 2 ** index);
}

// 32778 is the reference's typing slip for 32768, kept: a bucket bound is part of a series' name.
const responseSizeBytes = [1, ...doubling(8, 12), 32_778, 65_536];
const manyTokens = [...responseSizeBytes, 131_072, 262_144, 524_288, 1_048_576];
const outputTokens = [1, ...doubling(8, 11)];
// prettier-ignore
const firstTokenSeconds = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60, 120,
];
const durationSeconds = [...firstTokenSeconds, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600];
const perTokenSeconds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
// prettier-ignore
const streamedTokenSeconds = [
  0.0005, 0.00205, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.125, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 2,
];
// prettier-ignore
const queueSeconds = [
  0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

function counter(name: string, labels: readonly string[], help: string): MetricFamily {
  return { name, type: 'counter', help: staged(name, help), labels };
}

function gauge(name: string, labels: readonly string[], help: string): MetricFamily {
  return { name, type: 'gauge', help: staged(name, help), labels };
}

function histogram(
  name: string,
  labels: readonly string[],
  shape: { buckets: readonly number[]; help: string },
): MetricFamily {
  return { name, type: 'histogram', help: staged(name, shape.help), labels, buckets: shape.buckets };
}

/** The reference marks the stability of its families in the help text. */
function staged(name: string, help: string): string {
  return name.startsWith('llm_d_epp_') ? `[ALPHA] ${help}` : help;
}

/** Histograms of one request's model, tenant and priority, by what is measured. */
export const requestHistograms = {
  size: histogram('llm_d_epp_request_size_bytes', perRequest, {
    buckets: doubling(64, 25),
    help: 'Size of request bodies in bytes.',
  }),
  duration: histogram('llm_d_epp_request_duration_seconds', perRequest, {
    buckets: durationSeconds,
    help: 'Seconds from the first byte of a request to the last byte of its answer, for answers that succeeded.',
  }),
  inputTokens: histogram('llm_d_epp_request_input_tokens', perRequest, {
    buckets: manyTokens,
    help: 'Prompt tokens, as the model server reported them.',
  }),
  outputTokens: histogram('llm_d_epp_request_output_tokens', perRequest, {
    buckets: outputTokens,
    help: 'Generated tokens, as the model server reported them.',
  }),
  cachedTokens: histogram('llm_d_epp_request_cached_tokens', perRequest, {
    buckets: manyTokens,
    help: 'Prompt tokens that the model server found in its cache, as it reported them.',
  }),
  perOutputToken: histogram('llm_d_epp_request_ntpot_seconds', perRequest, {
    buckets: perTokenSeconds,
    help: 'Request duration divided by generated tokens.',
  }),
  responseSize: histogram('llm_d_epp_response_size_bytes', perRequest, {
    buckets: responseSizeBytes,
    help: 'Size of answer bodies in bytes.',
  }),
  streamedToken: histogram('llm_d_epp_request_streaming_tpot_seconds', perRequest, {
    buckets: streamedTokenSeconds,
    help: 'Seconds per generated token after the first, for streamed answers: (duration - time to first token) / (tokens - 1).',
  }),
  firstTokenStreamed: histogram('llm_d_epp_request_ttft_seconds', [...perRequest, 'streaming'], {
    buckets: firstTokenSeconds,
    help: 'Seconds from the first byte of a request to the first byte of its answer; for answers that are not streamed, to the last.',
  }),
} as const;

/** What happens to a request, counted by model, tenant and priority. */
export const requestFamilies = {
  total: counter('llm_d_epp_request_total', perRequest, 'Requests that reached flow control.'),
  errors: counter(
    'llm_d_epp_request_error_total',
    [...perRequest, 'error_code'],
    'Requests that flow control refused or gave up, and requests that a model server failed.',
  ),
  running: gauge('llm_d_epp_request_running', perRequest, 'Requests dispatched and not ended.'),
} as const;

export const flowFamilies = {
  queueDuration: histogram(
    'llm_d_epp_flow_control_request_queue_duration_seconds',
    ['fairness_id', 'priority', 'outcome', 'inference_pool', 'model_name', 'target_model_name'],
    { buckets: queueSeconds, help: 'Seconds a request waited, by how its wait ended.' },
  ),
  queueSize: gauge('llm_d_epp_flow_control_queue_size', perFlow, 'Requests waiting.'),
  queueBytes: gauge('llm_d_epp_flow_control_queue_bytes', perFlow, 'Bytes of body of the requests waiting.'),
  requests: counter(
    'llm_d_epp_flow_control_requests_total',
    ['outcome', 'priority', 'inference_pool'],
    'Requests by how their wait ended.',
  ),
} as const;

const perPool = ['inference_pool'] as const;
const perBand = ['priority', 'inference_pool'] as const;

/** Read from the pools when the page is made. */
export const poolFamilies = {
  saturation: gauge(
    'llm_d_epp_flow_control_pool_saturation',
    ['inference_pool', 'stage'],
    'Used / available capacity: 1 = full, more = oversubscribed, 1 when there are no endpoints.',
  ),
  staleEndpoints: gauge(
    'llm_d_epp_flow_control_stale_endpoints',
    ['detector'],
    'Endpoints whose metrics are missing or whose last scrape failed.',
  ),
  bandRequests: gauge(
    'llm_d_epp_flow_control_capacity_utilization_requests',
    perBand,
    "Share of the band's request limit in use.",
  ),
  bandBytes: gauge(
    'llm_d_epp_flow_control_capacity_utilization_bytes',
    perBand,
    "Share of the band's byte limit in use.",
  ),
  globalRequests: gauge(
    'llm_d_epp_flow_control_global_capacity_utilization_requests',
    perPool,
    'Share of the request limit over all bands in use; absent without a limit.',
  ),
  globalBytes: gauge(
    'llm_d_epp_flow_control_global_capacity_utilization_bytes',
    perPool,
    'Share of the byte limit over all bands in use; absent without a limit.',
  ),
  averageKv: gauge(
    'llm_d_epp_average_kv_cache_utilization',
    ['name'],
    'Mean KV cache use over the endpoints that told it.',
  ),
  averageQueue: gauge('llm_d_epp_average_queue_size', ['name'], "Mean requests in the engines' own queues."),
  averageRunning: gauge('llm_d_epp_average_running_requests', ['name'], 'Mean requests that the engines run.'),
  spreadKv: gauge('llm_d_epp_std_dev_kv_cache_utilization', ['name'], 'Standard deviation of KV cache use.'),
  spreadQueue: gauge(
    'llm_d_epp_std_dev_queue_size',
    ['name'],
    "Standard deviation of requests in the engines' own queues.",
  ),
  spreadRunning: gauge(
    'llm_d_epp_std_dev_running_requests',
    ['name'],
    'Standard deviation of requests that the engines run.',
  ),
  ready: gauge('llm_d_epp_ready_endpoints', ['name'], 'Endpoints of the pool that are up.'),
  endpointQueue: gauge(
    'llm_d_epp_per_endpoint_queue_size',
    ['name', 'model_server_endpoint'],
    "Requests in the engine's own queue.",
  ),
  oldestWait: gauge(
    'fairlead_oldest_wait_seconds',
    ['pool', 'tenant'],
    'How long a tenant\'s longest-waiting request waits: the hundred longest per pool, the longest of the others as "other".',
  ),
  bandGated: gauge(
    'fairlead_band_gated',
    ['pool', 'priority'],
    '1 while the band may not dispatch: saturation has reached its ceiling or that of a band above.',
  ),
  bandCeiling: gauge('fairlead_band_ceiling', ['pool', 'priority'], 'Saturation at which the band stops dispatching.'),
  bandPromisedShare: gauge(
    'fairlead_band_promised_share',
    ['pool', 'priority'],
    'Share of the cost of what is dispatched that the band has a right to while it has something to send; absent where bands have none, as where they are served strictly.',
  ),
  bandRecentShare: gauge(
    'fairlead_band_recent_share',
    ['pool', 'priority'],
    'And what it had of the last half to whole minute in which anything was dispatched; absent where the other is.',
  ),
  fairnessLag: gauge(
    'fairlead_fairness_lag_tokens',
    ['pool', 'priority'],
    'Largest difference so far between what two tenants of the band were served by weight, in input tokens, over any time in which both had something waiting; sixteen are watched at a time.',
  ),
  fairnessLagBound: gauge(
    'fairlead_fairness_lag_bound_tokens',
    ['pool', 'priority'],
    'What the fairness policy lets that be at most; absent where it promises nothing.',
  ),
  heldWhileIdle: counter(
    'fairlead_held_while_idle_seconds_total',
    ['pool'],
    'Seconds during which a request waited although the pool had room that it could have used.',
  ),
} as const;

export const endpointFamilies = {
  up: gauge('fairlead_endpoint_up', ['endpoint'], '1 while the endpoint is given requests.'),
  limit: gauge(
    'fairlead_endpoint_limit',
    ['endpoint'],
    'Sequences it is given at once at most; absent when nothing limits it.',
  ),
  inFlight: gauge('fairlead_endpoint_in_flight', ['endpoint'], 'Sequences it holds from here.'),
  tokensInFlight: gauge(
    'fairlead_endpoint_tokens_in_flight',
    ['endpoint'],
    'Tokens of the requests that it holds from here, as estimated when they were dispatched.',
  ),
  ejections: counter(
    'fairlead_endpoint_ejections_total',
    ['endpoint', 'reason'],
    'Times it was set aside for what it did to requests: `failures-in-a-row`, `failure-share` or `slow-first-byte`.',
  ),
  scrapeAge: gauge(
    'fairlead_scrape_age_seconds',
    ['endpoint'],
    'Age of its last metrics; absent when it never told any.',
  ),
} as const;

export const gatewayFamilies = {
  refused: counter(
    'fairlead_refused_total',
    ['status', 'reason'],
    'Requests answered with an error from here, not from a model server.',
  ),
  modelRewrites: counter(
    'llm_d_epp_model_rewrite_decisions_total',
    ['model_rewrite_name', 'model_name', 'target_model'],
    'Requests whose model a rule of `modelRewrites` replaced.',
  ),
  retries: counter('fairlead_retries_total', ['kind'], 'Requests sent to a model server once more.'),
  requeued: counter(
    'fairlead_requeued_total',
    ['pool'],
    "Requests that went back to their flow's head, nothing having been sent.",
  ),
  withoutIdentity: counter(
    'fairlead_requests_without_identity_total',
    [],
    'Requests whose tenant was guessed from an unknown key or an address.',
  ),
  objectiveUnknown: counter(
    'fairlead_objective_unknown_total',
    [],
    'Requests of trusted sources served at priority 0 because the objective they name is not configured.',
  ),
  priorityUnknown: counter(
    'fairlead_priority_unknown_total',
    ['pool'],
    'Requests served in band 0 because their priority has no band.',
  ),
  usageClamped: counter(
    'fairlead_usage_clamped_total',
    ['pool'],
    'Answers whose model server told of token counts that no request has (negative, beyond ten million): the nearest possible ones are reckoned with.',
  ),
  clockJumps: counter(
    'fairlead_clock_jumps_total',
    ['direction'],
    'Jumps of the clock that do not count: time in which the process did not run (`forward`), time that went `back`.',
  ),
  bypass: gauge('fairlead_bypass', [], '1 while everything is dispatched at once, regardless of limits.'),
  bufferedBytes: gauge('fairlead_buffered_bytes', [], 'Bytes of request bodies held.'),
  bufferedBytesLimit: gauge('fairlead_buffered_bytes_limit', [], 'Bytes of request bodies that may be held.'),
} as const;

export const configFamilies = {
  reloads: counter(
    'fairlead_config_reloads_total',
    ['result'],
    'Times the configuration file was read again: success when it counts now, failure when everything stayed as it was.',
  ),
  lastReloadSuccess: gauge(
    'fairlead_config_last_reload_success',
    [],
    '0 while the last reload failed: what runs is not what the file says.',
  ),
  since: gauge(
    'fairlead_config_last_success_timestamp_seconds',
    [],
    'Unix time since which the configuration that runs has counted.',
  ),
  info: gauge(
    'fairlead_config_info',
    ['hash'],
    'Always 1; the SHA-256 of the text that runs, absent when there is none.',
  ),
} as const;

export const processFamilies = {
  buildInfo: gauge('fairlead_build_info', ['version', 'node'], 'Always 1.'),
  eventLoopLag: gauge(
    'fairlead_event_loop_lag_seconds',
    ['quantile'],
    'How late the event loop ran since the last scrape.',
  ),
  seriesDropped: counter(
    'fairlead_series_dropped_total',
    [],
    'Label sets that were counted under "other" because the page would have become too long.',
  ),
  cpu: counter('process_cpu_seconds_total', [], 'User and system CPU seconds.'),
  resident: gauge('process_resident_memory_bytes', [], 'Resident memory.'),
  started: gauge('process_start_time_seconds', [], 'Unix time at which the process started.'),
} as const;

/** All families, in the order of the page. */
export const catalogue: readonly MetricFamily[] = [
  ...Object.values(flowFamilies),
  ...Object.values(poolFamilies),
  ...Object.values(endpointFamilies),
  ...Object.values(requestFamilies),
  ...Object.values(requestHistograms),
  ...Object.values(gatewayFamilies),
  ...Object.values(configFamilies),
  ...Object.values(processFamilies),
];
