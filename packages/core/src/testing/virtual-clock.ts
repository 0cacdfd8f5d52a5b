// SPDX-License-Identifier: Apache-2.0

/**
 * Time that moves only when it is told to, so that tests and simulations replay exactly. Work put off with `soon` runs
 * before time moves, in order; alarms run at their very millisecond, ties in the order in which they were set.
 */

import type { Alarm, Clock } from '../clock.ts';

interface PendingAlarm extends Alarm {
  readonly timeMs: number;
  readonly callback: () => void;
}

export class VirtualClock implements Clock {
  #nowMs: number;
  #soon: (() => void)[] = [];
  readonly #alarms = new Set<PendingAlarm>();

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  soon(callback: () => void): void {
    this.#soon.push(callback);
  }

  at(timeMs: number, callback: () => void): Alarm {
    const alarm: PendingAlarm = { timeMs, callback, cancel: () => this.#alarms.delete(alarm) };
    this.#alarms.add(alarm);
    return alarm;
  }

  /** Alarms set and neither run nor cancelled. */
  get pendingAlarms(): number {
    return this.#alarms.size;
  }

  /** Runs everything put off, until nothing is. */
  settle(): void {
    while (this.#soon.length > 0) {
      const batch = this.#soon;
      this.#soon = [];
      for (const callback of batch) callback();
    }
  }

  /** Moves time on, stopping at every alarm that is due on the way. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    this.settle();
    for (let next = this.#next(untilMs); next !== undefined; next = this.#next(untilMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.timeMs);
      this.#alarms.delete(next);
      next.callback();
      this.settle();
    }
    this.#nowMs = untilMs;
  }

  #next(untilMs: number): PendingAlarm | undefined {
    let next: PendingAlarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.timeMs <= untilMs && (next === undefined || alarm.timeMs < next.timeMs)) next = alarm;
    }
    return next;
  }
}
