// SPDX-License-Identifier: Apache-2.0

/** Time as the core takes it, from the process: monotonic, microtasks for `soon`, timers that hold no process open. */

import { performance } from 'node:perf_hooks';
import type { Clock } from '@fairlead/core';

/** The longest `setTimeout` knows; it fires at once beyond. An alarm that comes early is asked for again. */
const MAX_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  soon: queueMicrotask,
  at(timeMs, callback) {
    const delayMs = Math.min(MAX_DELAY_MS, Math.max(0, Math.ceil(timeMs - performance.now())));
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
