// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { LagMeter, type Metered } from './lag-meter.ts';

class Flow implements Metered {
  readonly weight: number;
  inFlight = 0;
  lagSlot = -1;
  /** What it was served by weight after each step of its spell. */
  history: number[] | undefined;

  constructor(weight: number) {
    this.weight = weight;
  }
}

const anySteps = fc.array(
  fc.record({
    act: fc.constantFrom('serve', 'serve', 'serve', 'settle', 'enter', 'leave'),
    flow: fc.nat(3),
    amount: fc.integer({ min: 1, max: 1000 }),
  }),
  { minLength: 1, maxLength: 80 },
);

/** Over every pair and every interval in which both are there. */
function largestByHand(pairs: ReadonlyMap<string, readonly number[]>): number {
  let largest = 0;
  for (const differences of pairs.values()) {
    for (const from of differences) for (const to of differences) largest = Math.max(largest, Math.abs(to - from));
  }
  return largest;
}

test('the largest lag is that over every pair of flows and every interval in which both wait', () => {
  fc.assert(
    fc.property(anySteps, (steps) => {
      const meter = new LagMeter();
      const flows = [1, 2, 4, 0.5].map((weight) => new Flow(weight));
      const served = flows.map(() => 0);
      const open = new Map<string, number[]>();
      let largest = 0;
      const note = (): void => {
        for (const [one, flow] of flows.entries()) {
          for (let other = one + 1; other < flows.length; other += 1) {
            const key = `${one} ${other}`;
            if (flow.lagSlot < 0 || flows[other]!.lagSlot < 0) open.delete(key);
            else open.set(key, [...(open.get(key) ?? []), served[one]! - served[other]!]);
          }
        }
        largest = Math.max(largest, largestByHand(open));
      };
      for (const { act, flow: index, amount } of steps) {
        const flow = flows[index]!;
        if (act === 'enter' && flow.lagSlot < 0) meter.enter(flow);
        else if (act === 'leave') meter.leave(flow);
        else if (act === 'serve') {
          served[index]! += amount / flow.weight;
          meter.charge(flow, amount);
        } else if (act === 'settle') {
          served[index]! -= amount / flow.weight;
          meter.settle(flow, -amount, -amount);
        }
        note();
      }
      assert.ok(Math.abs(meter.largestLag - largest) < 1e-6, `${meter.largestLag}, by hand ${largest}`);
    }),
  );
});

test('what the bound is made of is measured of all flows, watched or not', () => {
  const meter = new LagMeter();
  const flow = new Flow(2);
  flow.inFlight = 4;
  meter.charge(flow, 1000);
  meter.settle(flow, -300, -300);
  meter.settle(flow, 200, -100);
  assert.deepEqual([meter.largestCost, meter.largestError, meter.mostInFlight], [500, 150, 5]);
});

test('sixteen flows are watched at a time, and who leaves makes place for another', () => {
  const meter = new LagMeter();
  const flows = Array.from({ length: 18 }, () => new Flow(1));
  for (const flow of flows) meter.enter(flow);
  assert.deepEqual(
    flows.map(({ lagSlot }) => lagSlot),
    [...Array(16).keys(), -1, -1],
  );
  meter.leave(flows[3]!);
  meter.enter(flows[17]!);
  assert.equal(flows[17]!.lagSlot, 3);
});

test('a flow that waits for other endpoints is not compared with who is served meanwhile', () => {
  const meter = new LagMeter();
  const [one, other] = [new Flow(1), new Flow(1)];
  for (const flow of [one, other]) meter.enter(flow);
  meter.park(other);
  for (let count = 0; count < 10; count += 1) meter.charge(one, 100);
  assert.equal(meter.largestLag, 0);
  meter.charge(other, 100);
  meter.charge(one, 70);
  assert.equal(meter.largestLag, 70);
});

test('nobody is watched while everything is let through', () => {
  const meter = new LagMeter();
  const [one, other] = [new Flow(1), new Flow(1)];
  meter.enter(one);
  meter.pause(true);
  meter.enter(other);
  meter.charge(one, 100);
  assert.deepEqual([meter.largestLag, one.lagSlot, other.lagSlot], [0, -1, -1]);
});

test('what is settled of a dispatch before the meter began counts for the bound as well as for the lag', () => {
  const meter = new LagMeter();
  const flows = [new Flow(1), new Flow(1)];
  for (const flow of flows) meter.enter(flow);
  flows[0]!.inFlight = 3;
  meter.settle(flows[0]!, 100, 100);
  assert.deepEqual([meter.largestLag, meter.largestError, meter.mostInFlight], [100, 100, 3]);
});
