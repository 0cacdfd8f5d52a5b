// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ByteBudget } from './byte-budget.ts';
import type { Reservation } from './byte-budget.ts';

describe('the byte budget', () => {
  it('reserves what fits and refuses what does not', () => {
    const budget = new ByteBudget(100);
    const first = budget.reserve(60, 'a');
    assert.ok(first);
    assert.equal(budget.reserve(41, 'b'), undefined);
    assert.ok(budget.reserve(40, 'b'));
    assert.equal(budget.used, 100);
  });

  it('grows a reservation up to the last byte and not beyond', () => {
    const budget = new ByteBudget(10);
    const reservation = budget.reserve(0, 'a');
    assert.ok(reservation);
    assert.equal(reservation.grow(10), true);
    assert.equal(reservation.grow(1), false);
    assert.equal(reservation.bytes, 10);
    assert.equal(budget.used, 10);
  });

  it('gives one holder all of it for one request, and no more than half for several', () => {
    const budget = new ByteBudget(100);
    const whole = budget.reserve(100, 'a');
    assert.ok(whole);
    whole.release();
    const [first, second] = [budget.reserve(30, 'a'), budget.reserve(0, 'a')];
    assert.ok(first && second);
    assert.equal(budget.reserve(21, 'a'), undefined);
    assert.equal(second.grow(20), true);
    assert.equal(second.grow(1), false);
    assert.ok(budget.reserve(50, 'b'), 'the other half is for others');
    first.release();
    assert.equal(budget.used, 70);
    assert.equal(second.grow(30), true, 'alone again');
  });

  it('takes a release once, and lets nothing grow after it', () => {
    const budget = new ByteBudget(10);
    const reservation = budget.reserve(4, 'a');
    assert.ok(reservation);
    reservation.release();
    reservation.release();
    assert.equal(budget.used, 0);
    assert.equal(reservation.grow(1), false);
    assert.equal(budget.used, 0);
  });

  it('refuses sizes that are no sizes', () => {
    assert.throws(() => new ByteBudget(0), /at least 1, got 0/);
    assert.throws(() => new ByteBudget(1.5), RangeError);
    const budget = new ByteBudget(10);
    assert.throws(() => budget.reserve(-1, 'a'), /non-negative integer, got -1/);
    assert.throws(() => budget.reserve(Number.NaN, 'a'), RangeError);
    assert.throws(() => budget.reserve(1, 'a')?.grow(-1), RangeError);
    assert.equal(budget.used, 1);
  });

  it('always has used what its reservations hold, and never more than it may', () => {
    const step = fc.record({
      act: fc.constantFrom('reserve', 'grow', 'release'),
      bytes: fc.nat(60),
      which: fc.nat(),
      holder: fc.constantFrom('a', 'b'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const budget = new ByteBudget(100);
        const made: Reservation[] = [];
        for (const { act, bytes, which, holder } of steps) {
          const chosen = made[which % Math.max(1, made.length)];
          if (act === 'reserve') {
            const reservation = budget.reserve(bytes, holder);
            if (reservation) made.push(reservation);
          } else if (act === 'grow') chosen?.grow(bytes);
          else chosen?.release();
          assert.equal(
            budget.used,
            made.reduce((sum, reservation) => sum + reservation.bytes, 0),
          );
          assert.ok(budget.used <= budget.maxBytes);
        }
        for (const reservation of made) reservation.release();
        assert.equal(budget.used, 0);
        for (const holder of ['a', 'b']) {
          const whole = budget.reserve(100, holder);
          assert.ok(whole, 'nothing is remembered of what was given back');
          whole.release();
        }
      }),
    );
  });
});
