// SPDX-License-Identifier: Apache-2.0

/**
 * Time that moves only when it is told to, so that tests and simulations replay exactly. Work put off with `soon` runs
 * before time moves, in order; alarms run at their very millisecond, ties in the order in which they were set.
 */

import type { Alarm, Clock } from '../clock.ts';
import { IndexedHeap } from '../flow-control/indexed-heap.ts';

interface PendingAlarm extends Alarm {
  readonly timeMs: number;
  /** Of all alarms ever set: breaks ties. */
  readonly order: number;
  readonly callback: () => void;
  slot: number;
}

class AlarmHeap extends IndexedHeap<PendingAlarm> {
  protected override before(a: PendingAlarm, b: PendingAlarm): boolean {
    return a.timeMs === b.timeMs ? a.order < b.order : a.timeMs < b.timeMs;
  }
  protected override slotOf({ slot }: PendingAlarm): number {
    return slot;
  }
  protected override setSlot(alarm: PendingAlarm, slot: number): void {
    alarm.slot = slot;
  }
}

export class VirtualClock implements Clock {
  #nowMs: number;
  #soon: (() => void)[] = [];
  readonly #alarms = new AlarmHeap();
  #order = 0;

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
    const cancel = (): void => this.#alarms.remove(alarm);
    const alarm: PendingAlarm = { timeMs, order: this.#order++, callback, slot: -1, cancel };
    this.#alarms.push(alarm);
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
    for (let next = this.#alarms.peek(); next !== undefined && next.timeMs <= untilMs; next = this.#alarms.peek()) {
      this.#nowMs = Math.max(this.#nowMs, next.timeMs);
      this.#alarms.remove(next);
      next.callback();
      this.settle();
    }
    this.#nowMs = untilMs;
  }
}
