// SPDX-License-Identifier: Apache-2.0

/**
 * A pool as a saturation detector sees it: requests go and end, metrics are read or fail, endpoints come and go, step by
 * step from a script, with the detector told as the controller tells it.
 */

import { Endpoint } from '../endpoints/endpoint.ts';
import type { SaturationDetector, Tracked } from '../flow-control/policies.ts';
import { seededRandom } from './seeded-random.ts';

/** What may happen at endpoint number `endpoint`; what makes no sense at the moment does nothing. */
export type FleetStep = { readonly endpoint: number } & (
  | { readonly act: 'dispatch'; readonly sequences: number; readonly tokens: number }
  | { readonly act: 'finish' }
  | { readonly act: 'scrape-fails' }
  | { readonly act: 'read'; readonly waiting: number; readonly running: number; readonly kvUsage: number | undefined }
  | { readonly act: 'first-token'; readonly ttftMs: number }
  /** It leaves the pool with what it has in flight, or is back. */
  | { readonly act: 'toggle' }
);

interface Place {
  readonly tracked: Tracked;
  readonly inFlight: { readonly sequences: number; readonly tokens: number }[];
  present: boolean;
}

/** Time between two steps. */
const STEP_MS = 50;
/** Idle readings after which an endpoint has to take something. */
const IDLE_READINGS = 20;

export class SaturationStand {
  readonly #detector: SaturationDetector;
  readonly #places: readonly Place[];
  #nowMs = 0;

  constructor(detector: SaturationDetector, endpoints: number) {
    this.#detector = detector;
    this.#places = Array.from({ length: endpoints }, (_, index) => {
      const endpoint = new Endpoint({ name: `endpoint-${index}`, url: `http://endpoint-${index}.test`, labels: {} });
      return { tracked: { endpoint, state: detector.newEndpointState() }, inFlight: [], present: true };
    });
  }

  present(): Tracked[] {
    return this.#places.filter(({ present }) => present).map(({ tracked }) => tracked);
  }

  /** @throws Error when it is no number that makes sense. */
  saturation(): number {
    const saturation = this.#detector.saturation(this.present(), this.#nowMs);
    if (!(saturation >= 0 && saturation < Infinity)) throw new Error(`saturation is ${saturation}`);
    return saturation;
  }

  hasRoom(): boolean {
    return this.#places.some(({ present }, index) => present && this.endpointHasRoom(index));
  }

  endpointHasRoom(index: number): boolean {
    const [room = 0, , tokenLimit = 0] = this.answersOf(index);
    return room > 0 && this.#place(index).tracked.endpoint.tokensInFlight < tokenLimit;
  }

  /** Room, limit, token limit and whether a reading is wanted. @throws Error when they do not make sense. */
  answersOf(index: number): number[] {
    const { tracked } = this.#place(index);
    const room = this.#detector.room(tracked, this.#nowMs);
    const limit = this.#detector.limit(tracked);
    const tokenLimit = this.#detector.tokenLimit?.(tracked) ?? Infinity;
    if (Number.isNaN(room)) throw new Error('room is NaN');
    if (!(limit >= 1)) throw new Error(`the limit is ${limit}, and nothing could ever be sent`);
    if (!(tokenLimit > 0)) throw new Error(`the token limit is ${tokenLimit}, and nothing could ever be sent`);
    return [room, limit, tokenLimit, Number(this.#detector.wantsReading?.(tracked) ?? false)];
  }

  /** All of it that can be asked. */
  answers(): number[] {
    return [this.saturation(), ...this.#places.flatMap((_, index) => this.answersOf(index))];
  }

  apply(step: FleetStep): void {
    this.pass();
    const place = this.#place(step.endpoint);
    const { endpoint } = place.tracked;
    if (step.act === 'dispatch') this.#dispatch(place, step);
    else if (step.act === 'finish') finish(place);
    else if (step.act === 'scrape-fails') endpoint.scrapeFailures += 1;
    else if (step.act === 'read') this.#read(place, step);
    else if (step.act === 'toggle') place.present = !place.present;
    else this.#firstToken(place, step.ttftMs);
  }

  /** Time passes and nothing else. */
  pass(): void {
    this.#nowMs += STEP_MS;
  }

  /** Everything ends, and readings say so. */
  quiesce(): void {
    for (const place of this.#places) while (place.inFlight.length > 0) finish(place);
    for (let reading = 0; reading < IDLE_READINGS; reading += 1) {
      this.pass();
      for (const place of this.#places) this.#read(place, { waiting: 0, running: 0, kvUsage: 0 });
    }
  }

  #dispatch({ tracked, inFlight }: Place, taken: { readonly sequences: number; readonly tokens: number }): void {
    const { sequences, tokens } = taken;
    tracked.endpoint.take(sequences, tokens);
    inFlight.push({ sequences, tokens });
    this.#detector.dispatched?.(tracked, this.#nowMs);
  }

  #read({ tracked }: Place, read: { waiting: number; running: number; kvUsage: number | undefined }): void {
    const { endpoint } = tracked;
    const { waiting, running, kvUsage } = read;
    endpoint.noteMetrics({ waiting, running, kvUsage }, endpoint.dispatched, this.#nowMs);
    this.#detector.metricsRead?.(tracked, this.#nowMs);
  }

  #firstToken({ tracked }: Place, ttftMs: number): void {
    const sample = { ttftMs, inFlightAtDispatch: Math.max(1, tracked.endpoint.inFlight), sizeBytes: 1000 };
    this.#detector.firstToken?.(tracked, sample, this.#nowMs);
  }

  #place(index: number): Place {
    return this.#places[index] as Place;
  }
}

function finish({ tracked, inFlight }: Place): void {
  const ended = inFlight.shift();
  if (ended !== undefined) tracked.endpoint.release(ended.sequences, ended.tokens);
}

/** Steps by chance; endpoint 0 never tells of its metrics. The same seed gives the same ones. */
export function fleetScript(options: {
  readonly seed: number;
  readonly steps: number;
  readonly endpoints: number;
}): FleetStep[] {
  const random = seededRandom(options.seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const acts = [
    'dispatch',
    'dispatch',
    'dispatch',
    'finish',
    'finish',
    'read',
    'first-token',
    'scrape-fails',
    'toggle',
  ] as const;
  return Array.from({ length: options.steps }, (): FleetStep => {
    const act = acts[below(acts.length)] as (typeof acts)[number];
    const endpoint = below(options.endpoints);
    const [sequences, tokens, ttftMs] = [1 + below(40), 1 + below(400_000), below(5000)];
    const [waiting, running, kvUsage] = [below(3) * below(8), below(32), random() < 0.2 ? undefined : random()];
    if (act === 'dispatch') return { act, endpoint, sequences, tokens };
    if (act === 'first-token') return { act, endpoint, ttftMs };
    if (act !== 'read') return { act, endpoint };
    return endpoint === 0 ? { act: 'finish', endpoint } : { act, endpoint, waiting, running, kvUsage };
  });
}
