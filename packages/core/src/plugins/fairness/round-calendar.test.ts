// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Place, RoundCalendar } from './round-calendar.ts';

const anySteps = fc.array(
  fc.record({
    act: fc.constantFrom('enter', 'leave', 'later'),
    place: fc.nat(9),
    rounds: fc.oneof(fc.nat(3), fc.nat(200), fc.integer({ min: 1e6, max: 1e12 })),
  }),
  { maxLength: 200 },
);

test('the next is always one of the earliest round, however far apart rounds are', () => {
  fc.assert(
    fc.property(anySteps, (steps) => {
      const calendar = new RoundCalendar();
      const places = Array.from({ length: 10 }, () => new Place());
      let round = 0;
      for (const { act, place: index, rounds } of steps) {
        const place = places[index]!;
        if (act === 'enter' && place.calendar === undefined) {
          place.round = Math.max(place.round, round);
          calendar.enter(place);
        } else if (act === 'leave' && place.calendar !== undefined) calendar.leave(place);
        else if (act === 'later' && place.calendar !== undefined) {
          place.round += rounds;
          calendar.move(place);
        }
        const inside = places.filter((each) => each.calendar === calendar);
        assert.equal(calendar.isEmpty, inside.length === 0);
        const next = calendar.next;
        assert.equal(next === undefined, inside.length === 0);
        if (next === undefined) continue;
        round = Math.min(...inside.map((each) => each.round));
        assert.equal(next.round, round);
        assert.equal(calendar.round, round);
      }
    }),
  );
});

test('within a round it is first come, first served, and who moves goes to its end', () => {
  const calendar = new RoundCalendar();
  const places = Array.from({ length: 3 }, () => new Place());
  for (const place of places) calendar.enter(place);
  const order = Array.from({ length: 6 }, () => {
    const place = calendar.next!;
    calendar.move(place);
    return places.indexOf(place);
  });
  assert.deepEqual(order, [0, 1, 2, 0, 1, 2]);
});

test('one who was due before everybody else is first again, as after a while in another calendar', () => {
  const calendar = new RoundCalendar();
  const [late, early] = [new Place(), new Place()];
  late.round = 50;
  calendar.enter(late);
  early.round = 40;
  calendar.enter(early);
  assert.equal(calendar.next, early);
  calendar.leave(early);
  assert.equal(calendar.next, late);
});
