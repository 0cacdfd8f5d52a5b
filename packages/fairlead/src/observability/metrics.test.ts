// SPDX-License-Identifier: Apache-2.0

/** The page as a monitoring system reads it: after real traffic through a real controller, and under hostile labels. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Endpoint, FlowController, Pool, PoolPlacement } from '@fairlead/core';
import type { FlowEvent, InferenceRequest, Permit, Settled, WaitingHandle } from '@fairlead/core';
import { concurrencyDetector } from '@fairlead/core/plugins';
import { VirtualClock, flowControlConfig, instanceOf, modelEndpoint, seededRandom } from '@fairlead/core/testing';
import { poolView } from '../director/pool-view.ts';
import type { RequestReport } from '../director/request-report.ts';
import { createMetrics } from './metrics.ts';
import type { Metrics, MetricsSources } from './metrics.ts';
import { unreloaded } from '../../../../test/kit/config-status.ts';

/** Series by `name{sorted labels}`. Fails on whatever a monitoring system would refuse: a line it cannot read, a series twice. */
function read(page: string): Map<string, number> {
  const series = new Map<string, number>();
  const heads = new Set<string>();
  assert.ok(page.endsWith('\n'));
  for (const line of page.split('\n')) {
    if (line === '') continue;
    if (line.startsWith('#')) {
      assert.match(line, /^# (HELP|TYPE) [a-z_]+ \S/);
      const head = line.split(' ', 3).join(' ');
      assert.ok(!heads.has(head), `twice: ${head}`);
      heads.add(head);
      continue;
    }
    const [, name = '', labels = '', value = ''] =
      /^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$/.exec(line) ?? [];
    assert.notEqual(name, '', `not readable: ${line}`);
    const pairs = [...labels.matchAll(/[a-z_]+="(?:[^"\\]|\\.)*"/g)].map(([pair]) => pair).sort();
    const key = `${name}{${pairs.join(',')}}`;
    assert.ok(!series.has(key), `twice: ${key}`);
    const number = value === '+Inf' ? Infinity : Number(value);
    assert.ok(!Number.isNaN(number), line);
    series.set(key, number);
  }
  return series;
}

function sum(series: Map<string, number>, name: string, ...labels: string[]): number {
  let total = 0;
  for (const [key, value] of series) {
    if (key.startsWith(`${name}{`) && labels.every((label) => key.includes(label))) total += value;
  }
  return total;
}

function start(sources: Partial<MetricsSources> = {}): Metrics {
  return createMetrics({
    pools: () => [],
    endpoints: () => [],
    ejections: () => [],
    nowMs: () => 0,
    bypass: () => false,
    clockJumps: () => ({ forward: 0, back: 0 }),
    buffered: () => ({ bytes: 0, limitBytes: 1024 }),
    config: () => unreloaded,
    version: '1.2.3',
    ...sources,
  });
}

let requestNumber = 0;

function request(fields: Partial<InferenceRequest> = {}): InferenceRequest {
  requestNumber += 1;
  const base = { id: `r${requestNumber}`, fairnessId: 'a', priority: 0, model: 'm', targetModel: 'm' };
  return { ...base, sizeBytes: 100, sequences: 1, receivedMs: 0, ...fields };
}

const server = new Endpoint({ name: 'e1', url: 'http://e1.test', labels: {} });

/** The events of one request that goes through. */
function passThrough(metrics: Metrics, some: InferenceRequest, pool = 'm'): void {
  const usage = { promptTokens: 10, completionTokens: 5 };
  const common = { request: some, band: 0, atMs: 1 };
  metrics.observe(pool, { kind: 'enqueued', ...common });
  metrics.observe(pool, { kind: 'dispatched', ...common, endpoint: server, waitMs: 20 });
  metrics.observe(pool, {
    kind: 'ended',
    ...common,
    endpoint: server,
    ending: 'succeeded',
    usage,
    sinceReceivedMs: 500,
  });
}

/** A controller on virtual time with two endpoints of two sequences each, observed by metrics. */
function observedController() {
  const clock = new VirtualClock();
  const pool = new Pool('m');
  const endpoints = ['e1', 'e2'].map(modelEndpoint);
  pool.setEndpoints(endpoints);
  const detector = instanceOf(concurrencyDetector, { parameters: { maxConcurrency: 2 } });
  const chooser = { schedule: (_: InferenceRequest, candidates: readonly Endpoint[]) => candidates };
  const placement = new PoolPlacement({ pool, detector, chooser, clock });
  const events: FlowEvent[] = [];
  const metrics = start({
    pools: () => [poolView({ pool, flowControl: controller.snapshot(), limitOf: () => 2, detector: detector.name })],
    endpoints: () => endpoints.map((endpoint) => ({ endpoint, limit: 2 })),
    nowMs: () => clock.now(),
  });
  const controller = new FlowController({
    config: flowControlConfig({
      band: { maxRequests: 40, maxBytes: 1e9 },
      config: { maxRequests: 60, defaultRequestTtlMs: 5_000, knownPriorities: [1] },
    }),
    placement,
    clock,
    observer: (event) => {
      events.push(event);
      metrics.observe('m', event);
    },
  });
  return { clock, pool, controller, metrics, events };
}

test('after a thousand requests with every ending, gauges are exactly zero and counters add up', async () => {
  const { clock, controller, metrics, events } = observedController();
  const random = seededRandom(7);
  const permits: Permit[] = [];
  const handles: WaitingHandle[] = [];
  let settled = 0;
  const onSettled = (outcome: Settled): void => {
    settled += 1;
    if (outcome.outcome === 'Dispatched') permits.push(outcome.permit);
  };
  for (let index = 0; index < 1_000; index += 1) {
    const fields = { fairnessId: `t${Math.floor(random() * 8)}`, priority: Math.floor(random() * 3), sizeBytes: index };
    handles.push(controller.enqueue(request({ ...fields, receivedMs: clock.now() }), onSettled));
    clock.advance(random() * 60);
    if (random() < 0.3) handles[Math.floor(random() * handles.length)]?.cancel();
    const permit = random() < 0.7 ? permits.shift() : undefined;
    const dice = random();
    if (permit !== undefined && dice < 0.1) {
      settled -= 1;
      controller.requeue(permit, onSettled);
    } else permit?.end(dice < 0.2 ? 'failed' : dice < 0.3 ? 'cancelled' : 'succeeded', { completionTokens: 3 });
  }
  while (settled < 1_000 || permits.length > 0) {
    permits.shift()?.end('succeeded');
    clock.advance(100);
  }
  const series = read(await metrics.render());
  metrics.close();
  for (const gauge of ['flow_control_queue_size', 'flow_control_queue_bytes', 'request_running']) {
    for (const [key, value] of series) if (key.startsWith(`llm_d_epp_${gauge}{`)) assert.equal(value, 0, key);
  }
  const count = (kind: FlowEvent['kind']): number => events.filter((event) => event.kind === kind).length;
  assert.equal(sum(series, 'llm_d_epp_request_total'), 1_000);
  assert.ok(count('requeued') > 0 && count('evicted') > 0 && count('rejected') > 0);
  assert.equal(sum(series, 'fairlead_requeued_total'), count('requeued'));
  assert.equal(sum(series, 'fairlead_priority_unknown_total'), count('priority-unknown'));
  const endings = sum(series, 'llm_d_epp_flow_control_requests_total');
  assert.equal(sum(series, 'llm_d_epp_flow_control_request_queue_duration_seconds_count'), endings);
  const undone = events.filter((event) => event.kind === 'evicted' && event.cause !== 'cancelled').length;
  assert.ok(endings >= 1_000 && endings <= 1_000 + count('requeued'), `${endings} endings, ${undone} undone`);
  assert.equal(
    sum(series, 'llm_d_epp_request_duration_seconds_count'),
    events.filter((event) => event.kind === 'ended' && event.ending === 'succeeded').length,
  );
  assert.equal(sum(series, 'fairlead_endpoint_in_flight'), 0);
  assert.equal(sum(series, 'fairlead_endpoint_tokens_in_flight'), 0);
  controller.destroy();
});

test('what waits shows while it waits, with the band, the gate and the capacity that explain it', async () => {
  const { clock, controller, metrics } = observedController();
  for (let index = 0; index < 7; index += 1) controller.enqueue(request({ fairnessId: 'acme' }), () => undefined);
  clock.advance(2_500);
  const series = read(await metrics.render());
  metrics.close();
  const flow = 'fairness_id="acme",inference_pool="m",model_name="m",priority="0",target_model_name="m"';
  assert.equal(series.get(`llm_d_epp_flow_control_queue_size{${flow}}`), 3);
  assert.equal(series.get(`llm_d_epp_flow_control_queue_bytes{${flow}}`), 300);
  assert.equal(series.get('fairlead_oldest_wait_seconds{pool="m",tenant="acme"}'), 2.5);
  const saturation = (stage: string) =>
    series.get(`llm_d_epp_flow_control_pool_saturation{inference_pool="m",stage="${stage}"}`);
  assert.deepEqual(['prefill', 'decode', 'effective'].map(saturation), [undefined, 1, 1]);
  assert.equal(sum(series, 'fairlead_endpoint_tokens_in_flight'), 100);
  assert.equal(series.get('fairlead_band_gated{pool="m",priority="0"}'), 1);
  assert.equal(series.get('fairlead_band_ceiling{pool="m",priority="0"}'), 1);
  assert.equal(
    series.get('llm_d_epp_flow_control_capacity_utilization_requests{inference_pool="m",priority="0"}'),
    3 / 40,
  );
  assert.equal(series.get('llm_d_epp_flow_control_global_capacity_utilization_requests{inference_pool="m"}'), 3 / 60);
  assert.equal(sum(series, 'llm_d_epp_flow_control_global_capacity_utilization_bytes'), 0);
  assert.equal(series.get('fairlead_endpoint_limit{endpoint="e1"}'), 2);
  assert.equal(series.get('llm_d_epp_ready_endpoints{name="m"}'), 2);
  assert.equal(series.get('llm_d_epp_flow_control_stale_endpoints{detector="concurrency-detector"}'), 2);
  controller.destroy();
});

test('histogram lines add up from bucket to bucket and say what was observed', async () => {
  const metrics = start();
  passThrough(metrics, request({ sizeBytes: 70 }));
  passThrough(metrics, request({ sizeBytes: 5e9 }));
  const series = read(await metrics.render());
  metrics.close();
  const labels = 'fairness_id="a",le="LE",model_name="m",priority="0",target_model_name="m"';
  const bucket = (le: string): number | undefined =>
    series.get(`llm_d_epp_request_size_bytes_bucket{${labels.replace('LE', le)}}`);
  assert.deepEqual([bucket('64'), bucket('128'), bucket('1073741824'), bucket('+Inf')], [0, 1, 1, 2]);
  assert.equal(sum(series, 'llm_d_epp_request_size_bytes_sum'), 5e9 + 70);
  assert.equal(sum(series, 'llm_d_epp_request_output_tokens_sum'), 10);
  assert.equal(sum(series, 'llm_d_epp_request_ntpot_seconds_sum'), 0.2);
});

test('a crowd of tenants stays within the limit on all series, and nothing is lost from the sums', async () => {
  const maxSeries = 2_000;
  const metrics = start({ maxSeries });
  for (let index = 0; index < 5_000; index += 1) passThrough(metrics, request({ fairnessId: `t${index}` }));
  const page = await metrics.render();
  const series = read(page);
  metrics.close();
  const ofOthers = [...series.keys()].filter((key) => key.includes('fairness_id="other"')).length;
  assert.ok(series.size - ofOthers <= maxSeries + 23, `${series.size} series`);
  assert.ok(ofOthers > 0 && ofOthers < 300);
  assert.ok(sum(series, 'fairlead_series_dropped_total') > 4_000);
  for (const name of ['llm_d_epp_request_total', 'llm_d_epp_request_duration_seconds_count']) {
    assert.equal(sum(series, name), 5_000, name);
  }
  // Histograms take half at most, so tenants without them have their counters all the same.
  const named = [...series.keys()].filter((key) => key.startsWith('llm_d_epp_request_total{')).length;
  const detailed = [...series.keys()].filter((key) =>
    key.startsWith('llm_d_epp_request_duration_seconds_count{'),
  ).length;
  assert.ok(named > 10 * detailed, `${named} tenants by name, ${detailed} in detail`);
});

test('a forgotten flow takes its series with it and makes room for others', async () => {
  const metrics = start({ maxSeries: 600 });
  for (let round = 0; round < 50; round += 1) {
    const tenant = `t${round}`;
    passThrough(metrics, request({ fairnessId: tenant, priority: round % 2 }));
    const series = read(await metrics.render());
    assert.equal(sum(series, 'llm_d_epp_request_total', `fairness_id="${tenant}"`), 1);
    assert.equal(sum(series, 'llm_d_epp_request_duration_seconds_count', `fairness_id="${tenant}"`), 1);
    metrics.observe('m', { kind: 'flow-forgotten', fairnessId: tenant, band: 0, atMs: 2 });
  }
  const series = read(await metrics.render());
  metrics.close();
  assert.equal(sum(series, 'llm_d_epp_request_total'), 0);
  assert.equal(sum(series, 'fairlead_series_dropped_total'), 0);
  assert.equal(sum(series, 'llm_d_epp_flow_control_requests_total', 'outcome="Dispatched"'), 50);
});

test('what nobody says is forgotten goes after a quarter of an hour, unless it holds something', async () => {
  let nowMs = 0;
  const metrics = start({ nowMs: () => nowMs });
  passThrough(metrics, request({ fairnessId: 'idle' }));
  metrics.observe('m', { kind: 'enqueued', request: request({ fairnessId: 'waits' }), band: 0, atMs: 0 });
  nowMs = 16 * 60_000;
  const series = read(await metrics.render());
  metrics.close();
  assert.equal(sum(series, 'llm_d_epp_request_total', 'fairness_id="idle"'), 0);
  assert.equal(sum(series, 'llm_d_epp_request_total', 'fairness_id="waits"'), 1);
});

test('no name breaks the page: quotes, line feeds, endless names, names that become equal, a tenant called other', async () => {
  const metrics = start({ maxSeries: 400 });
  const names = [
    '"',
    '\\',
    '\n',
    'a\r\nb',
    '\u0000',
    '\ud800',
    '',
    'other',
    `${'x'.repeat(9_999)}1`,
    `${'x'.repeat(9_999)}2`,
  ];
  for (const fairnessId of names) {
    for (const model of names) {
      passThrough(metrics, request({ fairnessId, model, targetModel: model, priority: names.indexOf(model) }), model);
    }
  }
  const page = await metrics.render();
  const series = read(page);
  metrics.close();
  assert.equal(sum(series, 'llm_d_epp_request_total'), names.length ** 2);
  assert.ok(page.split('\n').every((line) => line.length < 2_000));
});

test('a page of many thousand lines still says HELP and TYPE once for each family', async () => {
  const metrics = start();
  for (let index = 0; index < 1_200; index += 1) passThrough(metrics, request({ fairnessId: `t${index}` }));
  const series = read(await metrics.render());
  metrics.close();
  assert.ok(series.size > 8_000);
});

test('scrapes at the same time share one page', async () => {
  const metrics = start();
  passThrough(metrics, request());
  const first = metrics.render();
  assert.equal(metrics.render(), first);
  assert.notEqual(await metrics.render(), '');
  assert.notEqual(metrics.render(), first);
  await metrics.render();
  metrics.close();
});

test("what only the front door knows of a request is in the counters of refusals, retries and its answer's shape", async () => {
  const metrics = start();
  const names = { tenant: 'a', priority: 0, model: 'm', targetModel: 'm', pool: 'm' };
  const report = (fields: Partial<RequestReport>): void =>
    metrics.finished({ id: 'r', status: 200, durationMs: 1, ...fields });
  report({ status: 401, reason: 'invalid_api_key', verified: false });
  report({ status: 404, reason: 'model_not_found', verified: true, unknownObjective: true });
  report({ status: 499, reason: 'client-left' });
  passThrough(metrics, request());
  const answered = { ...names, ending: 'succeeded', outcome: 'Dispatched', verified: true } as const;
  report({
    ...answered,
    streamed: true,
    ttftMs: 250,
    durationMs: 1_250,
    usage: { completionTokens: 11 },
    retries: ['refused'],
  });
  report({ ...answered, streamed: false, durationMs: 3_000, responseBytes: 20, retries: ['refused', 'reset-idle'] });
  report({ ...names, status: 502, ending: 'failed', outcome: 'Dispatched' });
  const series = read(await metrics.render());
  metrics.close();
  assert.equal(series.get('fairlead_refused_total{reason="invalid_api_key",status="401"}'), 1);
  assert.equal(sum(series, 'fairlead_refused_total'), 2);
  assert.equal(sum(series, 'fairlead_requests_without_identity_total'), 1);
  assert.equal(sum(series, 'fairlead_objective_unknown_total'), 1);
  assert.equal(series.get('fairlead_retries_total{kind="refused"}'), 2);
  assert.equal(series.get('fairlead_retries_total{kind="reset-idle"}'), 1);
  assert.equal(sum(series, 'llm_d_epp_request_ttft_seconds_sum', 'streaming="true"'), 0.25);
  assert.equal(sum(series, 'llm_d_epp_request_ttft_seconds_sum', 'streaming="false"'), 3);
  assert.equal(sum(series, 'llm_d_epp_request_streaming_tpot_seconds_sum'), 0.1);
  assert.equal(sum(series, 'llm_d_epp_response_size_bytes_sum'), 20);
});

test('reasons of refusals cannot multiply without end', async () => {
  const metrics = start();
  for (let index = 0; index < 1_000; index += 1)
    metrics.finished({ id: 'r', status: 400, durationMs: 1, reason: `why ${index}` });
  const series = read(await metrics.render());
  metrics.close();
  assert.equal(sum(series, 'fairlead_refused_total'), 1_000);
  assert.ok([...series.keys()].filter((key) => key.startsWith('fairlead_refused_total')).length <= 101);
});
