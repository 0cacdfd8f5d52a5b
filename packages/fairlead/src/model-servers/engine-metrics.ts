// SPDX-License-Identifier: Apache-2.0

/**
 * What each engine calls the figures that dispatch needs, as data. An endpoint's engine is what its label says, else
 * the configured default, else whichever engine's names are on its page.
 */

/** The metric whose labels describe the KV cache. */
export interface CacheInfoNames {
  readonly name: string;
  /** Label with the tokens of a block. */
  readonly blockTokens: string;
  /** Label with the number of blocks. */
  readonly blocks: string;
}

/** The metric whose labels list the LoRA adapters in use, by name and separated by commas. */
export interface LoraInfoNames {
  readonly name: string;
  readonly running: string;
  readonly waiting: string;
  /** Label with how many run at once. */
  readonly max: string;
}

/** Names of one engine's metrics. */
export interface EngineMetricNames {
  /** Value of the engine label, as in the reference. */
  readonly engine: string;
  /** Requests in the engine's own queue. Several series (one per data-parallel rank) are summed. */
  readonly waiting: string;
  /** Requests the engine is running; summed as well. */
  readonly running: string;
  /** Share of the KV cache in use, 0 to 1, the preferred name first; several series are averaged. */
  readonly kvUsage: readonly string[];
  readonly cacheInfo?: CacheInfoNames;
  readonly loraInfo?: LoraInfoNames;
}

/** In the order in which they are looked for on a page that could be of several. */
export const ENGINE_METRICS: readonly EngineMetricNames[] = [
  {
    engine: 'vllm',
    waiting: 'vllm:num_requests_waiting',
    running: 'vllm:num_requests_running',
    // Renamed in vLLM 0.10; older ones have only the latter, some versions both.
    kvUsage: ['vllm:kv_cache_usage_perc', 'vllm:gpu_cache_usage_perc'],
    cacheInfo: { name: 'vllm:cache_config_info', blockTokens: 'block_size', blocks: 'num_gpu_blocks' },
    loraInfo: {
      name: 'vllm:lora_requests_info',
      running: 'running_lora_adapters',
      waiting: 'waiting_lora_adapters',
      max: 'max_lora',
    },
  },
  {
    engine: 'llama.cpp',
    waiting: 'llamacpp:requests_deferred',
    running: 'llamacpp:requests_processing',
    // Gone from newer versions, which do not tell.
    kvUsage: ['llamacpp:kv_cache_usage_ratio'],
  },
];

/** The engines whose names may be on the page of an endpoint labelled `engine`: one, or all when it is not known. */
export function enginesFor(engine: string | undefined): readonly EngineMetricNames[] {
  const known = ENGINE_METRICS.filter((names) => names.engine === engine);
  return known.length > 0 ? known : ENGINE_METRICS;
}
