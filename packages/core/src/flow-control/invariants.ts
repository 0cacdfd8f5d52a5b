// SPDX-License-Identifier: Apache-2.0

/**
 * What must hold in a flow controller between any two turns, checked from scratch. Costs O(everything): for tests and
 * simulations, which call it after every step.
 */

import type { Bands } from './bands.ts';
import type { FlowController } from './flow-controller.ts';
import type { Flow, PriorityBand } from './priority-band.ts';
import { compareWaiting } from './waiting-request.ts';

/** @throws Error naming the first invariant that does not hold. */
export function checkInvariants(controller: FlowController): void {
  const parts = controller.inspect();
  const sum = { requests: 0, bytes: 0, inFlight: 0, expiring: 0 };
  for (const band of parts.waitlist.bands.ordered) {
    const flows = checkBand(band);
    sum.requests += band.occupancy.requests;
    sum.bytes += band.occupancy.bytes;
    sum.inFlight += band.inFlight;
    sum.expiring += flows.expiring;
  }
  equal('requests waiting in all bands', sum.requests, parts.waitlist.occupancy.requests);
  equal('bytes waiting in all bands', sum.bytes, parts.waitlist.occupancy.bytes);
  equal('requests in flight of all bands', sum.inFlight, parts.inFlight);
  equal('requests with a deadline', sum.expiring, parts.waitlist.deadlines.size);
  checkSelection(parts.waitlist.bands);
  holds('band 0 exists', parts.waitlist.bands.get(0) !== undefined);
  holds('bands are ordered, highest first', isDescending(parts.waitlist.bands.priorities));
  checkHeap(
    'deadline heap',
    parts.waitlist.deadlines.heaped(),
    (a, b) => a.expiresMs - b.expiresMs || a.sequence - b.sequence,
  );
  const lined = parts.waitlist.deadlines.lined();
  holds(
    'the line of deadlines is in order',
    lined.every(({ expiresMs }, index) => expiresMs >= (lined[index - 1]?.expiresMs ?? 0)),
  );
}

function checkSelection({ ordered, selection }: Bands): void {
  for (const [index, band] of ordered.entries()) {
    const name = `band ${band.priority}`;
    const contends = band.count.ready + band.count.parked > 0;
    equal(
      `${name}: is offered exactly when something of it could be sent`,
      selection.isOffered(band.contender),
      contends,
    );
    equal(`${name}: knows its place`, band.index, index);
  }
  const offered = ordered.filter(({ contender }) => selection.isOffered(contender)).length;
  equal('bands that are offered', selection.size, offered);
}

function checkBand(band: PriorityBand): { expiring: number } {
  const name = `band ${band.priority}`;
  const count = { ready: 0, parked: 0, capped: 0, throttled: 0, empty: 0 };
  const sum = { requests: 0, bytes: 0, inFlight: 0, expiring: 0, inLots: 0 };
  for (const flow of band.flows.values()) {
    count[flow.standing] += 1;
    sum.requests += flow.size;
    sum.bytes += flow.bytes;
    sum.inFlight += flow.inFlight;
    sum.expiring += checkFlow(flow, `flow ${flow.id} of ${name}`);
    if (flow.idle) holds(`flow ${flow.id} of ${name} will be looked at`, flow.lookSlot >= 0);
  }
  for (const lot of band.parking.lots()) {
    sum.inLots += lot.size;
    holds(`lot ${lot.key} of ${name} is not empty`, lot.size > 0);
    holds(`lot ${lot.key} of ${name} knows who is next`, band.next(lot)?.lot === lot);
  }
  equal(`${name}: requests`, sum.requests, band.occupancy.requests);
  equal(`${name}: bytes`, sum.bytes, band.occupancy.bytes);
  equal(`${name}: in flight`, sum.inFlight, band.inFlight);
  equal(`${name}: ready flows`, count.ready, band.count.ready);
  equal(`${name}: parked flows`, count.parked, band.count.parked);
  equal(`${name}: flows in lots`, sum.inLots, band.count.parked);
  equal(`${name}: capped flows`, count.capped, band.count.capped);
  equal(`${name}: throttled flows`, count.throttled, band.count.throttled);
  equal(`${name}: picks a flow exactly when one is ready`, band.pick() !== undefined, count.ready > 0);
  return sum;
}

function checkFlow(flow: Flow, name: string): number {
  let bytes = 0;
  let expiring = 0;
  for (const waiting of flow.values()) {
    bytes += waiting.request.sizeBytes;
    if (waiting.expirySlot >= 0) expiring += 1;
    equal(
      `${name}: a request that expires is among the deadlines`,
      waiting.expirySlot >= 0,
      waiting.expiresMs < Infinity,
    );
    holds(`${name}: its requests are its own`, waiting.flow === flow && waiting.request.fairnessId === flow.id);
  }
  equal(`${name}: bytes`, bytes, flow.bytes);
  equal(`${name}: standing is empty exactly when nothing waits`, flow.standing === 'empty', flow.size === 0);
  equal(`${name}: is in a lot exactly when parked`, flow.lot !== undefined, flow.standing === 'parked');
  holds(`${name}: in flight is not negative`, flow.inFlight >= 0);
  equal(`${name}: waits for tokens exactly when throttled`, flow.refillSlot >= 0, flow.standing === 'throttled');
  if (flow.standing === 'capped') holds(`${name}: is capped by a full cap`, flow.cap?.full === true);
  checkHeap(`${name}: queue`, flow.values(), compareWaiting);
  return expiring;
}

function checkHeap<T>(name: string, items: readonly T[], compare: (a: T, b: T) => number): void {
  for (let slot = 1; slot < items.length; slot += 1) {
    const parent = items[(slot - 1) >> 2] as T;
    holds(`${name} is ordered at slot ${slot}`, compare(parent, items[slot] as T) <= 0);
  }
}

function isDescending(numbers: readonly number[]): boolean {
  return numbers.every((number, index) => index === 0 || number < (numbers[index - 1] as number));
}

function equal<T>(what: string, actual: T, expected: T): void {
  holds(`${what}: ${String(actual)} should be ${String(expected)}`, actual === expected);
}

function holds(what: string, condition: boolean): void {
  if (!condition) throw new Error(`invariant broken: ${what}`);
}
