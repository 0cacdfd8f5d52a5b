// SPDX-License-Identifier: Apache-2.0

/**
 * Where a journey can be watched: a real flow controller and placement under a virtual clock, model servers whose tries
 * the test ends as it likes, and an answer that is written down in words.
 */

import { Endpoint, FlowController, Pool, PoolPlacement, Scheduler } from '@fairlead/core';
import type { Clock, FlowEvent, InferenceRequest, Picker, Usage } from '@fairlead/core';
import { concurrencyDetector, singleProfileHandler } from '@fairlead/core/plugins';
import { VirtualClock, flowControlConfig, instanceOf } from '@fairlead/core/testing';
import { Journey } from '../../packages/fairlead/src/director/journey.ts';
import type { JourneyContext } from '../../packages/fairlead/src/director/journey.ts';
import type {
  Answer,
  Arrival,
  UpstreamErrorKind,
  UpstreamHandler,
  UpstreamRequest,
} from '../../packages/fairlead/src/director/ports.ts';
import type { Problem } from '../../packages/fairlead/src/director/problem.ts';
import { HeaderBlock } from '../../packages/fairlead/src/sockets/header-block.ts';

/** One try as the model server sees it. */
export interface SentTry {
  readonly request: UpstreamRequest;
  readonly handler: UpstreamHandler;
  aborted: string | undefined;
  resumed: number;
  /** It had its last call. */
  isOver?: boolean;
}

export const HEADERS = new HeaderBlock(['x-trace', '7']);

/** Takes an answer and writes down what came, in words. */
export class Notebook implements Answer {
  readonly lines: string[] = [];
  problem: Problem | undefined;
  isStream = true;
  takes = true;
  told: Usage | undefined;
  events = 0;

  headersToSend(): HeaderBlock {
    return HEADERS;
  }
  begin({ status }: { status: number }): boolean {
    this.lines.push(`begin ${status}`);
    return this.isStream;
  }
  data(chunk: Uint8Array): boolean {
    this.lines.push(`data ${Buffer.from(chunk).toString()}`);
    return this.takes;
  }
  end(): void {
    this.lines.push('end');
  }
  fail(problem: Problem): void {
    this.problem = problem;
    this.lines.push(`fail ${problem.status} ${problem.code}`);
  }
  usage(): Usage | undefined {
    return this.told;
  }
}

export interface StandOptions {
  readonly endpoints?: number;
  /** Sequences an endpoint takes at once. */
  readonly limit?: number;
  /** Every endpoint with room is named, the first as the choice and the others as its alternatives. */
  readonly alternatives?: boolean;
}

/** Two endpoints of ten places each, waits of a second, unless told otherwise. */
export function stand({ endpoints: count = 2, limit = 10, alternatives = false }: StandOptions = {}) {
  const clock = new VirtualClock();
  const pool = new Pool('pool');
  const endpoints = Array.from({ length: count }, (_, index) => {
    const endpoint = new Endpoint({ name: `server-${index}`, url: `http://server-${index}:1`, labels: {} });
    endpoint.baseModels = new Set(['m']);
    return endpoint;
  });
  pool.setEndpoints(endpoints);
  const events: FlowEvent[] = [];
  const detector = instanceOf(concurrencyDetector, { parameters: { maxConcurrency: limit } });
  const most = alternatives ? Infinity : 1;
  const inOrder: Picker = { type: 'in-order', name: 'in-order', pick: (candidates) => candidates.slice(0, most) };
  const scheduler = new Scheduler({
    handler: instanceOf(singleProfileHandler),
    profiles: [{ name: 'default', filters: [], scorers: [], picker: inOrder }],
  });
  const placement = new PoolPlacement({ pool, detector, chooser: scheduler, clock });
  const observer = (event: FlowEvent): void => void events.push(event);
  const controller = new FlowController({
    config: flowControlConfig({ config: { defaultRequestTtlMs: 1000, noEndpointRequestTtlMs: 1000 } }),
    placement,
    clock,
    observer,
  });
  const tries: SentTry[] = [];
  const refused: string[] = [];
  const context = contextOf({ tries, refused, pool, clock });
  let begun = 0;
  const begin = (answer = new Notebook(), more: Partial<InferenceRequest> = {}) => {
    const request = { ...requestOf(`request-${(begun += 1)}`, clock), ...more };
    const arrival = { method: 'POST', path: '/v1/x?y', body: [Buffer.from('{}')] } as unknown as Arrival;
    const journey = new Journey(context, {
      arrival,
      request,
      lane: { pool, scheduler, placement, controller },
      answer,
    }).start();
    return { journey, answer };
  };
  return { clock, pool, endpoints, controller, tries, refused, events, begin };
}

function requestOf(id: string, clock: Clock): InferenceRequest {
  return {
    id,
    fairnessId: 'tenant',
    priority: 0,
    model: 'm',
    targetModel: 'm',
    sizeBytes: 2,
    sequences: 1,
    streamed: true,
    receivedMs: clock.now(),
  };
}

/** Writes down tries and refusals; an endpoint that refused is out for good. */
function contextOf(into: { tries: SentTry[]; refused: string[]; pool: Pool; clock: Clock }): JourneyContext {
  const { tries, refused, pool, clock } = into;
  return {
    upstream: {
      send: (request, handler) => {
        const sent: SentTry = { request, handler, aborted: undefined, resumed: 0 };
        tries.push(sent);
        return { abort: (reason) => void (sent.aborted = reason), resume: () => void (sent.resumed += 1) };
      },
    },
    health: {
      refused: (endpoint) => {
        refused.push(endpoint.name);
        endpoint.up = false;
        pool.refresh();
      },
      nonsense: (endpoint) => void refused.push(`${endpoint.name} is no HTTP server`),
      failed: (endpoint) => void refused.push(`${endpoint.name} fails`),
      answered: (endpoint) => void refused.push(`${endpoint.name} answers`),
      firstByte: (endpoint, tookMs) => void refused.push(`${endpoint.name} first byte after ${tookMs}`),
    },
    firstByteTimeoutMs: 1,
    idleTimeoutMs: 1,
    nowMs: () => clock.now(),
  };
}

/** The last call of a try. */
export function fail(sent: SentTry | undefined, kind: UpstreamErrorKind): void {
  if (sent !== undefined) sent.isOver = true;
  sent?.handler.onError({ kind, message: 'for the log' });
}
