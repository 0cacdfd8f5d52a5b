// SPDX-License-Identifier: Apache-2.0

/**
 * The two sets of defaults. A file in the reference's format means the same here as there when it is read with the
 * `reference` set (`fairlead check --defaults reference`); `fairlead serve` fills what a file leaves out with what a
 * gateway needs that nobody has tuned.
 */

/** Whose defaults fill what a file does not say. */
export type DefaultSet = 'serve' | 'reference';

export interface Defaults {
  /** The feature gate `flowControl`. */
  readonly flowControl: boolean;
  readonly fairness: string;
  readonly ordering: string;
  readonly usageLimit: string;
  readonly saturationDetector: string;
  readonly requestTtlMs: number;
  readonly noEndpointTtlMs: number;
  /** Share of a band that one flow may fill. */
  readonly maxFlowShare: number;
  readonly bandMaxBytes: number;
  readonly bandMaxRequests: number;
  readonly metricsIntervalMs: number;
  readonly defaultEngine: string;
  /** The scorers of the one profile when the file configures none, with their weights. */
  readonly scorers: Readonly<Record<string, number>>;
}

const shared = {
  ordering: 'fcfs-ordering-policy',
  usageLimit: 'static-usage-limit-policy',
  bandMaxBytes: 1_000_000_000,
  bandMaxRequests: 5_000,
};

/** Both sets. */
export const DEFAULTS: Readonly<Record<DefaultSet, Defaults>> = {
  serve: {
    ...shared,
    flowControl: true,
    fairness: 'virtual-token-counter-fairness-policy',
    saturationDetector: 'adaptive-concurrency-detector',
    // Below the 60 s at which nginx and cloud balancers give up on a silent connection.
    requestTtlMs: 50_000,
    noEndpointTtlMs: 10_000,
    maxFlowShare: 0.5,
    // Rendering its metrics page costs an engine's own loop 4 to 30 ms.
    metricsIntervalMs: 500,
    defaultEngine: 'auto',
    // What is in flight from here is exact in the turn it is asked, metrics are up to 500 ms old: it weighs as much as
    // both of them, or everything of one interval would go where the last scrape looked best.
    scorers: {
      'queue-scorer': 2,
      'kv-cache-utilization-scorer': 2,
      'active-request-scorer': 4,
      // A server that has four fifths of a prompt is preferred to an idle one, one that has less is not.
      'prefix-cache-scorer': 5,
    },
  },
  reference: {
    ...shared,
    flowControl: false,
    fairness: 'global-strict-fairness-policy',
    saturationDetector: 'utilization-detector',
    requestTtlMs: 60_000,
    noEndpointTtlMs: 60_000,
    maxFlowShare: 1,
    metricsIntervalMs: 50,
    defaultEngine: 'vllm',
    scorers: { 'queue-scorer': 2, 'kv-cache-utilization-scorer': 2, 'prefix-cache-scorer': 3 },
  },
};

/** Parsers that are asked in this order when a file names none. */
export const DEFAULT_PARSERS = ['openai-parser', 'anthropic-parser', 'vllmhttp-parser', 'passthrough-parser'] as const;

/** Flows and bands that held nothing for so long are forgotten; the reference's values, which have no field. */
export const FLOW_IDLE_MS = 5 * 60_000;
export const BAND_IDLE_MS = 10 * 60_000;
