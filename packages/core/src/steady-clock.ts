// SPDX-License-Identifier: Apache-2.0

/**
 * A clock that stays one whatever its source does. Time that goes back, or is no number, goes on from where it was. And
 * time in which the process did not run (it was stopped, its machine was paused or migrated, something held up its event
 * loop for long) has not passed: what waits does not expire in one blow because of it. It is noticed because in a process
 * that runs somebody looks at the clock every second, if nobody else then a beat of its own.
 */

import type { Alarm, Clock } from './clock.ts';

const BEAT_MS = 1_000;
/** Further apart two looks are not: a beat, and being late by more than a busy event loop is. */
const LONGEST_STEP_MS = 10_000;

export interface SteadyClockOptions {
  readonly source: Clock;
  /** Told after each jump: by how many milliseconds, negative for back, NaN when the source gave no number. */
  readonly onJump?: ((byMs: number) => void) | undefined;
}

export class SteadyClock implements Clock {
  /** Jumps so far that were not passed on. */
  readonly jumps = { forward: 0, back: 0 };
  readonly #source: Clock;
  readonly #onJump: SteadyClockOptions['onJump'];
  /** What the source said last, and what was made of it: where a number is written without an object for it. */
  readonly #time = new Float64Array(2);
  #beat: Alarm | undefined;

  constructor({ source, onJump }: SteadyClockOptions) {
    this.#source = source;
    this.#onJump = onJump;
    const startMs = source.now();
    this.#time.fill(Number.isFinite(startMs) ? startMs : 0);
  }

  /** Begins to notice time in which nothing ran; `stop` ends it. */
  start(): void {
    if (this.#beat === undefined) this.#armBeat();
  }

  stop(): void {
    this.#beat?.cancel();
    this.#beat = undefined;
  }

  now(): number {
    const sourceMs = this.#source.now();
    const time = this.#time;
    const stepMs = sourceMs - (time[0] as number);
    if (stepMs >= 0 && (stepMs <= LONGEST_STEP_MS || this.#beat === undefined)) {
      time[0] = sourceMs;
      return (time[1] = (time[1] as number) + stepMs);
    }
    this.#jump(sourceMs, stepMs);
    return time[1] as number;
  }

  soon(callback: () => void): void {
    this.#source.soon(callback);
  }

  at(timeMs: number, callback: () => void): Alarm {
    let alarm: Alarm;
    const arm = (): Alarm => this.#source.at(this.#time[0]! + timeMs - this.now(), ring);
    const ring = (): void => {
      // Time stood still for a while: it is not yet so late.
      if (this.now() < timeMs - 1) alarm = arm();
      else callback();
    };
    alarm = arm();
    return {
      cancel: () => {
        alarm.cancel();
      },
    };
  }

  #jump(sourceMs: number, byMs: number): void {
    if (byMs > 0) this.jumps.forward += 1;
    else this.jumps.back += 1;
    if (Number.isFinite(sourceMs)) this.#time[0] = sourceMs;
    this.#onJump?.(byMs);
  }

  #armBeat(): void {
    this.#beat = this.#source.at(this.#source.now() + BEAT_MS, () => {
      this.now();
      this.#armBeat();
    });
  }
}
