// SPDX-License-Identifier: Apache-2.0

/** The small books that the controller keeps: occupancy, wait budgets, the drain rate, deadlines. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { flowControlConfig, FlowControlKit } from '../testing/flow-control-kit.ts';
import { DrainRate } from './drain-rate.ts';
import { Occupancy } from './occupancy.ts';
import { WaitBudget } from './wait-budget.ts';

describe('Occupancy', () => {
  it('never lets in what does not fit, and is zero when everything has left', () => {
    const sizes = fc.array(fc.nat(50), { maxLength: 60 });
    fc.assert(
      fc.property(
        sizes,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 300 }),
        (all, maxRequests, maxBytes) => {
          const occupancy = new Occupancy({ maxRequests, maxBytes });
          const inside: number[] = [];
          for (const size of all) {
            if (!occupancy.fits(size)) continue;
            occupancy.add(size);
            inside.push(size);
            assert.ok(occupancy.requests <= maxRequests && occupancy.bytes <= maxBytes);
          }
          for (const size of inside) occupancy.remove(size);
          assert.deepEqual([occupancy.requests, occupancy.bytes], [0, 0]);
        },
      ),
    );
  });
});

describe('WaitBudget', () => {
  it('never outlasts the deadline of the caller, in any regime', () => {
    const times = fc.record({
      ttlMs: fc.option(fc.nat(5000), { nil: undefined }),
      deadlineMs: fc.option(fc.nat(9000), { nil: undefined }),
    });
    fc.assert(
      fc.property(times, fc.array(fc.boolean()), (fields, regimes) => {
        const kit = new FlowControlKit();
        const budget = new WaitBudget(flowControlConfig(), true, 0);
        const request = kit.request(fields);
        regimes.forEach((hasEndpoints, index) => {
          budget.change(hasEndpoints, index * 100);
          const expiresMs = budget.expiresMs({ request, enqueuedMs: 0 });
          assert.ok(expiresMs <= (fields.deadlineMs ?? Infinity));
          assert.ok(expiresMs <= (fields.ttlMs ?? Infinity));
        });
      }),
    );
  });
});

describe('expiry', () => {
  it('evicts each request at its own time, whatever the order of arrival', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 40 }), (ttls) => {
        const kit = new FlowControlKit();
        kit.enqueue({ id: 'holder' });
        kit.settle();
        for (const ttlMs of ttls) kit.enqueue({ ttlMs });
        kit.clock.advance(5000);
        const waits = kit.events.filter((event) => event.kind === 'evicted').map((event) => event.waitMs);
        assert.deepEqual(
          waits,
          [...ttls].sort((a, b) => a - b),
        );
      }),
    );
  });
});

describe('DrainRate', () => {
  it('is the mean of the last ten seconds, and of fewer when it is younger', () => {
    const rate = new DrainRate();
    for (let count = 0; count < 20; count += 1) rate.note(500);
    assert.equal(rate.perSecond(900), 20);
    assert.equal(rate.perSecond(3500), 5);
    assert.equal(rate.perSecond(12_000), 0);
  });

  it('asks a client to come back after a tenth of a second to a minute, by what waits and how fast it drains', () => {
    const rate = new DrainRate();
    assert.equal(rate.retryAfterMs(5, 0), 60_000);
    for (let second = 0; second < 10; second += 1) for (let count = 0; count < 4; count += 1) rate.note(second * 1000);
    assert.deepEqual(
      [0, 1, 40, 1000].map((waiting) => rate.retryAfterMs(waiting, 9000)),
      [100, 250, 10_000, 60_000],
    );
  });
});
