// SPDX-License-Identifier: Apache-2.0

/** Clients that always ask for more than one place gives, and what each of their tenants gets of it. */

import OpenAI from 'openai';
import type { FlowEvent } from '@fairlead/core';
import type { Served } from './served.ts';

const messages = [{ role: 'user' as const, content: 'Tell me a story.' }];
/** Requests that each client always has under way, and ends that are waited for. */
const LOOPS = 3;
const ENDS = 240;

/** How a client comes, and how long the answers are that it asks for. */
export interface Asking {
  readonly apiKey: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly maxTokens?: number;
}

export class SharedPlace {
  readonly #costs = new Map<string, number>();
  #ended = 0;

  /** To be told of what the gateway does. */
  readonly onFlowEvent = (_: string, event: FlowEvent): void => {
    if (event.kind !== 'ended' || event.usage === undefined) return;
    this.#ended += 1;
    const { promptTokens = 0, completionTokens = 0 } = event.usage;
    const { fairnessId } = event.request;
    this.#costs.set(fairnessId, (this.#costs.get(fairnessId) ?? 0) + promptTokens + 2 * completionTokens);
  };

  /** All ask over and over, until enough has been served; then what part of the cost went to whom, by fairness id. */
  async share(served: Served, clients: readonly Asking[]): Promise<ReadonlyMap<string, number>> {
    this.#costs.clear();
    this.#ended = 0;
    const loops = clients.flatMap(({ apiKey, headers = {}, maxTokens = 10 }) => {
      const client = new OpenAI({ baseURL: `${served.url}/v1`, apiKey, defaultHeaders: headers, maxRetries: 0 });
      return Array.from({ length: LOOPS }, async () => {
        while (this.#ended < ENDS)
          await client.chat.completions.create({ model: 'm', messages, max_tokens: maxTokens });
      });
    });
    await Promise.all(loops);
    const total = [...this.#costs.values()].reduce((sum, cost) => sum + cost, 0);
    return new Map([...this.#costs].map(([tenant, cost]) => [tenant, cost / total]));
  }
}
