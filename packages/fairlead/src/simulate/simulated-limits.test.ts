// SPDX-License-Identifier: Apache-2.0

/** What a configuration gives tenants and asks of servers counts in a simulation as in production. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SimulationResult } from './result.ts';
import { EIGHT, played, tenant } from '../../../../test/kit/played-scenario.ts';

describe('The limits of a configuration', () => {
  const sha256 = (letter: string): string => letter.repeat(64);

  it('on tokens a minute and requests in flight hold a tenant in the queue, whichever of its entries names them', async () => {
    const result = await played(
      `
duration: 10m
warmUp: 2m
fleet: { servers: 1, slots: 8, metrics: false }
tenants:
  - { name: by-tenant, arrivals: { loops: 4 }, promptTokens: { tokens: 20 }, outputTokens: { tokens: 80 }, saysMaxTokens: true }
  - { name: by-key, arrivals: { loops: 4 }, promptTokens: { tokens: 20 }, outputTokens: { tokens: 80 }, saysMaxTokens: true }
  - { name: capped, arrivals: { loops: 8 } }
  - { name: free, arrivals: { loops: 8 } }
`,
      `${EIGHT}
identity:
  tenants:
    - { tenant: by-tenant, tokensPerMinute: 3000, burstTokens: 300 }
    - { tenant: capped, maxInFlight: 1 }
  keys:
    - { sha256: ${sha256('a')}, tenant: by-key, tokensPerMinute: 6000 }
    - { sha256: ${sha256('b')}, tenant: by-key, tokensPerMinute: 900000, burstTokens: 600 }
`,
    );
    // Of a hundred tokens each: thirty and sixty a minute, for eight minutes; four had been asked for before.
    const answered = (name: string): number => tenant(result, name).answered;
    assert.ok(Math.abs(answered('by-tenant') - 8 * 30) <= 5, `${answered('by-tenant')}`);
    assert.ok(Math.abs(answered('by-key') - 8 * 60) <= 5, `${answered('by-key')}`);
    assert.equal(result.fleet.idleWhileWaitingS, 0, 'who is held back does not wait for a slot');
    // One at a time, 1.04 s each, all the time; the rest is for who may have it.
    assert.ok(answered('capped') <= 480 / 1.04 + 1 && answered('capped') > 400, `${answered('capped')}`);
    assert.ok(answered('free') > 2 * answered('capped'), `${answered('free')}`);
    // Nor is anybody entitled to more than that.
    for (const { name, share, entitlement } of result.tenants) {
      assert.ok(Math.abs(share - entitlement) < 0.01, `${name}: ${share} of ${entitlement}`);
    }
  });

  it('hold back who is neither idled by others nor behind them', async () => {
    const result = await played(
      `
duration: 2m
fleet: { servers: 1, slots: 8 }
tenants:
  - { name: capped, arrivals: { loops: 8 } }
  - { name: thrifty, arrivals: { loops: 8 } }
  - { name: free, weight: 4, arrivals: { loops: 4 } }
`,
      `${EIGHT}
identity: { tenants: [{ tenant: capped, maxInFlight: 1 }, { tenant: thrifty, tokensPerMinute: 100 }] }
`,
    );
    assert.ok((result.fleet.busyShare ?? 1) < 0.8, 'slots are free');
    assert.equal(result.fleet.idleWhileWaitingS, 0);
    for (const { name, maxLagTokens, boundTokens } of result.tenants) {
      assert.ok(maxLagTokens <= boundTokens!, `${name}: ${maxLagTokens} of ${boundTokens}`);
    }
  });

  it('give tenants their priorities, weights and places in a hierarchy', async () => {
    const loops = (names: readonly string[]): string =>
      names.map((name) => `  - { name: ${name}, arrivals: { loops: 20 } }\n`).join('');
    const result = await played(
      `duration: 4m\nwarmUp: 20s\nfleet: { servers: 1 }\ntenants:\n${loops(['one', 'two', 'light', 'org/other'])}`,
      `
plugins:
  - { type: concurrency-detector, parameters: { maxConcurrency: 8 } }
  - { type: hierarchical-fairness-policy }
flowControl:
  saturationDetector: { pluginRef: concurrency-detector }
  defaultPriorityBand: { fairnessPolicyRef: hierarchical-fairness-policy }
fairness: { weights: [{ glob: 'li*', weight: 0.5 }] }
identity:
  tenants: [{ tenant: one, path: org, weight: 3 }, { tenant: two, path: org }]
`,
    );
    const shares = ['one', 'two', 'org/other', 'light'].map((name) => tenant(result, name).share);
    // Of `org`, which is one among two, 3 : 1 : 1.
    for (const [index, due] of [2 / 5, 2 / 15, 2 / 15, 1 / 3].entries()) {
      assert.ok(Math.abs(shares[index]! - due) < 0.01, shares.join());
    }
    for (const { name, entitlement } of result.tenants) {
      const due = { one: 2 / 5, two: 2 / 15, 'org/other': 2 / 15 }[name] ?? 1 / 3;
      assert.ok(Math.abs(entitlement - due) < 1e-9, `${name} is entitled to ${entitlement}`);
    }
  });

  it('on times to first token end requests whose server takes longer', async () => {
    const result = await played(
      'duration: 20s\nfleet: { servers: 1, prefill: 3s }\n',
      `${EIGHT}gateway: { firstByteTimeout: 2s }\n`,
      Array.from({ length: 4 }, () => ({
        tenant: 'a',
        atMs: 0,
        priority: undefined,
        promptTokens: 10,
        outputTokens: 5,
      })),
    );
    const { broken, answered, waitMs } = tenant(result, 'a');
    assert.deepEqual({ broken, answered, wait: waitMs.p99 }, { broken: 4, answered: 0, wait: 0 });
  });

  it('share among bands as their selection does', async () => {
    const scenario = `
duration: 2m
warmUp: 10s
fleet: { servers: 1, slots: 8 }
tenants:
  - { name: high, priority: 10, arrivals: { loops: 20 } }
  - { name: low, arrivals: { loops: 20 } }
  - { name: idle, priority: -5, arrivals: { loops: 1, thinkTime: 10s } }
`;
    const under = async (type: string, parameters: string): Promise<SimulationResult> =>
      played(
        scenario,
        `
plugins:
  - { type: concurrency-detector, parameters: { maxConcurrency: 8 } }
  - { type: ${type}, parameters: ${parameters} }
flowControl:
  saturationDetector: { pluginRef: concurrency-detector }
  bandSelectionPolicyRef: ${type}
  priorityBands: [{ priority: 10 }, { priority: -5 }]
`,
      );
    const weights = '{ weights: [{ priority: 10, weight: 3 }] }';
    const shares = '{ shares: [{ priority: 0, share: 0.3 }], defaultShare: 0.2 }';
    for (const [result, low] of [
      [await under('weighted-band-selection-policy', weights), 0.25],
      [await under('min-share-band-selection-policy', shares), 0.3],
      [await under('strict-band-selection-policy', '{}'), 0],
    ] as const) {
      assert.ok(Math.abs(tenant(result, 'low').share - low) < 0.02, `${tenant(result, 'low').share} of ${low}`);
      for (const { name, share, entitlement } of result.tenants) {
        assert.ok(Math.abs(share - entitlement) < 0.02, `${name}: ${share} of ${entitlement}`);
      }
    }
  });

  it('set a server aside that is far slower than its pool, unless that is off', async () => {
    const scenario = `
duration: 5m
fleet: { servers: 3, slots: 8 }
faults: [{ at: 10s, for: 5m, server: 2, what: slow, factor: 100 }]
tenants: [{ name: a, arrivals: { loops: 30 }, outputTokens: { tokens: 20 }, ttftGoal: 1s }]
`;
    const late = async (outlierDetection: string): Promise<number> => {
      const { answered, requests, goodput } = tenant(await played(scenario, `${EIGHT}\n${outlierDetection}\n`), 'a');
      return answered - Math.round(goodput * requests);
    };
    const [on, off] = [
      await late('outlierDetection: { baseEjectionTime: 5m }'),
      await late('outlierDetection: { enabled: false }'),
    ];
    // Its median is of the last 32: when most of those are late it is out, and what it has by then may come.
    assert.ok(on > 16 && on <= 32, `${on} late ones`);
    assert.ok(off > 80, `${off} late ones`);
  });
});
