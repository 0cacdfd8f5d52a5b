// SPDX-License-Identifier: Apache-2.0

/**
 * vLLM's `/metrics` page (v1 engine), with its names, labels and histogram buckets, for as much of it as the modelled
 * engine has: load gauges, token counters, latencies, cache and adapter info.
 */

import type { Engine, EngineObserver, Sequence } from './engine.ts';
import { BLOCK_TOKENS } from './engine.ts';
import type { PrefixCache } from './prefix-cache.ts';

const TTFT_BUCKETS_S = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
];
const TOKEN_BUCKETS_S = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];
const REQUEST_BUCKETS_S = [
  0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
];

class Histogram {
  readonly #name: string;
  readonly #help: string;
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(name: string, help: string, bounds: readonly number[]) {
    this.#name = name;
    this.#help = help;
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number, times = 1): void {
    this.#sum += value * times;
    this.#count += times;
    const index = this.#bounds.findIndex((bound) => value <= bound);
    if (index >= 0) this.#counts[index] = (this.#counts[index] ?? 0) + times;
  }

  render(labels: string): string {
    let text = `# HELP ${this.#name} ${this.#help}\n# TYPE ${this.#name} histogram\n`;
    let below = 0;
    for (const [index, bound] of this.#bounds.entries()) {
      below += this.#counts[index] ?? 0;
      text += `${this.#name}_bucket{${labels},le="${float(bound)}"} ${float(below)}\n`;
    }
    text += `${this.#name}_bucket{${labels},le="+Inf"} ${float(this.#count)}\n`;
    return `${text}${this.#name}_count{${labels}} ${float(this.#count)}\n${this.#name}_sum{${labels}} ${float(this.#sum)}\n`;
  }
}

/** Counts what happens in the engine, and renders the page. */
export class EngineMetrics implements EngineObserver {
  readonly #ttft = new Histogram(
    'vllm:time_to_first_token_seconds',
    'Histogram of time to first token in seconds.',
    TTFT_BUCKETS_S,
  );
  readonly #tokenTime = new Histogram(
    'vllm:inter_token_latency_seconds',
    'Histogram of inter-token latency in seconds.',
    TOKEN_BUCKETS_S,
  );
  readonly #e2e = new Histogram(
    'vllm:e2e_request_latency_seconds',
    'Histogram of e2e request latency in seconds.',
    REQUEST_BUCKETS_S,
  );
  readonly #queueTime = new Histogram(
    'vllm:request_queue_time_seconds',
    'Histogram of time spent in WAITING phase for request.',
    REQUEST_BUCKETS_S,
  );
  readonly #prefixCache: PrefixCache | undefined;
  promptTokens = 0;
  generationTokens = 0;
  /** Sequences that ran to their end. */
  finished = 0;
  aborted = 0;

  constructor(prefixCache?: PrefixCache) {
    this.#prefixCache = prefixCache;
  }

  tokens(sequence: Sequence, count: number): void {
    this.generationTokens += count;
    const first = sequence.emitted === count;
    if (first) {
      this.promptTokens += sequence.work.promptTokens;
      this.#ttft.observe((sequence.firstTokenAtMs - sequence.submittedAtMs) / 1000);
    }
    const later = first ? count - 1 : count;
    if (later > 0) this.#tokenTime.observe(sequence.tokenMs / 1000, later);
  }

  ended(sequence: Sequence): void {
    if (sequence.state === 'aborted') {
      this.aborted++;
      return;
    }
    this.finished++;
    if (sequence.work.outputTokens === 0) this.promptTokens += sequence.work.promptTokens;
    this.#e2e.observe((sequence.endedAtMs - sequence.submittedAtMs) / 1000);
    this.#queueTime.observe((sequence.admittedAtMs - sequence.submittedAtMs) / 1000);
  }

  /** The whole page. `nowS` is wall-clock seconds: the value of the adapter info, as in vLLM. */
  render(
    engine: Engine,
    about: { model: string; adapters: readonly string[]; maxLoras: number; kvBlocks: number; nowS: number },
  ): string {
    const labels = `engine="0",model_name="${escapeLabel(about.model)}"`;
    const cache = `block_size="${BLOCK_TOKENS}",cache_dtype="auto",engine="0",num_gpu_blocks="${about.kvBlocks}"`;
    const outcomes: Row[] = [
      [`${labels},finished_reason="length"`, this.finished],
      [`${labels},finished_reason="abort"`, this.aborted],
    ];
    return [
      family('gauge vllm:num_requests_running', 'Number of requests in model execution batches.', [
        [labels, engine.running],
      ]),
      family('gauge vllm:num_requests_waiting', 'Number of requests waiting to be processed.', [
        [labels, engine.waiting],
      ]),
      family('gauge vllm:kv_cache_usage_perc', 'KV-cache usage. 1 means 100 percent usage.', [
        [labels, engine.kvUsage],
      ]),
      family('counter vllm:prompt_tokens_total', 'Number of prefill tokens processed.', [[labels, this.promptTokens]]),
      family('counter vllm:generation_tokens_total', 'Number of generation tokens processed.', [
        [labels, this.generationTokens],
      ]),
      ...(this.#prefixCache === undefined ? [] : cacheCounters(this.#prefixCache, labels)),
      family('counter vllm:num_preemptions_total', 'Cumulative number of preemption from the engine.', [[labels, 0]]),
      family('counter vllm:request_success_total', 'Count of successfully processed requests.', outcomes),
      ...[this.#ttft, this.#tokenTime, this.#e2e, this.#queueTime].map((histogram) => histogram.render(labels)),
      family('gauge vllm:cache_config_info', 'Information of the LLMEngine CacheConfig', [[cache, 1]]),
      about.adapters.length === 0 ? '' : adapterInfo(engine, about),
    ].join('');
  }
}

function cacheCounters(cache: PrefixCache, labels: string): string[] {
  return [
    family('counter vllm:prefix_cache_queries_total', 'Prefix cache queries, in terms of number of queried tokens.', [
      [labels, cache.queriedTokens],
    ]),
    family('counter vllm:prefix_cache_hits_total', 'Prefix cache hits, in terms of number of cached tokens.', [
      [labels, cache.foundTokens],
    ]),
  ];
}

function adapterInfo(engine: Engine, about: { adapters: readonly string[]; maxLoras: number; nowS: number }): string {
  const { running, waiting } = engine.adapters();
  const names = (list: readonly string[]): string => escapeLabel(list.join(','));
  const labels = `max_lora="${about.maxLoras || about.adapters.length}",running_lora_adapters="${names(running)}",waiting_lora_adapters="${names(waiting)}"`;
  return family('gauge vllm:lora_requests_info', 'Running stats on lora requests.', [[labels, about.nowS]]);
}

type Row = readonly [labels: string, value: number];

/** One metric family; `kind` is its type and its name. */
function family(kind: `${'gauge' | 'counter'} ${string}`, help: string, rows: readonly Row[]): string {
  const [type, name] = kind.split(' ');
  const lines = rows.map(([labels, value]) => `${name}{${labels}} ${float(value)}\n`).join('');
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines}`;
}

/** A number as Python's client prints it: whole numbers with `.0`. */
function float(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
