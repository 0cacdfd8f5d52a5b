// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { CheckedKits } from '../testing/checked-kits.ts';
import { InFlightCap } from '../request/in-flight-cap.ts';
import { type FlowControlKit, flowControlConfig } from '../testing/flow-control-kit.ts';
import { instanceOf } from '../testing/plugin-instance.ts';
import { seededRandom } from '../testing/seeded-random.ts';
import { minShareBandSelectionPolicy } from '../plugins/band-selection/min-share-band-selection-policy.ts';
import type { BandSelectionPolicy, Contender, UsageLimitPolicy } from './policies.ts';

const kits = new CheckedKits();
const start = kits.start.bind(kits);

/** Serves the lowest band first, and remembers what it was told. */
function lowestFirst(fields: Partial<BandSelectionPolicy<string[]>> = {}): BandSelectionPolicy<string[]> {
  const note =
    (what: string) =>
    (told: string[], { priority }: Contender): void => {
      told.push(`${what} ${priority}`);
    };
  return {
    type: 'test',
    name: 'lowest-first',
    newState: () => [],
    newBandState: (priority) => `of ${priority}`,
    ready: note('ready'),
    unready: note('unready'),
    passed: note('passed'),
    pick: (_told, offered) => offered.at(-1) as Contender,
    charge: (told, { priority }, cost) => void told.push(`charge ${priority} ${cost}`),
    ...fields,
  };
}

/** `lowestFirst` whose one state is at hand. */
function listening(fields: Partial<BandSelectionPolicy<string[]>> = {}): {
  readonly told: string[];
  readonly bandSelection: BandSelectionPolicy<string[]>;
} {
  const told: string[] = [];
  return { told, bandSelection: lowestFirst({ newState: () => told, ...fields }) };
}

function ceilingsOf(...given: number[]): UsageLimitPolicy {
  return {
    type: 'test',
    name: 'test',
    newState: () => undefined,
    ceilings: (_, __, out) => {
      out.set(given);
    },
  };
}

describe('The selection of bands', () => {
  afterEach(() => {
    kits.check();
  });

  it('serves the band that the policy picks, asked anew before every dispatch', () => {
    const kit = start({ config: { bandSelection: lowestFirst(), knownPriorities: [5, -5] } });
    kit.enqueue({ fairnessId: 'holder' });
    kit.settle();
    for (const priority of [5, 0, -5, 5, 0, -5]) kit.enqueue({ priority, fairnessId: `p${priority}` });
    for (let count = 0; count < 3; count += 1) kit.finishOne();
    kit.enqueue({ priority: -5, fairnessId: 'p-5' });
    for (let count = 0; count < 4; count += 1) kit.finishOne();
    assert.deepEqual(kit.dispatchedFlows.slice(1), ['p-5', 'p-5', 'p0', 'p-5', 'p0', 'p5', 'p5']);
  });

  it('tells the policy who has something to send, what was served, and who could not be', () => {
    const { told, bandSelection } = listening();
    const kit = start({ limit: 2, config: { bandSelection, knownPriorities: [5] } });
    kit.enqueue({ priority: 5, sequences: 2 });
    kit.enqueue({ priority: 0, fairnessId: 'a' });
    kit.settle();
    assert.deepEqual(told, ['ready 5', 'ready 0', 'charge 0 537', 'unready 0', 'passed 5']);
    kit.finishOne();
    assert.deepEqual(told.slice(5), ['charge 5 1049', 'unready 5']);
  });

  it('does not offer a band whose tenants are all at a limit of their own', () => {
    const { told, bandSelection } = listening();
    const kit = start({ limit: 3, config: { bandSelection, knownPriorities: [-1] } });
    const cap = new InFlightCap(1);
    for (let count = 0; count < 2; count += 1) kit.enqueue({ priority: -1, fairnessId: 'capped', cap });
    kit.enqueue({ fairnessId: 'free' });
    kit.settle();
    assert.deepEqual(told, ['ready -1', 'ready 0', 'charge -1 537', 'unready -1', 'charge 0 537', 'unready 0']);
    assert.equal(kit.controller.waiting, 1);
    kit.finishOne();
    assert.deepEqual(told.slice(6), ['ready -1', 'charge -1 537', 'unready -1']);
  });

  it('holds a gated band for itself: the others go on, above and below it', () => {
    const usageLimit = ceilingsOf(1, 0.25, 1);
    const kit = start({ limit: 4, config: { bandSelection: lowestFirst(), usageLimit, knownPriorities: [5, -5] } });
    for (const priority of [5, 0, 0, -5]) kit.enqueue({ priority, fairnessId: `p${priority}` });
    kit.settle();
    assert.deepEqual(kit.dispatchedFlows, ['p-5', 'p5']);
    const { gate, bands, bandSelection } = kit.controller.snapshot();
    assert.equal(bandSelection, 'lowest-first');
    assert.deepEqual([gate?.priority, bands.map(({ gated }) => gated)], [0, [false, true, false]]);
    assert.equal(kit.events.filter((event) => event.kind === 'gated').length, 1);
    kit.finishOne();
    kit.finishOne();
    kit.finishOne();
    assert.deepEqual(kit.dispatchedFlows.slice(2), ['p0', 'p0']);
    assert.deepEqual(
      kit.controller.snapshot().bands.map(({ gated }) => gated),
      [false, false, false],
    );
  });

  it('holds all bands when the highest ceiling is reached, and says of the highest that has something to send', () => {
    const kit = start({ limit: 2, config: { bandSelection: lowestFirst(), knownPriorities: [5, 3, -5] } });
    for (const priority of [3, -5, 0, 0]) kit.enqueue({ priority, fairnessId: `p${priority}` });
    kit.settle();
    assert.deepEqual(kit.dispatchedFlows, ['p-5', 'p0']);
    const { gate, bands } = kit.controller.snapshot();
    assert.deepEqual([gate?.priority, bands.map(({ gated }) => gated)], [3, [true, true, true]]);
  });

  it('keeps an endpoint for a wide request of a low band from the bands above it, too', () => {
    const { bandSelection } = listening();
    const kit = start({ limit: 2, config: { bandSelection, knownPriorities: [5] } });
    for (let count = 0; count < 100; count += 1) kit.enqueue({ priority: 5, fairnessId: 'small' });
    kit.settle();
    kit.enqueue({ priority: 0, fairnessId: 'wide', sequences: 2 });
    for (let count = 0; count < 40; count += 1) kit.finishOne();
    assert.ok(kit.dispatchedFlows.includes('wide'));
    while (kit.permits.length > 0) kit.finishOne();
    assert.equal(kit.controller.waiting, 0);
  });

  it('serves the highest band, and says so once, when the policy throws or picks what it was not offered', () => {
    const broken: readonly Partial<BandSelectionPolicy<string[]>>[] = [
      {
        pick: () => {
          throw new Error('no idea');
        },
      },
      { pick: () => undefined as unknown as Contender },
      { pick: () => ({ priority: 0, state: undefined }) },
    ];
    for (const fields of broken) {
      const kit = start({ config: { bandSelection: lowestFirst(fields), knownPriorities: [5] } });
      for (const priority of [0, 5, 5]) kit.enqueue({ priority, fairnessId: `p${priority}` });
      kit.settle();
      kit.finishOne();
      kit.finishOne();
      assert.deepEqual(kit.dispatchedFlows, ['p5', 'p5', 'p0']);
      const faults = kit.events.filter((event) => event.kind === 'plugin-fault');
      assert.deepEqual(
        faults.map(({ plugin, band }) => [plugin, band]),
        [['lowest-first', undefined]],
      );
    }
  });

  it('goes on when any other method of the policy throws', () => {
    for (const method of ['newBandState', 'ready', 'unready', 'passed', 'charge']) {
      const fail = (): never => {
        throw new Error('no idea');
      };
      const bandSelection = lowestFirst({ [method]: fail });
      const config = { bandSelection, usageLimit: ceilingsOf(1, 0.5), knownPriorities: [5] };
      const kit = start({ limit: 2, config });
      for (const priority of [5, 0, 5, 0]) kit.enqueue({ priority, fairnessId: `p${priority}` });
      kit.settle();
      for (let count = 0; count < 4; count += 1) kit.finishOne();
      assert.deepEqual(kit.dispatchedFlows, ['p0', 'p5', 'p5', 'p0'], method);
      assert.equal(kit.events.filter((event) => event.kind === 'plugin-fault').length, 1, method);
    }
  });

  it('goes on with what the policy remembers while it stays, and begins anew with another', () => {
    const { told, bandSelection } = listening();
    const kit = start({ config: { bandSelection, knownPriorities: [5] } });
    kit.enqueue({ fairnessId: 'holder' });
    kit.settle();
    kit.enqueue({ priority: 5 });
    kit.enqueue({ priority: 0 });
    kit.settle();
    told.length = 0;
    kit.controller.reconfigure(flowControlConfig({ config: { bandSelection, knownPriorities: [5] } }));
    kit.settle();
    assert.deepEqual(
      told.filter((each) => !each.startsWith('passed')),
      [],
    );
    const other = listening();
    kit.controller.reconfigure(
      flowControlConfig({ config: { bandSelection: other.bandSelection, knownPriorities: [5] } }),
    );
    assert.deepEqual(other.told.slice(0, 2).sort(), ['ready 0', 'ready 5']);
  });

  it('gives the lowest band its share of what requests really cost, under a flood ten times what is served', () => {
    const bandSelection = minShare([{ priority: -5, share: 0.05 }]);
    const kit = start({ endpoints: 2, limit: 8, config: { bandSelection, knownPriorities: [5, -5] } });
    const random = seededRandom(11);
    const cost = new Map([
      [5, 0],
      [-5, 0],
    ]);
    const refill = (): void => {
      for (const [priority, waiting] of [5, -5].map((each) => [each, waitingIn(kit, each)] as const)) {
        for (let count = waiting; count < (priority === 5 ? 160 : 4); count += 1) {
          kit.enqueue({ priority, fairnessId: `t${count % 7}`, sizeBytes: 40 + Math.floor(random() * 4_000) });
        }
      }
    };
    for (let count = 0; count < 20_000; count += 1) {
      refill();
      kit.clock.settle();
      const [permit] = kit.permits.splice(Math.floor(random() * kit.permits.length), 1);
      assert.ok(permit !== undefined);
      // A tenth of the answers are ten times as long as the others.
      const completionTokens = Math.floor(random() * 200) * (random() < 0.1 ? 10 : 1);
      const promptTokens = 10 + Math.floor(random() * 500);
      permit.end('succeeded', { promptTokens, completionTokens });
      if (count < 1_000) continue;
      const { priority } = permit.request;
      cost.set(priority, (cost.get(priority) ?? 0) + promptTokens + 2 * completionTokens);
    }
    const [high = 0, low = 0] = cost.values();
    const share = low / (low + high);
    assert.ok(Math.abs(share - 0.05) <= 0.05 * 0.02, `the lowest band had ${share}`);
  });

  it('settles nothing with a policy that did not charge it', () => {
    const settled: unknown[] = [];
    const settling = (name: string) =>
      lowestFirst({ name, charge: () => name, settle: (_told, _band, correction) => void settled.push(correction) });
    const [one, other] = [settling('one'), settling('other')];
    const kit = start({ limit: 2, config: { bandSelection: one } });
    kit.enqueue();
    kit.settle();
    kit.controller.reconfigure(flowControlConfig({ config: { bandSelection: other } }));
    kit.enqueue();
    kit.settle();
    for (const permit of kit.permits.splice(0)) permit.end('succeeded', { promptTokens: 1, completionTokens: 1 });
    assert.deepEqual(settled, [{ delta: 3 - 537, receipt: 'other' }]);
  });

  it('gives back what was charged for a request that was never sent', () => {
    const settled: unknown[] = [];
    const bandSelection = lowestFirst({
      charge: () => 'receipt',
      settle: (_told, _band, correction) => void settled.push(correction),
    });
    const kit = start({ config: { bandSelection } });
    kit.enqueue();
    kit.settle();
    const [permit] = kit.permits.splice(0);
    assert.ok(permit !== undefined);
    kit.controller.requeue(permit, kit.recorder(permit.request));
    assert.deepEqual(settled, [{ delta: -537, receipt: 'receipt' }]);
  });

  it('says in a snapshot what each band is promised, and what it had lately', () => {
    const bandSelection = minShare([{ priority: -5, share: 0.25 }]);
    const kit = start({ limit: 4, config: { bandSelection, knownPriorities: [5, -5] } });
    const shares = () =>
      kit.controller.snapshot().bands.map(({ promisedShare, recentShare }) => [promisedShare, recentShare]);
    assert.deepEqual(shares(), [[0, 0]]);
    for (const priority of [5, 5, 5, -5]) kit.enqueue({ priority });
    kit.settle();
    assert.deepEqual(shares(), [
      [0, 0.75],
      [0, 0],
      [0.25, 0.25],
    ]);
    for (let minutes = 0; minutes < 2; minutes += 1) {
      kit.clock.advance(31_000);
      kit.enqueue({ priority: 5, sizeBytes: 100 });
      kit.settle();
      kit.finishOne();
    }
    kit.clock.advance(31_000);
    kit.enqueue({ priority: 5 });
    kit.settle();
    assert.deepEqual(shares()[2], [0.25, 0]);
  });
});

function minShare(shares: readonly { readonly priority: number; readonly share: number }[]): BandSelectionPolicy {
  const parameters = { shares, defaultShare: 0 };
  return instanceOf(minShareBandSelectionPolicy, { parameters });
}

function waitingIn(kit: FlowControlKit, priority: number): number {
  return kit.controller.inspect().waitlist.bands.get(priority)?.occupancy.requests ?? 0;
}
