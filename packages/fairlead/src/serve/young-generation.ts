// SPDX-License-Identifier: Apache-2.0

/**
 * The memory that V8 has ready for new objects. By itself it grows with the first crowd of requests that stay, to some
 * 50 MB, on Node 24 to 130 MB, and is hardly ever given back: that takes a collection of the whole heap in a quiet
 * moment, and who is quiet makes nothing that would need one. A gateway full of streams that wait for their next token
 * then holds as much for objects to come as for its streams.
 *
 * So it grows beyond what an ordinary day takes only while the process is busy throughout, when fewer collections are
 * worth 3 % of its requests. V8 reads the limit once, before any code of ours runs, but by which factor to grow it asks
 * each time.
 */

import { performance } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Below this size, all its parts together, it may always grow. It grows by doubling, so that it stays at some 14 MB. */
const ORDINARY_BYTES = 8 * 1024 * 1024;
/** How often it is looked at: rarely enough to cost a thousandth of a core, often enough for one step too many at most. */
const LOOK_MS = 200;
/** Busy throughout: the share of time in which the event loop has something to do. Its neighbours want the rest. */
const BUSY_SHARE = 0.7;
/** Looks over which that share is averaged: some two seconds. */
const AVERAGED_LOOKS = 10;

/** As V8 has it by itself, and not at all. */
const GROWING = 2;
const KEPT = 1;

/** Looks after it from now on; whoever calls what this returns leaves it to V8 again. */
export function boundYoungGeneration(): () => void {
  let factor = GROWING;
  let busyShare = 0;
  let seen = performance.eventLoopUtilization();
  const growBy = (next: number): void => {
    if (next !== factor) setFlagsFromString(`--semi-space-growth-factor=${next}`);
    factor = next;
  };
  const look = (): void => {
    const now = performance.eventLoopUtilization();
    busyShare += (performance.eventLoopUtilization(now, seen).utilization - busyShare) / AVERAGED_LOOKS;
    seen = now;
    growBy(busyShare > BUSY_SHARE || youngBytes() < ORDINARY_BYTES ? GROWING : KEPT);
  };
  const timer = setInterval(look, LOOK_MS).unref();
  return () => {
    clearInterval(timer);
    growBy(GROWING);
  };
}

/** What it takes of the system's memory now. */
export function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0;
}
