// SPDX-License-Identifier: Apache-2.0

/** The document of `/state`, made of plain views. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Endpoint } from '@fairlead/core';
import type { FlowControlSnapshot, FlowSnapshot } from '@fairlead/core';
import type { PoolView } from '../director/pool-view.ts';
import { assembleState, notReadyReason, withoutCredentials } from './state.ts';
import { unreloaded } from '../../../../test/kit/config-status.ts';

function flow(fairnessId: string, waiting: number): FlowSnapshot {
  return {
    fairnessId,
    waiting,
    bytes: waiting * 10,
    oldestWaitMs: 1.6,
    inFlight: 1,
    capped: false,
    throttled: false,
    parked: false,
  };
}

function snapshot(flows: readonly FlowSnapshot[], fields: Partial<FlowControlSnapshot> = {}): FlowControlSnapshot {
  const waiting = flows.reduce((sum, { waiting: count }) => sum + count, 0);
  const band = {
    priority: 0,
    fairness: 'round-robin-fairness-policy',
    ordering: 'fcfs-ordering-policy',
    promisedShare: undefined,
    recentShare: 0.98765,
    waiting,
    bytes: waiting * 10,
    maxRequests: 100,
    maxBytes: Infinity,
    ceiling: 1,
    gated: true,
    cost: 1_000,
    largestLag: 12.3,
    lagBound: undefined,
    flows,
  };
  return {
    atMs: 5_000,
    saturation: 1.23456,
    stages: { prefill: undefined, decode: 1.23456 },
    hasEndpoints: true,
    bypass: false,
    bandSelection: 'strict-band-selection-policy',
    closing: false,
    gate: { priority: 0, saturation: 1.23456, ceiling: 1, sinceMs: 3_000 },
    waiting,
    bytes: waiting * 10,
    maxRequests: Infinity,
    maxBytes: Infinity,
    inFlight: flows.length,
    heldWhileIdleMs: 0,
    retryAfterS: 3,
    bands: [band],
    ...fields,
  };
}

function endpoint(name: string): Endpoint {
  const made = new Endpoint({ name, url: `http://user:secret@${name}.test:8000/prefix?key=secret`, labels: {} });
  made.baseModels = new Set(['llama']);
  made.adapters = new Set(['ada']);
  made.noteMetrics({ waiting: 2, running: 8, kvUsage: 0.5 }, 0, 4_000);
  return made;
}

function pool(flows: readonly FlowSnapshot[], endpoints: readonly Endpoint[]): PoolView {
  return {
    name: 'llama',
    models: ['llama', 'ada'],
    detector: 'adaptive-concurrency-detector',
    endpoints: endpoints.map((one) => ({ endpoint: one, limit: Infinity })),
    snapshot: snapshot(flows),
  };
}

function assemble(pools: readonly PoolView[], endpoints: readonly Endpoint[] = []) {
  const views = endpoints.map((one) => ({ endpoint: one, limit: 8 }));
  const buffered = { bytes: 5, limitBytes: Infinity };
  return assembleState({
    version: '1',
    uptimeMs: 61_900,
    draining: false,
    bypass: false,
    buffered,
    config: unreloaded,
    pools,
    endpoints: views,
    nowMs: 4_500,
  });
}

test('pools, bands, flows and endpoints are there with what explains a wait, and endless limits are null', () => {
  const one = endpoint('gpu-1');
  const state = assemble([pool([flow('a', 3)], [one])], [one]);
  assert.deepEqual([state.schema, state.uptimeS, state.buffered], [1, 61, { bytes: 5, limitBytes: null }]);
  const [shown] = state.pools;
  assert.equal(shown?.saturation, 1.235);
  assert.deepEqual(shown?.gated, { priority: 0, saturation: 1.235, ceiling: 1, forMs: 2_000 });
  assert.deepEqual([shown?.bands[0]?.maxRequests, shown?.bands[0]?.maxBytes], [100, null]);
  assert.deepEqual(shown?.bands[0]?.share, { promised: null, recent: 0.988 });
  assert.equal(shown?.bands[0]?.flows[0]?.oldestWaitMs, 2);
  assert.deepEqual([shown?.bands[0]?.lagTokens, shown?.bands[0]?.lagBoundTokens], [12, null]);
  assert.deepEqual(shown?.endpoints[0], {
    name: 'gpu-1',
    url: 'http://gpu-1.test:8000/prefix',
    up: true,
    problem: null,
    limit: null,
    inFlight: 0,
    tokensInFlight: 0,
    waiting: 2,
    running: 8,
    kvUsage: 0.5,
    scrapeAgeMs: 500,
    models: ['llama', 'ada'],
  });
  assert.deepEqual(state.unassigned, []);
  assert.deepEqual(JSON.parse(JSON.stringify(state)), state);
});

test('of a crowd of flows the hundred with most waiting are listed and the others summed up', () => {
  const crowd = Array.from({ length: 250 }, (_, index) => flow(`t${index}`, index));
  const [band] = assemble([pool(crowd, [])]).pools[0]?.bands ?? [];
  assert.equal(band?.flows.length, 100);
  assert.equal(band?.flows[0]?.fairnessId, 't249');
  assert.deepEqual(band?.otherFlows, { count: 150, waiting: (149 * 150) / 2, inFlight: 150 });
});

test('an endpoint that is in no pool yet is shown apart, with its problem', () => {
  const lost = endpoint('gpu-2');
  lost.up = false;
  lost.problem = 'speaks no HTTP';
  const { unassigned } = assemble([], [lost]);
  assert.deepEqual([unassigned.length, unassigned[0]?.up, unassigned[0]?.problem], [1, false, 'speaks no HTTP']);
});

test('credentials in an address are shown to nobody', () => {
  assert.equal(withoutCredentials('http://u:p@host:1/a/?k=v#f'), 'http://host:1/a');
  assert.equal(withoutCredentials('http://host:1'), 'http://host:1');
  assert.equal(withoutCredentials('sk-secret'), '');
  assert.ok(!JSON.stringify(assemble([pool([], [endpoint('gpu-1')])])).includes('secret'));
});

test('it is ready once it listens and an endpoint is up, and no more when it drains', () => {
  const up = endpoint('gpu-1');
  const down = endpoint('gpu-2');
  down.up = false;
  const ready = { listening: true, draining: false, pools: [pool([], [down, up])] };
  assert.equal(notReadyReason(ready), undefined);
  assert.match(notReadyReason({ ...ready, listening: false }) ?? '', /not listening/);
  assert.match(notReadyReason({ ...ready, draining: true }) ?? '', /draining/);
  assert.match(notReadyReason({ ...ready, pools: [] }) ?? '', /models/);
  assert.match(notReadyReason({ ...ready, pools: [pool([], [down])] }) ?? '', /no endpoint is up/);
});
