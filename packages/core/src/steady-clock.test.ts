// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Clock } from './clock.ts';
import { FlowController } from './flow-control/flow-controller.ts';
import { checkInvariants } from './flow-control/invariants.ts';
import { SteadyClock } from './steady-clock.ts';
import { FlowControlKit, flowControlConfig } from './testing/flow-control-kit.ts';
import { VirtualClock } from './testing/virtual-clock.ts';

/** Virtual time that is read with an error on top, and jumps with it. */
class JumpyClock implements Clock {
  readonly time = new VirtualClock(1_000_000);
  #errorMs = 0;
  /** The last that was a number: alarms are set by it. */
  #knownErrorMs = 0;

  set errorMs(errorMs: number) {
    this.#errorMs = errorMs;
    if (Number.isFinite(errorMs)) this.#knownErrorMs = errorMs;
  }

  now(): number {
    return this.time.now() + this.#errorMs;
  }

  soon(callback: () => void): void {
    this.time.soon(callback);
  }

  at(timeMs: number, callback: () => void) {
    return this.time.at(timeMs - this.#knownErrorMs, callback);
  }
}

function start() {
  const source = new JumpyClock();
  const jumped: number[] = [];
  const clock = new SteadyClock({ source, onJump: (byMs) => jumped.push(byMs) });
  clock.start();
  return { source, clock, jumped };
}

describe('a steady clock', () => {
  it('goes as its source goes', () => {
    const { source, clock, jumped } = start();
    const beginMs = clock.now();
    source.time.advance(3_600_000);
    assert.equal(clock.now() - beginMs, 3_600_000);
    assert.deepEqual(jumped, []);
  });

  it('goes on from where it was when its source goes back, or gives no number', () => {
    const { source, clock, jumped } = start();
    source.time.advance(500);
    const beforeMs = clock.now();
    source.errorMs = -60_000;
    assert.equal(clock.now(), beforeMs);
    source.time.advance(100);
    assert.equal(clock.now(), beforeMs + 100);
    source.errorMs = NaN;
    assert.equal(clock.now(), beforeMs + 100);
    assert.deepEqual(jumped, [-60_000, NaN]);
    assert.deepEqual(clock.jumps, { forward: 0, back: 2 });
  });

  it('takes time in which nothing ran as none', () => {
    const { source, clock, jumped } = start();
    source.time.advance(500);
    const beforeMs = clock.now();
    source.errorMs = 120_000;
    assert.equal(clock.now(), beforeMs);
    source.time.advance(20_000);
    assert.equal(clock.now(), beforeMs + 20_000);
    assert.deepEqual([jumped, clock.jumps.forward], [[120_000], 1]);
  });

  it('rings no alarm before its time, also when time stood still meanwhile', () => {
    const { source, clock } = start();
    let rungMs: number | undefined;
    const setMs = clock.now();
    clock.at(setMs + 5_000, () => (rungMs = clock.now()));
    clock.at(setMs + 5_000, () => assert.fail('it was cancelled')).cancel();
    source.time.advance(1_500);
    source.errorMs = 60_000;
    source.time.advance(3_400);
    assert.equal(rungMs, undefined);
    // With the jump goes what has passed since the last beat, a second at most.
    source.time.advance(1_200);
    assert.ok(rungMs !== undefined && rungMs >= setMs + 4_999 && rungMs < setMs + 5_100, `${rungMs}`);
  });

  it('leaves no alarm behind when it is stopped', () => {
    const { source, clock } = start();
    clock.stop();
    assert.equal(source.time.pendingAlarms, 0);
  });

  it('never goes back, and keeps a flow controller whole, whatever its source does', () => {
    const step = fc.oneof(
      fc.record({ advanceMs: fc.constantFrom(1, 400, 1_500) }),
      fc.record({ errorMs: fc.constantFrom(0, -1e9, 1e9, 5, -5, 86_400_000, NaN, Infinity) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { source, clock } = start();
        const kit = new FlowControlKit();
        const config = flowControlConfig({ config: { defaultRequestTtlMs: 30_000 } });
        const controller = new FlowController({ config, placement: kit.placement, clock });
        let lastMs = clock.now();
        const beginMs = lastMs;
        let advancedMs = 0;
        for (const each of steps) {
          if ('errorMs' in each) source.errorMs = each.errorMs;
          else {
            source.time.advance(each.advanceMs);
            advancedMs += each.advanceMs;
          }
          const nowMs = clock.now();
          assert.ok(nowMs >= lastMs, `${nowMs} after ${lastMs}`);
          assert.ok(nowMs - beginMs <= advancedMs + 5 * steps.length, 'a jump was passed on');
          lastMs = nowMs;
          const request = kit.request({ receivedMs: nowMs });
          controller.enqueue(request, kit.recorder(request));
          source.time.settle();
          checkInvariants(controller);
        }
        controller.destroy();
        for (const permit of kit.permits.splice(0)) permit.end('succeeded');
        clock.stop();
      }),
      { numRuns: 100 },
    );
  });
});
