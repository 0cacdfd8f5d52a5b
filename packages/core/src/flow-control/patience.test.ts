// SPDX-License-Identifier: Apache-2.0

/** Callers with deadlines in front of a modelled fleet, under a virtual clock. */

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { globalStrictFairnessPolicy } from '../plugins/fairness/global-strict-fairness-policy.ts';
import { roundRobinFairnessPolicy } from '../plugins/fairness/round-robin-fairness-policy.ts';
import { CheckedKits } from '../testing/checked-kits.ts';
import type { FlowControlKit } from '../testing/flow-control-kit.ts';
import { instanceOf } from '../testing/plugin-instance.ts';
import { seededRandom } from '../testing/seeded-random.ts';
import type { FairnessPolicy } from './policies.ts';

const SLOTS = 24;
const PATIENCE_MS = 5_000;
const kits = new CheckedKits();

/** Loops that ask, wait for an answer at most for their patience, and ask again; refused, when they were told to. */
class Crowd {
  readonly kit: FlowControlKit;
  readonly #random = seededRandom(7);
  readonly #flows: number;
  readonly #tellsDeadline: boolean;
  /** How long an answer takes, between these. */
  serviceMs = { min: 200, max: 300 };
  inTime = 0;
  late = 0;
  refused = 0;
  evicted = 0;

  constructor(kit: FlowControlKit, options: { flows?: number; tellsDeadline?: boolean } = {}) {
    this.kit = kit;
    this.#flows = options.flows ?? 1;
    this.#tellsDeadline = options.tellsDeadline ?? true;
  }

  start(loops: number): void {
    for (let loop = 0; loop < loops; loop += 1) this.ask(`t${loop % this.#flows}`);
  }

  ask(fairnessId: string): void {
    const { clock, controller } = this.kit;
    const startMs = clock.now();
    const deadlineMs = startMs + PATIENCE_MS;
    let leave = (): void => undefined;
    const patience = clock.at(deadlineMs, () => {
      leave();
      this.ask(fairnessId);
    });
    const again = (afterMs: number): void => {
      patience.cancel();
      clock.at(clock.now() + afterMs, () => this.ask(fairnessId));
    };
    const request = this.kit.request({ fairnessId, ...(this.#tellsDeadline && { deadlineMs }) });
    const handle = controller.enqueue(request, (settled) => {
      if (!('permit' in settled)) {
        if (settled.outcome === 'EvictedContextCancelled') return;
        if (settled.outcome === 'RejectedCapacity') this.refused += 1;
        else this.evicted += 1;
        return again(controller.retryAfterMs());
      }
      const { permit } = settled;
      const answer = clock.at(clock.now() + this.#serviceMs(), () => {
        this.inTime += 1;
        permit.end('succeeded');
        again(0);
      });
      leave = () => {
        this.late += 1;
        answer.cancel();
        permit.end('cancelled');
      };
    });
    leave = () => handle.cancel();
  }

  /** Forgets what was counted. */
  count(): void {
    this.inTime = this.late = this.refused = this.evicted = 0;
  }

  #serviceMs(): number {
    const { min, max } = this.serviceMs;
    return Math.round(min + this.#random() * (max - min));
  }
}

const crowd = (options?: { flows?: number; tellsDeadline?: boolean; fairness?: FairnessPolicy }): Crowd =>
  new Crowd(kits.start({ limit: SLOTS, ...(options?.fairness && { band: { fairness: options.fairness } }) }), options);

/** What the slots can do in a minute at 250 ms each. */
const CAPACITY_PER_MINUTE = (60_000 / 250) * SLOTS;

describe('Patience', () => {
  afterEach(() => kits.check());

  for (const [fairness, flows] of [
    [instanceOf(roundRobinFairnessPolicy), 1],
    [instanceOf(roundRobinFairnessPolicy), 3],
    [instanceOf(globalStrictFairnessPolicy), 200],
  ] as const) {
    it(`spends nearly all of the fleet on answers that come in time (${fairness.type}, ${flows} flows)`, () => {
      const callers = crowd({ fairness, flows });
      callers.start(900);
      callers.kit.clock.advance(20_000);
      callers.count();
      callers.kit.clock.advance(60_000);
      const { inTime, late, evicted, refused } = callers;
      assert.ok(inTime >= 0.9 * CAPACITY_PER_MINUTE, `${inTime} of ${CAPACITY_PER_MINUTE}, ${late} late`);
      assert.ok(late <= 0.1 * inTime, `${late} were sent and thrown away, ${inTime} were not`);
      assert.ok(refused > evicted, `${refused} were told at once, ${evicted} at their turn`);
    });
  }

  it('is worth it: without deadlines most of the fleet works for who has left', () => {
    const callers = crowd({ tellsDeadline: false });
    callers.start(900);
    callers.kit.clock.advance(80_000);
    assert.ok(callers.late > callers.inTime, `${callers.late} late, ${callers.inTime} in time`);
  });

  it('refuses nobody whom the fleet can serve in time, at once or after a while', () => {
    const callers = crowd();
    callers.start(200);
    callers.kit.clock.advance(60_000);
    assert.deepEqual({ ...callers, kit: 0, inTime: 0 }, { ...crowd(), kit: 0, inTime: 0 });
    assert.ok(callers.inTime > 0.99 * CAPACITY_PER_MINUTE);
  });

  it('refuses nobody while it has no measure of rate or answers', () => {
    const callers = crowd();
    callers.start(900);
    callers.kit.settle();
    assert.equal(callers.refused, 0);
    assert.equal(callers.kit.controller.waiting, 900 - SLOTS);
  });

  it('serves again when the fleet, slow for a while, is as quick as it was', () => {
    const callers = crowd();
    callers.start(300);
    callers.serviceMs = { min: 6_000, max: 7_000 };
    callers.kit.clock.advance(60_000);
    assert.equal(callers.inTime, 0);
    callers.serviceMs = { min: 200, max: 300 };
    callers.kit.clock.advance(30_000);
    callers.count();
    callers.kit.clock.advance(60_000);
    assert.ok(callers.inTime >= 0.9 * CAPACITY_PER_MINUTE, `${callers.inTime} in time, ${callers.late} late`);
  });

  it('does not send a request whose turn comes too late, and says so', () => {
    const kit = kits.start();
    const deadlineMs = (ms: number) => ({ deadlineMs: kit.clock.now() + ms });
    for (let count = 0; count < 20; count += 1) {
      kit.enqueue(deadlineMs(4_000));
      kit.clock.advance(400);
      kit.finishOne();
    }
    kit.enqueue();
    kit.settle();
    kit.enqueue(deadlineMs(4_000));
    kit.clock.advance(3_800);
    kit.finishOne();
    assert.equal(kit.outcomes.at(-1), 'r22 deadlineInQueue');
    assert.partialDeepStrictEqual(kit.settled.at(-1), {
      outcome: 'EvictedTTL',
      drop: { status: 429, reason: 'rejected-deadline' },
      waitMs: 3_800,
    });
  });

  it('lets a waiting stream be as late as its first token needs, not its last', () => {
    const kit = kits.start();
    for (let count = 0; count < 20; count += 1) {
      kit.enqueue({ streamed: true, deadlineMs: kit.clock.now() + 4_000 });
      kit.clock.advance(50);
      kit.permits[0]?.firstToken();
      kit.clock.advance(3_000);
      kit.finishOne();
    }
    kit.enqueue();
    kit.settle();
    kit.enqueue({ streamed: true, deadlineMs: kit.clock.now() + 4_000 });
    kit.clock.advance(3_900);
    kit.finishOne();
    assert.equal(kit.outcomes.at(-1), 'r22 dispatched');
  });

  it("goes by what a flow's own answers took: what those of another take says nothing of it", () => {
    const kit = kits.start();
    const ask = (fairnessId: string, tookMs: number): void => {
      kit.enqueue({ fairnessId, deadlineMs: kit.clock.now() + 5_000 });
      kit.clock.advance(tookMs);
      kit.finishOne();
    };
    for (let count = 0; count < 4; count += 1) ask('quick', 70);
    for (let count = 0; count < 40; count += 1) ask('slow', 4_000);
    kit.enqueue({ fairnessId: 'slow' });
    kit.settle();
    kit.enqueue({ fairnessId: 'quick', deadlineMs: kit.clock.now() + 5_000 });
    kit.enqueue({ fairnessId: 'slow', deadlineMs: kit.clock.now() + 5_000 });
    kit.clock.advance(4_000);
    kit.finishOne();
    kit.finishOne();
    assert.deepEqual(kit.outcomes.slice(-2), ['r46 dispatched', 'r47 deadlineInQueue']);
  });
});
