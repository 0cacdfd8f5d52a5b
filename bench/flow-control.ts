// SPDX-License-Identifier: Apache-2.0

/**
 * `npm run bench -- flow-control`: how fast requests go through the flow-control core, in process, on one core. 5 000
 * requests always wait, their tenants are Zipf-distributed, an observer is attached, and each dispatched request ends
 * at once and is replaced; so a dispatch here is all of enqueue, pick, place, permit, end and five events. And how
 * fast waiting requests leave when their clients do. `--quick` runs a tenth of it.
 */

import {
  type FairnessPolicy,
  type ParameterSpecs,
  FlowController,
  type OnSettled,
  type Permit,
  type WaitingHandle,
} from '@fairlead/core';
import { globalStrictFairnessPolicy, roundRobinFairnessPolicy } from '@fairlead/core/plugins';
import { FlowControlKit, flowControlConfig, instanceOf, seededRandom } from '@fairlead/core/testing';
import { systemClock } from '../packages/fairlead/src/serve/system-clock.ts';
import { Report } from './harness/report.ts';

const SEED = 7;
const WAITING = 5_000;
const ZIPF_EXPONENT = 1.1;
const QUICK = process.argv.includes('--quick');
const DISPATCHES = QUICK ? 40_000 : 400_000;
const ROUNDS = QUICK ? 3 : 5;
const CANCELLED = 100_000;
/** Choices of tenant and priority are drawn before the clock starts; this many, then from the start again. */
const CHOICES = 1 << 16;

interface Scenario {
  readonly fairness: FairnessPolicy;
  readonly limit: number;
  readonly priorities: number;
  readonly flows: number;
}

function controllerFor({ fairness, limit, priorities }: Omit<Scenario, 'flows'>): FlowController {
  const kit = new FlowControlKit({ limit });
  const config = flowControlConfig({
    band: { fairness, maxRequests: 10_000_000 },
    config: { knownPriorities: Array.from({ length: priorities }, (_, priority) => priority) },
  });
  let events = 0;
  const observer = (): void => {
    events += 1;
  };
  return new FlowController({ config, placement: kit.placement, clock: systemClock, observer });
}

/** Draws from 0 … count − 1 with probabilities ∝ 1 / rank^exponent, by inversion of the cumulative sum. */
function zipf(count: number, random: () => number): () => number {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank += 1) sums[rank] = sum += 1 / (rank + 1) ** ZIPF_EXPONENT;
  return () => {
    const drawn = random() * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < drawn) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** Dispatches per second. */
async function dispatchRate(scenario: Scenario): Promise<number> {
  const random = seededRandom(SEED);
  const names = Array.from({ length: scenario.flows }, (_, index) => `tenant-${index}`);
  const tenants = Uint32Array.from({ length: CHOICES }, zipf(scenario.flows, random));
  const priorities = Uint8Array.from({ length: CHOICES }, () => Math.floor(random() * scenario.priorities));
  const controller = controllerFor(scenario);
  const { promise, resolve } = Promise.withResolvers<void>();
  // Tenants that come for the first time are not what a saturated hour is made of: the first quarter is not timed.
  const warm = DISPATCHES / 4;
  const total = warm + DISPATCHES;
  let startMs = 0;
  let permits: Permit[] = [];
  let sent = 0;
  let dispatched = 0;
  let ending = false;

  const submit = (): void => {
    const choice = sent++ % CHOICES;
    const fairnessId = names[tenants[choice]!]!;
    const request = { id: 'r', fairnessId, priority: priorities[choice]!, model: 'm', targetModel: 'm' };
    controller.enqueue({ ...request, sizeBytes: 1000, sequences: 1, receivedMs: 0 }, onSettled);
  };
  const endAll = (): void => {
    ending = false;
    const batch = permits;
    permits = [];
    for (const permit of batch) {
      permit.end('succeeded');
      if (dispatched < total) submit();
    }
    if (dispatched >= total) resolve();
  };
  const onSettled: OnSettled = (settled) => {
    if (!('permit' in settled)) return;
    dispatched += 1;
    if (dispatched === warm) startMs = performance.now();
    permits.push(settled.permit);
    if (ending) return;
    ending = true;
    queueMicrotask(endAll);
  };

  for (let count = 0; count < WAITING; count += 1) submit();
  await promise;
  const rate = (dispatched - warm) / ((performance.now() - startMs) / 1000);
  controller.destroy();
  for (const permit of permits.splice(0)) permit.end('succeeded');
  return rate;
}

/** Microseconds each of 100 000 waiting requests takes to leave, in an order that has nothing to do with theirs. */
function cancelCost(fairness: FairnessPolicy): number {
  const random = seededRandom(SEED);
  const controller = controllerFor({ fairness, limit: 1, priorities: 1 });
  const handles: WaitingHandle[] = [];
  for (let index = 0; index < CANCELLED; index += 1) {
    const fairnessId = `tenant-${Math.floor(random() * 1000)}`;
    const request = {
      id: 'r',
      fairnessId,
      priority: 0,
      model: 'm',
      targetModel: 'm',
      sizeBytes: 1000,
      sequences: 1,
      receivedMs: 0,
    };
    handles.push(controller.enqueue(request, () => undefined));
  }
  for (let index = handles.length - 1; index > 0; index -= 1) {
    const other = Math.floor(random() * (index + 1));
    [handles[index], handles[other]] = [handles[other]!, handles[index]!];
  }
  const startMs = performance.now();
  for (const handle of handles) handle.cancel();
  const us = ((performance.now() - startMs) * 1000) / CANCELLED;
  controller.destroy();
  return us;
}

async function rounds(measure: () => number | Promise<number>): Promise<number[]> {
  await measure();
  const all: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) all.push(await measure());
  return all;
}

const report = new Report('flow-control');
report.note(`seed ${SEED}, ${WAITING} waiting, ${DISPATCHES} dispatches a round, ${ROUNDS} rounds`);
for (const [definition, atLeast] of [
  [roundRobinFairnessPolicy, 600_000],
  [globalStrictFairnessPolicy, 300_000],
] as const) {
  const fairness = instanceOf<ParameterSpecs, FairnessPolicy>(definition);
  for (const limit of [1, 100]) {
    for (const priorities of [1, 8]) {
      const medians: number[] = [];
      for (const flows of [10, 5_000, 50_000]) {
        const all = await rounds(() => dispatchRate({ fairness, limit, priorities, flows }));
        const scenario = `${definition.type.replace('-fairness-policy', '')} limit ${limit} × ${priorities} bands × ${flows} flows`;
        report.add({ scenario, rounds: all, unit: 'dispatches/s', target: { atLeast } });
        medians.push([...all].sort((a, b) => a - b)[Math.floor(all.length / 2)]!);
      }
      const scenario = `${definition.type.replace('-fairness-policy', '')} limit ${limit} × ${priorities} bands: 50 000 ÷ 10 flows`;
      report.add({ scenario, rounds: [medians[0]! / medians[2]!], unit: '× the cost', target: { atMost: 2 } });
    }
  }
}
report.add({
  scenario: `cancel at ${CANCELLED} waiting`,
  rounds: await rounds(() => cancelCost(instanceOf(roundRobinFairnessPolicy))),
  unit: 'µs each',
  target: { atMost: 1 },
});
report.finish();
