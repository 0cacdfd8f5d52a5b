// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EIGHT, played, tenant } from '../../../../test/kit/played-scenario.ts';
import { exceeded } from './compare.ts';
import { readScenario } from './load-scenario.ts';
import type { TraceRequest } from './trace.ts';

const FLOOD = `
duration: 2m
warmUp: 20s
fleet: { servers: 3, slots: 8 }
tenants:
  - { name: interactive, arrivals: { kind: even, ratePerS: 2 }, outputTokens: { tokens: 16 } }
  - { name: batch, arrivals: { loops: 100 }, outputTokens: { kind: uniform, min: 50, max: 150 } }
`;

describe('A simulation', () => {
  it('gives the same again from the same seed, and something else from another', async () => {
    const once = await played(FLOOD);
    assert.deepEqual(await played(FLOOD), once);
    assert.notDeepEqual(await played(`seed: 2\n${FLOOD}`), once);
  });

  it('keeps the fleet full and never over its capacity while one tenant floods, and the quiet one gets what it asks for', async () => {
    const result = await played(FLOOD);
    const { fleet, seconds } = result;
    assert.equal(seconds, 100);
    assert.equal(fleet.overCapacityS, 0);
    assert.equal(fleet.idleWhileWaitingS, 0);
    assert.ok((fleet.busyShare ?? 0) > 0.999, `${fleet.busyShare}`);
    const interactive = tenant(result, 'interactive');
    assert.ok(Math.abs(interactive.share - interactive.entitlement) < 0.002);
    assert.ok((interactive.waitMs.p99 ?? Infinity) < 300, `${interactive.waitMs.p99}`);
    assert.ok((tenant(result, 'batch').waitMs.p50 ?? 0) > 2000);
  });

  it('has who asks now and then wait hardly longer than where turns are counted', async () => {
    const turns = await played(
      FLOOD,
      `${EIGHT}  defaultPriorityBand: { fairnessPolicyRef: round-robin-fairness-policy }`,
    );
    const tokens = await played(FLOOD);
    const [most, least] = [tokens, turns].map((result) => tenant(result, 'interactive').waitMs.p99 ?? NaN);
    assert.ok(most! <= 1.25 * least!, `${most} ms by tokens, ${least} ms by turns`);
  });

  it('shows what it costs to serve in order of arrival', async () => {
    const before = await played(FLOOD);
    const after = await played(
      FLOOD,
      `${EIGHT}  defaultPriorityBand: { fairnessPolicyRef: global-strict-fairness-policy }`,
    );
    const limits = { maxShareLoss: 50, maxWaitGrowth: 3, maxThroughputLoss: 5 };
    assert.match(exceeded(before, after, limits).join(), /^interactive waits [\d.]+ times as long \(p99\)$/);
    assert.deepEqual(exceeded(before, before, { ...limits, maxWaitGrowth: 1 }), []);
    assert.ok(tenant(after, 'batch').maxLagTokens > 100 * tenant(before, 'batch').maxLagTokens);
  });

  for (const [whose, band] of [
    ['a higher band', '  priorityBands: [{ priority: 10 }]'],
    ['a priority that the scenario alone names', ''],
  ] as const) {
    it(`lets ${whose} go first, and entitles the lower one to the rest`, async () => {
      const result = await played(
        `
duration: 60s
warmUp: 10s
fleet: { servers: 1, slots: 4 }
tenants:
  - { name: high, priority: 10, arrivals: { kind: poisson, ratePerS: 2 } }
  - { name: low, arrivals: { loops: 50 } }
`,
        EIGHT.replace('8', '4') + band,
      );
      const [high, low] = [tenant(result, 'high'), tenant(result, 'low')];
      assert.ok(high.entitlement > 0.4 && Math.abs(high.share - high.entitlement) < 0.03, `${high.share}`);
      assert.ok(high.waitMs.p99! < 2000 && low.waitMs.p50! > 5000, `${high.waitMs.p99} and ${low.waitMs.p50} ms`);
      assert.ok(high.boundTokens !== null && low.boundTokens !== null);
    });
  }

  it('breaks what a killed server was answering, and nothing else', async () => {
    const result = await played(`
duration: 60s
fleet: { servers: 3, slots: 8 }
faults: [{ at: 20s, for: 10s, server: 2, what: kill }]
tenants: [{ name: a, arrivals: { loops: 24 } }]
`);
    const { broken, drops, requests, answered } = tenant(result, 'a');
    assert.equal(broken, 8);
    assert.deepEqual(drops, {});
    assert.ok(requests - answered - broken <= 24, 'the rest is under way');
  });

  it('finds a server again each time it is back, and loses what it was answering each time it goes', async () => {
    const result = await played(`
duration: 100s
fleet: { servers: 2, slots: 8 }
faults: [{ at: 10s, for: 80s, server: 1, what: flap, period: 20s }]
tenants: [{ name: a, arrivals: { loops: 40 } }]
`);
    const { broken, drops } = tenant(result, 'a');
    assert.equal(broken, 2 * 8, 'gone at 10 s and at 50 s, full again by then');
    assert.deepEqual(drops, {});
    assert.ok((result.fleet.busyShare ?? 0) > 0.9, `${result.fleet.busyShare}`);
  });

  it('answers later where batches slow down, and makes as many tokens fewer', async () => {
    const scenario = (slowdown: number): string => `
duration: 60s
fleet: { servers: 1, slots: 8, prefill: 0s, batchSlowdown: ${slowdown} }
tenants: [{ name: a, arrivals: { loops: 30 } }]
`;
    const [fast, slow] = [await played(scenario(0)), await played(scenario(1))];
    const factor = fast.fleet.tokensPerS / slow.fleet.tokensPerS;
    assert.ok(factor > 1.9 && factor < 2.1, `${factor}`);
  });

  it('sends prompts that begin alike to where their beginning is cached, by default and not with scorers that do not care', async () => {
    const prompts = `
duration: 2m
warmUp: 20s
fleet: { servers: 4, slots: 8, prefill: 10ms, prefillTokensPerS: 2000, prefixCacheTokens: 9000 }
tenants:
`;
    const tenants = Array.from(
      { length: 12 },
      (_, index) =>
        `  - { name: t${index}, arrivals: { kind: poisson, ratePerS: 1 }, promptTokens: { tokens: 2100 }, sharedPromptTokens: 2000, outputTokens: { tokens: 10 } }\n`,
    ).join('');
    const careless = `
plugins:
  - { type: concurrency-detector, parameters: { maxConcurrency: 8 } }
  - { type: random-picker }
schedulingProfiles: [{ name: default, plugins: [{ pluginRef: random-picker }] }]
flowControl:
  saturationDetector: { pluginRef: concurrency-detector }
`;
    const ttfts = async (configText: string): Promise<number> =>
      (await played(prompts + tenants, configText)).tenants.reduce((sum, { ttftMs }) => sum + (ttftMs.p50 ?? 0), 0) /
      12;
    const [near, anywhere] = [await ttfts(EIGHT), await ttfts(careless)];
    assert.ok(near < 200 && anywhere > 500, `${near} ms and ${anywhere} ms`);
  });

  it('lets clients give up, and sends nothing that would be too late', async () => {
    const result = await played(`
duration: 60s
warmUp: 20s
fleet: { servers: 3, slots: 8 }
tenants: [{ name: a, givesUpAfter: 5s, arrivals: { loops: 800 }, outputTokens: { tokens: 20 } }]
`);
    const { gaveUp, answered, drops, tokensPerS } = tenant(result, 'a');
    assert.ok((drops['rejected-deadline'] ?? 0) > 0);
    // 24 slots, 240 ms for each 20 tokens: nothing that was sent was thrown away.
    assert.ok(tokensPerS > 0.97 * 2000, `${tokensPerS} tokens/s`);
    assert.ok(gaveUp < answered / 5, `${gaveUp} gave up`);
  });

  it('plays every kind of arrival, size and fault', async () => {
    const arrivals = ['even', 'poisson', 'bursts', 'on-off'].map((kind) => `{ kind: ${kind}, ratePerS: 5, burst: 5 }`);
    const sizes = ['fixed', 'uniform', 'log-normal', 'heavy-tail'].map(
      (kind) => `{ kind: ${kind}, tokens: 20, max: 200 }`,
    );
    const tenants = arrivals.map(
      (how, index) =>
        `  - { name: t${index}, arrivals: ${how}, outputTokens: ${sizes[index]}, promptTokens: ${sizes[3 - index]} }\n`,
    );
    const result = await played(
      `
duration: 2m
fleet: { servers: 2, slots: 16, prefillTokensPerS: 5000, noise: 0.3, kvTokens: 4000 }
faults:
  - { at: 10s, for: 5s, server: 1, what: slow, factor: 3 }
  - { at: 30s, for: 9s, server: 2, what: stale-metrics }
tenants:\n${tenants.join('')}`,
      '',
    );
    for (const { name, answered, requests } of result.tenants) {
      assert.ok(answered > 200 && requests - answered < 60, `${name}: ${answered} of ${requests}`);
    }
    assert.ok(Math.abs(result.tenants.reduce((sum, { share }) => sum + share, 0) - 1) < 1e-9);
  });

  /** One request of each tenant, at these times, to a single server. */
  const asked = (times: Readonly<Record<string, { atMs: number; outputTokens: number }>>): TraceRequest[] =>
    Object.entries(times).map(([name, when]) => ({ tenant: name, priority: undefined, promptTokens: 10, ...when }));

  it('counts a request that has to be sent a second time as served once', async () => {
    const result = await played(
      // Nobody asks it for anything meanwhile, so that a request finds out.
      'duration: 20s\nfleet: { servers: 1, metrics: false }\nfaults: [{ at: 1s, for: 3s, server: 1, what: kill }]\n',
      EIGHT,
      asked({ refused: { atMs: 1500, outputTokens: 20 }, late: { atMs: 10_000, outputTokens: 20 } }),
    );
    assert.ok((tenant(result, 'refused').waitMs.p50 ?? 0) > 2000, 'it waits until the server is found again');
    for (const name of ['refused', 'late']) {
      assert.equal(tenant(result, name).answered, 1);
      assert.equal(tenant(result, name).share, 0.5);
    }
  });

  it('counts of a request that a killed server broke what came of it', async () => {
    const result = await played(
      'duration: 20s\nfleet: { servers: 1 }\nfaults: [{ at: 1005ms, for: 1s, server: 1, what: kill }]\n',
      EIGHT,
      // 50 ms until the first token, and 10 for each of the others.
      asked({ broken: { atMs: 0, outputTokens: 5000 }, whole: { atMs: 10_000, outputTokens: 96 } }),
    );
    assert.equal(tenant(result, 'broken').broken, 1);
    assert.equal(tenant(result, 'whole').answered, 1);
    assert.equal(tenant(result, 'broken').share, 0.5);
  });

  it('counts nothing of an answer that was broken before it began, and the prompt of one whose client left by then', async () => {
    const result = await played(
      `
duration: 20s
fleet: { servers: 1, prefill: 2s }
faults: [{ at: 1s, for: 1s, server: 1, what: kill }]
tenants: [{ name: tired, givesUpAfter: 1s, arrivals: { kind: trace } }]
`,
      EIGHT,
      asked({
        broken: { atMs: 0, outputTokens: 5 },
        tired: { atMs: 5000, outputTokens: 5 },
        whole: { atMs: 10_000, outputTokens: 10 },
      }),
    );
    assert.equal(tenant(result, 'broken').broken, 1);
    assert.equal(tenant(result, 'tired').gaveUp, 1);
    assert.deepEqual(
      ['broken', 'tired', 'whole'].map((name) => tenant(result, name).share),
      [0, 0.25, 0.75],
    );
  });

  it('plays a trace beside its own tenants, for as long as the trace is', async () => {
    const trace = Array.from({ length: 100 }, (_, index) => ({
      atMs: index * 100,
      tenant: index % 2 === 0 ? 'even' : 'odd',
      priority: undefined,
      promptTokens: 10,
      outputTokens: 5,
    }));
    const result = await played('tenants: [{ name: odd, weight: 3, arrivals: { kind: trace } }]', '', trace);
    assert.equal(result.seconds, 19.9);
    assert.deepEqual(
      result.tenants.map(({ name, weight, requests, answered, share }) => [name, weight, requests, answered, share]),
      [
        ['odd', 3, 50, 50, 0.5],
        ['even', 1, 50, 50, 0.5],
      ],
    );
  });
});

describe('A scenario', () => {
  it('is refused with everything that is wrong with it, each at its place', () => {
    const { problems = [] } = readScenario(
      'duration: 10\nfleet: { servers: 0, slotz: 3 }\ntenants: [{ name: a, arrivals: { kind: poison } }, { weight: 0 }]\n',
      'bad.yaml',
    );
    assert.deepEqual(
      problems.map(({ line, path }) => `${line} ${path}`),
      [
        '1 duration',
        '2 fleet.servers',
        '2 fleet.slotz',
        '3 tenants[0].arrivals.kind',
        '3 tenants[1].name',
        '3 tenants[1].weight',
      ],
    );
    assert.equal(problems[3]?.suggestion, 'poisson');
  });

  it('is refused when its parts contradict each other', () => {
    const { problems = [] } = readScenario(
      `
duration: 10s
warmUp: 10s
fleet: { servers: 2 }
faults: [{ at: 1s, for: 1s, server: 3, what: kill }]
tenants:
  - { name: a, outputTokens: { kind: uniform, min: 9, max: 3 } }
  - { name: a, arrivals: { kind: on-off, on: 0s, off: 0s } }
`,
      'bad.yaml',
    );
    assert.deepEqual(
      problems.map(({ path }) => path),
      ['warmUp', 'faults[0].server', 'tenants[0].outputTokens.min', 'tenants[1].name', 'tenants[1].arrivals.on'],
    );
  });
});
