// SPDX-License-Identifier: Apache-2.0

/**
 * Injected failures: decides, from the settings of the moment and a seed, what becomes of an inference request that has
 * just arrived.
 */

import type { Socket } from 'node:net';
import { seededRandom } from './random.ts';
import type { Settings } from './settings.ts';

/** `serve` is the normal case; `reset` cuts the connection, `fail` is a 500, `die` ends the whole server. */
export type Fate = 'serve' | 'reset' | 'fail' | 'die';

export class Failures {
  readonly #settings: Settings;
  readonly #random: () => number;
  readonly #usedSockets = new WeakSet<Socket>();
  #arrived = 0;

  /** `settings` is read at each request, so that changes hold at once. */
  constructor(settings: Settings) {
    this.#settings = settings;
    this.#random = seededRandom(settings.seed);
  }

  fateOf(socket: Socket): Fate {
    const settings = this.#settings;
    const reused = this.#usedSockets.has(socket);
    this.#usedSockets.add(socket);
    this.#arrived++;
    if (settings.dieAfter !== null && this.#arrived > settings.dieAfter) return 'die';
    if (settings.resetIdle && reused) return 'reset';
    if (this.#strikes(settings.resetRate)) return 'reset';
    return this.#strikes(settings.failRate) ? 'fail' : 'serve';
  }

  /** Bytes no HTTP parser accepts. */
  static readonly NOT_HTTP = Buffer.from('\u0000\u0001 these bytes are not HTTP \r\n\r\n', 'latin1');

  /** A page that a metrics scanner must survive: wrong numbers, broken labels, a stray NUL, no end of line. */
  static readonly GARBAGE_METRICS = [
    'vllm:num_requests_running{model_name="x"} over 9000',
    'vllm:num_requests_waiting{model_name="x',
    'vllm:kv_cache_usage_perc{}}} 0x1p-3 \u0000',
    'vllm:cache_config_info{block_size="minus one",num_gpu_blocks=""} NaN',
    '}{ # TYPE',
  ].join('\n');

  #strikes(rate: number): boolean {
    return rate > 0 && this.#random() < rate;
  }
}
