// SPDX-License-Identifier: Apache-2.0

/**
 * What the model servers themselves say they are doing, read from their own `/metrics` and not from the gateway, so
 * that the gateway's figures are checked against someone else's.
 */

import { request } from 'undici';

/** A server that takes longer is counted as silent. */
const READ_LIMIT_MS = 1_000;
/** A larger page is not a metrics page. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;

/** Running and waiting sequences, by the names of vLLM, SGLang and llama.cpp. */
const RUNNING = /^(?:vllm:num_requests_running|sglang:num_running_reqs|llamacpp:requests_processing)(?:\{.*\})? (\S+)/;
const WAITING = /^(?:vllm:num_requests_waiting|sglang:num_queue_reqs|llamacpp:requests_deferred)(?:\{.*\})? (\S+)/;

/** Sequences in one engine. */
export interface EngineLoad {
  readonly running: number;
  readonly waiting: number;
}

/** Reads one server; undefined when it does not say. Never throws. */
export async function readEngineLoad(url: string): Promise<EngineLoad | undefined> {
  try {
    const { statusCode, body } = await request(`${url}/metrics`, { signal: AbortSignal.timeout(READ_LIMIT_MS) });
    const page = await text(body);
    return statusCode === 200 ? parseEngineLoad(page) : undefined;
  } catch {
    return undefined;
  }
}

/** The figures of a metrics page, summed over its label sets; undefined when it has no running figure. */
export function parseEngineLoad(page: string): EngineLoad | undefined {
  let running: number | undefined;
  let waiting = 0;
  for (const line of page.split('\n')) {
    const runs = RUNNING.exec(line)?.[1];
    if (runs !== undefined) running = (running ?? 0) + Number(runs);
    const waits = WAITING.exec(line)?.[1];
    if (waits !== undefined) waiting += Number(waits);
  }
  return running === undefined || Number.isNaN(running + waiting) ? undefined : { running, waiting };
}

async function text(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of body) {
    sizeBytes += chunk.length;
    if (sizeBytes > MAX_PAGE_BYTES) throw new Error('not a metrics page');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Samples how many sequences a fleet runs, at a steady pace, until stopped. */
export class FleetMeter {
  readonly #read: () => Promise<EngineLoad | undefined>;
  readonly #timer: NodeJS.Timeout;
  #reading = false;
  #samples = 0;
  #running = 0;

  /** `read` gives the whole fleet's figures at a moment, undefined when nobody knows. */
  constructor(read: () => Promise<EngineLoad | undefined>, everyMs = 200) {
    this.#read = read;
    this.#timer = setInterval(() => void this.#sample(), everyMs);
  }

  /** Mean of the samples since the last call of `restart`; undefined without a sample. */
  get meanRunning(): number | undefined {
    return this.#samples === 0 ? undefined : this.#running / this.#samples;
  }

  restart(): void {
    this.#samples = 0;
    this.#running = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #sample(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    const load = await this.#read();
    this.#reading = false;
    if (load === undefined) return;
    this.#samples++;
    this.#running += load.running;
  }
}

/** The sum over servers that answer; undefined when none does. */
export async function readFleetLoad(urls: readonly string[]): Promise<EngineLoad | undefined> {
  const loads = (await Promise.all(urls.map(readEngineLoad))).filter((load) => load !== undefined);
  if (loads.length === 0) return undefined;
  return loads.reduce((sum, one) => ({ running: sum.running + one.running, waiting: sum.waiting + one.waiting }));
}
