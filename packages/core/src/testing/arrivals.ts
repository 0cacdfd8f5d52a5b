// SPDX-License-Identifier: Apache-2.0

/** When a tenant asks, as data. A closed loop asks again when it is told that its last request is over. */

import type { Clock, Random } from '../clock.ts';
import { drawInterval } from './draws.ts';

export interface Arrivals {
  /** `trace`: by somebody else. */
  readonly kind: 'closed-loop' | 'even' | 'poisson' | 'bursts' | 'on-off' | 'trace';
  /** Clients of a closed loop, and how long each thinks, in ms. */
  readonly loops: number;
  readonly thinkTime: number;
  /** Of all but closed loops; of `bursts` on average, of `on-off` while it is on. */
  readonly ratePerS: number;
  /** Requests that come at once (`bursts`). */
  readonly burst: number;
  /** Milliseconds of `on-off`. */
  readonly on: number;
  readonly off: number;
}

/** Asks once; `over` is called back when the answer has come, or a refusal that says after how long to ask again. */
export type Ask = (over: (againInMs: number) => void) => void;

/** Time and chance as arrivals take them. */
export interface ArrivalContext {
  readonly clock: Clock;
  readonly random: Random;
}

/** Begins to ask. */
export function startArrivals(arrivals: Arrivals, { clock, random }: ArrivalContext, ask: Ask): void {
  const { kind, loops, thinkTime, ratePerS, burst, on, off } = arrivals;
  const forget = (): void => undefined;
  const after = (delayMs: number, act: () => void): void => void clock.at(clock.now() + delayMs, act);
  const evenMs = 1000 / ratePerS;
  const again = (delayMs: () => number, times: number): void =>
    after(delayMs(), () => {
      for (let count = 0; count < times; count += 1) ask(forget);
      again(delayMs, times);
    });
  switch (kind) {
    case 'closed-loop': {
      const loop = (): void => ask((againInMs) => after(Math.max(thinkTime, againInMs), loop));
      // Clients that all began in one moment would go on in step.
      for (let count = 0; count < loops; count += 1) after(random() * Math.max(1, thinkTime), loop);
      return;
    }
    case 'trace':
      return;
    case 'even':
      return again(() => evenMs, 1);
    case 'poisson':
      return again(() => drawInterval(ratePerS, random), 1);
    case 'bursts':
      return again(() => drawInterval(ratePerS / burst, random), burst);
    case 'on-off': {
      const spell = (): void => {
        const endMs = clock.now() + on;
        const next = (): void => {
          if (clock.now() >= endMs) return after(off, spell);
          ask(forget);
          after(drawInterval(ratePerS, random), next);
        };
        next();
      };
      return after(random() * (on + off), spell);
    }
  }
}
