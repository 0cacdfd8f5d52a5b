// SPDX-License-Identifier: Apache-2.0

/** One request against a real flow controller under a virtual clock, and a model server that fails in every way. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HEADERS, Notebook, fail, stand } from '../../../../test/kit/journey-stand.ts';
import type { Journey } from './journey.ts';
import type { UpstreamErrorKind } from './ports.ts';
import { reportDraft } from './request-report.ts';
import type { ReportDraft } from './request-report.ts';

describe('a journey', () => {
  it('holds its permit from dispatch to the last byte, and tells what was used', () => {
    const { clock, tries, begin, controller, events } = stand();
    const { journey, answer } = begin();
    clock.advance(0);
    assert.partialDeepStrictEqual(tries[0]?.request, {
      path: '/v1/x?y',
      headers: HEADERS,
      requestId: 'request-1',
      freshConnection: false,
    });
    clock.advance(40);
    tries[0]?.handler.onHeaders(200, []);
    tries[0]?.handler.onData(Buffer.from('a'));
    tries[0]?.handler.onData(Buffer.from('b'));
    assert.equal(controller.snapshot().inFlight, 1);
    answer.told = { promptTokens: 1, completionTokens: 2 };
    tries[0]?.handler.onEnd();
    assert.equal(controller.snapshot().inFlight, 0);
    assert.deepEqual(answer.lines, ['begin 200', 'data a', 'data b', 'end']);
    assert.partialDeepStrictEqual(reportOf(journey), {
      outcome: 'Dispatched',
      ending: 'succeeded',
      ttftMs: 40,
      usage: answer.told,
    });
    assert.equal(events.filter(({ kind }) => kind === 'first-token').length, 1);
  });

  it('tells no time to first token for an answer that is not a stream, nor for an error', () => {
    const { clock, tries, begin, events } = stand();
    const whole = new Notebook();
    whole.isStream = false;
    begin(whole);
    begin();
    clock.advance(0);
    tries[0]?.handler.onHeaders(200, []);
    tries[1]?.handler.onHeaders(500, []);
    for (const { handler } of tries) handler.onData(Buffer.from('a'));
    assert.deepEqual(
      events.filter(({ kind }) => kind === 'first-token'),
      [],
    );
  });

  it('counts an answer of 5xx or 429 as failed, and passes it on', () => {
    for (const [status, ending] of [
      [200, 'succeeded'],
      [404, 'succeeded'],
      [429, 'failed'],
      [503, 'failed'],
    ] as const) {
      const { clock, tries, begin } = stand();
      const { journey, answer } = begin();
      clock.advance(0);
      tries[0]?.handler.onHeaders(status, []);
      tries[0]?.handler.onEnd();
      assert.deepEqual(answer.lines, [`begin ${status}`, 'end']);
      assert.equal(reportOf(journey).ending, ending);
    }
  });

  it('goes to another endpoint, at the head of its flow, when the connection is refused', () => {
    const { clock, tries, begin, refused, controller } = stand({ limit: 1 });
    const { journey } = begin();
    begin();
    const { journey: third } = begin();
    clock.advance(5);
    fail(tries[0], 'refused');
    clock.advance(5);
    assert.deepEqual(refused, ['server-0']);
    assert.equal(tries.length, 2, 'server-1 is full, server-0 is out');
    tries[1]?.handler.onHeaders(200, []);
    tries[1]?.handler.onEnd();
    clock.advance(0);
    assert.equal(tries[2]?.request.endpoint.name, 'server-1');
    tries[2]?.handler.onHeaders(200, []);
    tries[2]?.handler.onEnd();
    assert.partialDeepStrictEqual(reportOf(journey), {
      endpoint: 'server-1',
      retries: ['refused'],
      ending: 'succeeded',
    });
    assert.equal(reportOf(third).outcome, undefined);
    clock.advance(1000);
    assert.equal(controller.snapshot().inFlight, 1);
  });

  it('keeps its old deadline while nothing can be connected to', () => {
    const { clock, tries, begin } = stand({ endpoints: 1 });
    const { journey, answer } = begin();
    clock.advance(900);
    fail(tries[0], 'refused');
    clock.advance(1000);
    assert.equal(answer.problem?.status, 503);
    assert.equal(answer.problem?.dropReason, 'rejected-no-endpoints');
    assert.equal(reportOf(journey).outcome, 'EvictedNoEndpoints');
    assert.equal(reportOf(journey).ending, undefined);
  });

  it('is sent once more on a fresh connection when a kept-alive one was reset, and not twice', () => {
    const { clock, tries, begin, controller } = stand();
    const { journey, answer } = begin();
    clock.advance(0);
    fail(tries[0], 'reset-idle');
    assert.equal(tries[1]?.request.freshConnection, true);
    assert.equal(tries[1]?.request.endpoint, tries[0]?.request.endpoint);
    assert.equal(controller.snapshot().inFlight, 1, 'under the same permit');
    fail(tries[1], 'reset-idle');
    assert.equal(tries.length, 2);
    assert.deepEqual(answer.lines, ['fail 502 upstream_reset']);
    assert.partialDeepStrictEqual(reportOf(journey), { retries: ['reset-idle'], ending: 'failed' });
    assert.equal(controller.snapshot().inFlight, 0);
  });

  it('is taken elsewhere when its server is gone after a reset, and not to a third when that one goes too', () => {
    for (const last of ['refused', 'reset'] as const) {
      const { clock, tries, begin, controller } = stand({ endpoints: 3 });
      const { journey, answer } = begin();
      clock.advance(0);
      fail(tries[0], 'reset-idle');
      fail(tries[1], 'refused');
      clock.advance(0);
      assert.equal(tries[2]?.request.endpoint.name, 'server-1');
      fail(tries[2], 'reset-idle');
      fail(tries[3], last);
      clock.advance(1000);
      assert.equal(tries.length, 4, 'server-2 is spared');
      assert.deepEqual(answer.lines, ['fail 502 upstream_died_twice']);
      assert.equal(answer.problem?.isFinal, true);
      assert.partialDeepStrictEqual(reportOf(journey), {
        retries: ['reset-idle', 'refused', 'reset-idle'],
        ending: 'failed',
      });
      assert.equal(controller.snapshot().inFlight, 0);
    }
  });

  it('waits at the head of its flow when no alternative has room', () => {
    const { clock, tries, begin, controller, events, endpoints } = stand({
      endpoints: 3,
      limit: 1,
      alternatives: true,
    });
    const { journey } = begin();
    clock.advance(3);
    const { answer: other } = begin();
    clock.advance(0);
    assert.equal(tries[1]?.request.endpoint.name, 'server-1', 'which takes the first alternative meanwhile');
    begin();
    begin();
    clock.advance(0);
    assert.equal(controller.waiting, 1);
    tries[1]?.handler.onHeaders(200, []);
    fail(tries[2], 'refused');
    clock.advance(0);
    assert.equal(tries.length, 3, 'its alternatives were full when it was picked');
    fail(tries[0], 'refused');
    assert.equal(tries.length, 3, 'server-1 is full and server-2 is out');
    tries[1]?.handler.onEnd();
    clock.advance(0);
    assert.equal(tries[3]?.request.endpoint.name, 'server-1');
    tries[3]?.handler.onHeaders(200, []);
    assert.partialDeepStrictEqual(reportOf(journey), { endpoint: 'server-1', retries: ['refused'] });
    assert.equal(other.lines.at(-1), 'end');
    assert.equal(events.filter(({ kind }) => kind === 'failed-over').length, 0);
    assert.deepEqual(
      endpoints.map(({ inFlight }) => inFlight),
      [0, 1, 0],
    );
  });

  it('takes its permit along to the alternatives that its picker named, in their order, in the turn in which it is refused', () => {
    const { clock, tries, begin, controller, events, endpoints } = stand({
      endpoints: 3,
      limit: 1,
      alternatives: true,
    });
    const { journey } = begin();
    clock.advance(0);
    fail(tries[0], 'refused');
    assert.equal(tries[1]?.request.endpoint.name, 'server-1');
    fail(tries[1], 'refused');
    assert.equal(tries[2]?.request.endpoint.name, 'server-2');
    assert.deepEqual(
      [controller.inFlight, controller.waiting, ...endpoints.map(({ inFlight }) => inFlight)],
      [1, 0, 0, 0, 1],
    );
    tries[2]?.handler.onHeaders(200, []);
    tries[2]?.handler.onEnd();
    assert.partialDeepStrictEqual(reportOf(journey), {
      endpoint: 'server-2',
      retries: ['refused', 'refused'],
      ending: 'succeeded',
    });
    assert.equal(events.filter(({ kind }) => kind === 'failed-over').length, 2);
    assert.deepEqual([controller.inFlight, ...endpoints.map(({ inFlight }) => inFlight)], [0, 0, 0, 0]);
  });

  it('is never sent again once a server may have it', () => {
    const statuses = { reset: 502, 'timeout-first-byte': 504, protocol: 502, aborted: 502 } as const;
    for (const [kind, status] of Object.entries(statuses)) {
      const { clock, tries, begin } = stand();
      const { answer } = begin();
      clock.advance(0);
      fail(tries[0], kind as UpstreamErrorKind);
      clock.advance(0);
      assert.equal(tries.length, 1, kind);
      assert.equal(answer.problem?.status, status, kind);
    }
    for (const kind of ['died', 'timeout-idle', 'reset-idle', 'refused'] as const) {
      const { clock, tries, begin } = stand();
      const { answer } = begin();
      clock.advance(0);
      tries[0]?.handler.onHeaders(200, []);
      fail(tries[0], kind);
      clock.advance(0);
      assert.equal(tries.length, 1, kind);
      assert.equal(answer.lines.length, 2, kind);
    }
  });

  it('tells who answers requests and who cuts them off, and blames nobody for what broke in the middle', () => {
    const { clock, tries, begin, refused } = stand({ endpoints: 1 });
    for (let count = 0; count < 3; count += 1) begin();
    clock.advance(0);
    fail(tries[0], 'reset');
    tries[1]?.handler.onHeaders(200, []);
    fail(tries[1], 'died');
    fail(tries[2], 'reset-idle');
    fail(tries[3], 'reset-idle');
    assert.deepEqual(refused, ['server-0 fails', 'server-0 answers', 'server-0 fails']);
  });

  it('tells of answers that are failures of the server, and of no others', () => {
    const { clock, tries, begin, refused } = stand({ endpoints: 1 });
    const statuses = [200, 404, 429, 501, 500, 503];
    for (let count = 0; count < statuses.length; count += 1) begin();
    clock.advance(0);
    for (const [index, status] of statuses.entries()) tries[index]?.handler.onHeaders(status, []);
    const answers = Array.from({ length: 4 }, () => 'server-0 answers');
    assert.deepEqual(refused, [...answers, 'server-0 fails', 'server-0 fails']);
  });

  it('tells how long the first byte of a stream took since it was sent, not since it came, when it was asked for', () => {
    const { clock, tries, begin, refused } = stand({ endpoints: 1, limit: 1 });
    for (const streamed of [true, true, false]) begin(new Notebook(), { streamed });
    for (const [index, ms] of [100, 7, 9].entries()) {
      clock.advance(ms);
      tries[index]?.handler.onHeaders(200, []);
      tries[index]?.handler.onData(Buffer.from('a'));
      tries[index]?.handler.onData(Buffer.from('b'));
      tries[index]?.handler.onEnd();
    }
    assert.equal(tries.length, 3);
    const took = refused.filter((line) => line.includes('first byte'));
    assert.deepEqual(took, ['server-0 first byte after 100', 'server-0 first byte after 7']);
  });

  it('says nothing of addresses to the client', () => {
    const { clock, tries, begin } = stand();
    const { answer } = begin();
    clock.advance(0);
    tries[0]?.handler.onError({ kind: 'reset', message: 'read ECONNRESET 10.1.2.3:8000' });
    assert.doesNotMatch(answer.problem?.message ?? '', /10\.1/);
  });

  it('reports an endpoint that does not speak HTTP', () => {
    const { clock, tries, begin, refused } = stand();
    begin();
    clock.advance(0);
    fail(tries[0], 'protocol');
    assert.deepEqual(refused, ['server-0 is no HTTP server']);
  });

  it('leaves the queue, or the server, in the turn in which its client leaves', () => {
    const { clock, tries, begin, controller } = stand({ endpoints: 1, limit: 1 });
    const first = begin();
    const second = begin();
    clock.advance(0);
    assert.equal(controller.snapshot().waiting, 1);
    second.journey.cancel();
    assert.equal(controller.snapshot().waiting, 0);
    assert.equal(reportOf(second.journey).outcome, 'EvictedContextCancelled');
    first.answer.told = { completionTokens: 7 };
    first.journey.cancel();
    assert.equal(tries[0]?.aborted, 'the client left');
    assert.equal(controller.snapshot().inFlight, 0);
    assert.partialDeepStrictEqual(reportOf(first.journey), { ending: 'cancelled', usage: { completionTokens: 7 } });
    tries[0]?.handler.onHeaders(200, []);
    tries[0]?.handler.onData(Buffer.from('late'));
    tries[0]?.handler.onEnd();
    assert.deepEqual([...first.answer.lines, ...second.answer.lines], []);
  });

  it('passes backpressure on to the server, and its end', () => {
    const { clock, tries, begin } = stand();
    const { journey, answer } = begin();
    clock.advance(0);
    tries[0]?.handler.onHeaders(200, []);
    answer.takes = false;
    assert.equal(tries[0]?.handler.onData(Buffer.from('a')), false);
    journey.resume();
    assert.equal(tries[0]?.resumed, 1);
    tries[0]?.handler.onEnd();
    journey.resume();
    assert.equal(tries[0]?.resumed, 1);
  });

  it('survives a request that cannot be sent and a head that cannot be passed on', () => {
    const { clock, tries, begin, controller } = stand();
    const mute = new Notebook();
    mute.headersToSend = () => {
      throw new TypeError('no such header');
    };
    begin(mute);
    const broken = new Notebook();
    broken.begin = () => {
      throw new TypeError('invalid character');
    };
    begin(broken);
    clock.advance(0);
    tries[0]?.handler.onHeaders(200, []);
    assert.deepEqual(mute.lines, ['fail 502 upstream_aborted']);
    assert.deepEqual(broken.lines, ['fail 502 upstream_nonsense']);
    assert.notEqual(tries[0]?.aborted, undefined);
    assert.equal(controller.snapshot().inFlight, 0);
  });

  it('ends once and gives everything back, whatever happens in whatever order', () => {
    const step = fc.constantFrom(
      'head',
      'data',
      'end',
      'cancel',
      'resume',
      'later',
      'refused',
      'reset-idle',
      'reset',
      'died',
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.nat(3)), { maxLength: 40 }), (steps) => {
        const { clock, tries, begin, controller, endpoints, pool } = stand({ limit: 1 });
        const all = [begin(), begin(), begin(), begin()];
        for (const [what, which] of steps) {
          const sent = tries.filter((each) => each.aborted === undefined && each.isOver !== true)[which];
          if (what === 'later') clock.advance(300);
          else if (what === 'cancel') all[which]?.journey.cancel();
          else if (what === 'resume') all[which]?.journey.resume();
          else if (what === 'head') sent?.handler.onHeaders(200, []);
          else if (what === 'data') sent?.handler.onData(Buffer.from('x'));
          else if (what === 'end') {
            if (sent !== undefined) sent.isOver = true;
            sent?.handler.onEnd();
          } else fail(sent, what);
          clock.advance(0);
        }
        for (const endpoint of endpoints) endpoint.up = true;
        pool.refresh();
        for (const { journey } of all) journey.cancel();
        clock.advance(0);
        const { waiting, inFlight, bytes } = controller.snapshot();
        assert.deepEqual({ waiting, inFlight, bytes }, { waiting: 0, inFlight: 0, bytes: 0 });
        assert.deepEqual(
          endpoints.map((endpoint) => endpoint.inFlight),
          [0, 0],
        );
        for (const { answer } of all) {
          const last = answer.lines.filter((line) => line === 'end' || line.startsWith('fail'));
          assert.ok(last.length <= 1 && (last.length === 0 || answer.lines.at(-1) === last[0]), answer.lines.join());
        }
      }),
    );
  });
});

function reportOf(journey: Journey): ReportDraft {
  const report = reportDraft('r');
  journey.tell(report);
  return report;
}
