// SPDX-License-Identifier: Apache-2.0

/**
 * The gateway as `fairlead serve` ships it, in a process of its own, and what the demo and the flood benchmark ask of
 * its admin port.
 */

import { request } from 'undici';
import type { EndpointState, StateDocument } from '../../admin/state.ts';
import { rest } from '../rest.ts';
import type { Child } from './child.ts';
import { ChildError, startChild } from './child.ts';

/** Metrics and models of every endpoint are read within this, or it is no use to go on. */
const READY_LIMIT_MS = 20_000;
const READY_POLL_MS = 50;
const ADMIN_LIMIT_MS = 5_000;

/** A gateway that is ready to serve. */
export class GatewayProcess {
  readonly url: string;
  readonly adminUrl: string;
  readonly process: Child;

  constructor(process: Child) {
    this.process = process;
    this.url = process.urls.get('gateway') ?? '';
    this.adminUrl = process.urls.get('admin') ?? '';
  }

  /** Turns flow control off (`true`) or on again. @throws {ChildError} when the gateway does not do it. */
  async setBypass(on: boolean): Promise<void> {
    const answer = await this.#admin('/bypass', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ on }),
    });
    if (answer.status !== 200) {
      throw new ChildError(`the gateway does not turn flow control ${on ? 'off' : 'on'}: HTTP ${answer.status}`);
    }
  }

  /** @throws {ChildError} when the gateway does not say. */
  async state(): Promise<StateDocument> {
    const answer = await this.#admin('/state', {});
    if (answer.status !== 200) throw new ChildError(`the gateway does not tell its state: HTTP ${answer.status}`);
    return JSON.parse(answer.text) as StateDocument;
  }

  /** Resolves once `count` endpoints are up. @throws {ChildError} when that does not happen in time. */
  async ready(count: number, stop: AbortSignal): Promise<void> {
    const untilMs = performance.now() + READY_LIMIT_MS;
    while (!stop.aborted) {
      const state = await this.state();
      if (endpointsOf(state).filter(({ up }) => up).length >= count) return;
      if (performance.now() > untilMs) throw new ChildError(unreadyText(state));
      await rest(READY_POLL_MS, stop);
    }
  }

  async #admin(
    path: string,
    options: { method?: 'POST'; headers?: Record<string, string>; body?: string },
  ): Promise<{ status: number; text: string }> {
    try {
      const signal = AbortSignal.timeout(ADMIN_LIMIT_MS);
      const { statusCode, body } = await request(`${this.adminUrl}${path}`, { ...options, signal });
      return { status: statusCode, text: await body.text() };
    } catch (error) {
      throw new ChildError(`the gateway's admin port does not answer: ${(error as Error).message}`);
    }
  }
}

/**
 * Starts one in front of `endpoints`; `words` are further flags, `modules` is the folder it runs from.
 * @throws {ChildError}
 */
export async function startGateway(
  endpoints: readonly string[],
  words: readonly string[] = [],
  modules?: URL,
): Promise<GatewayProcess> {
  const child = await startChild({
    name: 'the gateway',
    words: [
      ...['serve', '--port', '0', '--admin-port', '0'],
      ...endpoints.flatMap((url) => ['--endpoint', url]),
      ...words,
    ],
    listens: ['gateway', 'admin'],
    ...(modules && { modules }),
  });
  return new GatewayProcess(child);
}

/** Every endpoint of every pool. */
export function endpointsOf(state: StateDocument): readonly EndpointState[] {
  return state.pools.flatMap((pool) => pool.endpoints);
}

function unreadyText(state: StateDocument): string {
  const unready = [...state.unassigned, ...endpointsOf(state).filter(({ up }) => !up)];
  const reasons = unready.map(({ url, problem }) => `${url} (${problem ?? 'its models are not known'})`);
  return `after ${READY_LIMIT_MS / 1000} s the gateway cannot use ${reasons.join(', ')}`;
}
