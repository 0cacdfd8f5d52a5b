// SPDX-License-Identifier: Apache-2.0

/**
 * `npm run bench -- flow-control`: how fast requests go through the flow-control core, in process, on one core. 5 000
 * requests always wait, their tenants are Zipf-distributed, an observer is attached, and each dispatched request ends
 * at once and is replaced; so a dispatch here is all of enqueue, pick, place, permit, end and five events. And how
 * fast waiting requests leave when their clients do. `--seconds` is the time the whole should take, about.
 *
 * Seconds are those of a processor, by the process's own counters, so that what others take of a shared machine is not in
 * them; what the collector and the compiler do in threads of their own is.
 */

import {
  type BandSelectionPolicy,
  type FairnessPolicy,
  FlowController,
  type OnSettled,
  type Permit,
  type WaitingHandle,
} from '@fairlead/core';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  deficitRoundRobinFairnessPolicy,
  globalStrictFairnessPolicy,
  hierarchicalFairnessPolicy,
  minShareBandSelectionPolicy,
  programAwareFairness,
  roundRobinFairnessPolicy,
  strictBandSelectionPolicy,
  virtualTokenCounterFairnessPolicy,
  weightedBandSelectionPolicy,
} from '@fairlead/core/plugins';
import { FlowControlKit, flowControlConfig, instanceOf, seededRandom } from '@fairlead/core/testing';
import { systemClock } from '../packages/fairlead/src/serve/system-clock.ts';
import type { Benchmark, BenchmarkContext } from './harness/benchmark.ts';
import { measurement } from './harness/benchmark.ts';
import { runAsMain } from './harness/run-benchmark.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const SEED = 7;
const WAITING = 5_000;
const ZIPF_EXPONENT = 1.1;
/** Rounds of each scenario; the first, in which the code is compiled, is not counted. */
const ROUNDS = 5;
const CANCELLED = 100_000;
/** Choices of tenant and priority are drawn before the clock starts; this many, then from the start again. */
const CHOICES = 1 << 16;

interface Scenario {
  readonly fairness: FairnessPolicy;
  /** Strict by default. */
  readonly bandSelection?: BandSelectionPolicy | undefined;
  readonly limit: number;
  readonly priorities: number;
  readonly flows: number;
  readonly pathOf?: ((tenant: number) => string) | undefined;
}

/** An observer that keeps what it is told, as a real one would. */
const seen = { events: 0 };

function countEvent(): void {
  seen.events += 1;
}

function controllerFor(scenario: Omit<Scenario, 'flows'>): FlowController {
  const { fairness, bandSelection = instanceOf(strictBandSelectionPolicy), limit, priorities } = scenario;
  const kit = new FlowControlKit({ limit });
  const config = flowControlConfig({
    band: { fairness, maxRequests: 10_000_000 },
    config: { bandSelection, knownPriorities: Array.from({ length: priorities }, (_, priority) => priority) },
  });
  return new FlowController({ config, placement: kit.placement, clock: systemClock, observer: countEvent });
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

/** Seconds of processor time that this process has taken. */
function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Dispatches per second. */
async function dispatchRate(scenario: Scenario, dispatches: number): Promise<number> {
  const random = seededRandom(SEED);
  const names = Array.from({ length: scenario.flows }, (_, index) => `tenant-${index}`);
  const { pathOf } = scenario;
  const paths = pathOf && Array.from({ length: scenario.flows }, (_, index) => pathOf(index));
  const tenants = Uint32Array.from({ length: CHOICES }, zipf(scenario.flows, random));
  const priorities = Uint8Array.from({ length: CHOICES }, () => Math.floor(random() * scenario.priorities));
  const controller = controllerFor(scenario);
  const { promise, resolve } = Promise.withResolvers<void>();
  // Tenants that come for the first time are not what a saturated hour is made of: the first quarter is not timed.
  const warm = dispatches / 4;
  const total = warm + dispatches;
  let start = 0;
  let permits: Permit[] = [];
  let sent = 0;
  let dispatched = 0;
  let ending = false;

  const submit = (): void => {
    const choice = sent++ % CHOICES;
    const fairnessId = names[tenants[choice]!]!;
    const fairnessPath = paths?.[tenants[choice]!];
    const request = { id: 'r', fairnessId, fairnessPath, priority: priorities[choice]!, model: 'm', targetModel: 'm' };
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
    if (dispatched === warm) start = processorSeconds();
    permits.push(settled.permit);
    if (ending) return;
    ending = true;
    queueMicrotask(endAll);
  };

  for (let count = 0; count < WAITING; count += 1) submit();
  await promise;
  const rate = (dispatched - warm) / (processorSeconds() - start);
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
  // What building the backlog left behind is not the cancellations' to pay.
  collectGarbage();
  const start = processorSeconds();
  for (const handle of handles) handle.cancel();
  const us = ((processorSeconds() - start) * 1e6) / CANCELLED;
  controller.destroy();
  return us;
}

async function rounds(measure: () => number | Promise<number>): Promise<number[]> {
  await measure();
  const all: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) all.push(await measure());
  return all;
}

interface Policy {
  readonly name: string;
  readonly fairness: FairnessPolicy;
  readonly bandSelection?: BandSelectionPolicy;
  /** Numbers of bands; all of `PRIORITIES` by default. */
  readonly priorities?: readonly number[];
  readonly atLeast: number;
  /** Where a tenant stands; nowhere without it. */
  readonly pathOf?: (tenant: number) => string;
}

function hierarchical(): FairnessPolicy {
  return instanceOf(hierarchicalFairnessPolicy, { others: [instanceOf(virtualTokenCounterFairnessPolicy)] });
}

/** Ten organisations of ten teams each. */
function threeLevels(tenant: number): string {
  return `org-${tenant % 10}/team-${Math.floor(tenant / 10) % 10}/tenant-${tenant}`;
}

const POLICIES: readonly Policy[] = [
  { name: 'round-robin', fairness: instanceOf(roundRobinFairnessPolicy), atLeast: 600_000 },
  { name: 'global-strict', fairness: instanceOf(globalStrictFairnessPolicy), atLeast: 300_000 },
  { name: 'deficit-round-robin', fairness: instanceOf(deficitRoundRobinFairnessPolicy), atLeast: 350_000 },
  { name: 'virtual-token-counter', fairness: instanceOf(virtualTokenCounterFairnessPolicy), atLeast: 350_000 },
  { name: 'program-aware', fairness: instanceOf(programAwareFairness), atLeast: 350_000 },
  { name: 'hierarchical', fairness: hierarchical(), atLeast: 350_000, pathOf: threeLevels },
  {
    name: 'weighted-bands',
    fairness: instanceOf(roundRobinFairnessPolicy),
    bandSelection: instanceOf(weightedBandSelectionPolicy),
    priorities: [8],
    atLeast: 350_000,
  },
  {
    name: 'min-share-bands',
    fairness: instanceOf(roundRobinFairnessPolicy),
    bandSelection: instanceOf(minShareBandSelectionPolicy),
    priorities: [8],
    atLeast: 350_000,
  },
];
const LIMITS = [1, 100];
const PRIORITIES = [1, 8];
const FLOWS = [10, 5_000, 50_000];
/** Dispatches of a round in a run of the default length, and that length. */
const FULL_DISPATCHES = 400_000;
const FULL_SECONDS = 100;

function groupName(policy: Policy, limit: number, priorities: number): string {
  return `${policy.name}/limit-${limit}/priorities-${priorities}`;
}

/** Policies × limits × priorities: what the numbers of flows are compared within. */
const GROUPS = POLICIES.flatMap((policy) =>
  LIMITS.flatMap((limit) =>
    (policy.priorities ?? PRIORITIES).map((priorities) => ({
      policy,
      limit,
      priorities,
      name: groupName(policy, limit, priorities),
    })),
  ),
);

const flowControl: Benchmark = {
  name: 'flow-control',
  summary:
    'Dispatches a second of one core through the flow-control core in process, and the cost of a cancelled wait.',
  seconds: FULL_SECONDS,
  scenarios: [...POLICIES.map(({ name }) => name), 'cancel'],
  targets: [
    ...GROUPS.flatMap(({ name, policy }) => [
      ...FLOWS.map((flows) => ({ scenario: `${name}/flows-${flows}`, atLeast: policy.atLeast })),
      { scenario: `${name}/cost-of-50000-to-10`, atMost: 2 },
    ]),
    { scenario: 'cancel/100000-waiting', atMost: 1 },
  ],
  async run(context) {
    context.say(`seed ${SEED}, ${WAITING} waiting, ${ROUNDS} rounds`);
    for (const group of GROUPS) if (context.wants(group.policy.name)) await measureGroup(context, group);
    if (!context.wants('cancel') || context.stop.aborted) return;
    const costs = await rounds(() => cancelCost(instanceOf(roundRobinFairnessPolicy)));
    context.report(measurement('cancel/100000-waiting', 'µs each', costs));
  },
};

async function measureGroup(context: BenchmarkContext, group: (typeof GROUPS)[number]): Promise<void> {
  const { policy, limit, priorities, name } = group;
  const dispatches = Math.max(8_000, Math.round((FULL_DISPATCHES * context.seconds) / FULL_SECONDS / 4) * 4);
  const medians: number[] = [];
  for (const flows of FLOWS) {
    if (context.stop.aborted) return;
    const { fairness, bandSelection, pathOf } = policy;
    const scenario = { fairness, bandSelection, limit, priorities, flows, pathOf };
    const rates = await rounds(() => dispatchRate(scenario, dispatches));
    const measured = measurement(`${name}/flows-${flows}`, 'dispatches/s', rates);
    context.report(measured);
    medians.push(measured.value);
  }
  context.report(measurement(`${name}/cost-of-50000-to-10`, 'times', [medians[0]! / medians.at(-1)!]));
}

await runAsMain(flowControl);
