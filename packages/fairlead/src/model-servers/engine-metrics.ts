// SPDX-License-Identifier: Apache-2.0

/**
 * What each engine calls the figures that dispatch needs, as data. An endpoint's engine is what its label says, else
 * the configured default, else whichever engine's names are on its page.
 *
 * A metric is a name, or a name with the labels that tell the wanted series from the others: `name{label=value}`.
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

/** Metrics whose values describe the KV cache, in engines that have no labels for it. */
export interface CacheGaugeNames {
  /** Tokens of a block; several series are averaged. */
  readonly blockTokens: string;
  /** Blocks; several series are summed. */
  readonly blocks: string;
}

/** The metrics of one engine. */
export interface EngineMetricNames {
  /** Value of the engine label, as in the reference. */
  readonly engine: string;
  /** Requests in the engine's own queue. Several series (one per data-parallel rank) are summed. */
  readonly waiting: string;
  /** Requests the engine is running; summed as well. Without one, what we sent there and it does not hold waiting. */
  readonly running?: string;
  /** Share of the KV cache in use, 0 to 1, the preferred name first; several series are averaged. */
  readonly kvUsage: readonly string[];
  readonly cacheInfo?: CacheInfoNames;
  /** Looked at when `cacheInfo` says nothing. */
  readonly cacheGauges?: CacheGaugeNames;
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
    engine: 'sglang',
    waiting: 'sglang:num_queue_reqs',
    running: 'sglang:num_running_reqs',
    kvUsage: ['sglang:token_usage'],
    // Labels first, then gauges: newer versions have only the latter.
    cacheInfo: { name: 'sglang:cache_config_info', blockTokens: 'page_size', blocks: 'num_pages' },
    cacheGauges: { blockTokens: 'sglang:page_size', blocks: 'sglang:num_pages' },
  },
  {
    engine: 'trtllm-serve',
    waiting: 'trtllm_num_requests_waiting',
    running: 'trtllm_num_requests_running',
    kvUsage: ['trtllm_kv_cache_utilization'],
    cacheGauges: { blockTokens: 'trtllm_kv_cache_tokens_per_block', blocks: 'trtllm_kv_cache_max_blocks' },
  },
  {
    engine: 'triton-tensorrt-llm',
    waiting: 'nv_trt_llm_request_metrics{request_type=waiting}',
    running: 'nv_trt_llm_request_metrics{request_type=scheduled}',
    kvUsage: ['nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=fraction}'],
    cacheGauges: {
      blockTokens: 'nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=tokens_per}',
      blocks: 'nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=max}',
    },
  },
  {
    engine: 'llama.cpp',
    waiting: 'llamacpp:requests_deferred',
    running: 'llamacpp:requests_processing',
    // Gone from newer versions, which do not tell.
    kvUsage: ['llamacpp:kv_cache_usage_ratio'],
  },
  // Last: TensorRT-LLM behind Triton has this one as well. Triton counts executions since its start, and none that run.
  { engine: 'triton', waiting: 'nv_inference_pending_request_count', kvUsage: [] },
];

/** The engines there are, those of a configuration first: they replace built-in ones of the same name. */
export function withOwnEngines(own: readonly EngineMetricNames[]): readonly EngineMetricNames[] {
  const replaced = new Set(own.map(({ engine }) => engine));
  return [...own, ...ENGINE_METRICS.filter(({ engine }) => !replaced.has(engine))];
}

/** The first of `named` that is an engine there is; without any, every engine whose names may be on the page. */
export function enginesFor(
  named: readonly (string | undefined)[],
  engines: readonly EngineMetricNames[] = ENGINE_METRICS,
): readonly EngineMetricNames[] {
  for (const name of named) {
    const known = engines.filter(({ engine }) => engine === name);
    if (known.length > 0) return known;
  }
  return engines;
}
