// SPDX-License-Identifier: Apache-2.0

/**
 * `/v1/models` over all pools: base models and adapters as one list. To OpenAI's clients it is a list in OpenAI's shape,
 * with vLLM's `parent` for adapters; Anthropic's ask on the same path for a list in theirs. What is listed here is what
 * a request may name.
 */

import type { ServedModel } from '../director/ports.ts';
import type { ApiFormat } from './protocol/error-bodies.ts';

/** How to tell it. */
export interface ModelFormat {
  readonly api: ApiFormat;
  /** Seconds since 1970. */
  readonly createdS: number;
}

export function modelList(models: readonly ServedModel[], format: ModelFormat): Buffer {
  const data = models.map((model) => card(model, format));
  if (format.api !== 'anthropic') return json({ object: 'list', data });
  return json({ data, has_more: false, first_id: models[0]?.id ?? null, last_id: models.at(-1)?.id ?? null });
}

/** One entry, or undefined when nothing of that name is served. */
export function modelCard(models: readonly ServedModel[], id: string, format: ModelFormat): Buffer | undefined {
  const model = models.find((served) => served.id === id);
  return model && json(card(model, format));
}

function card({ id, parent }: ServedModel, { api, createdS }: ModelFormat): object {
  if (api !== 'anthropic') {
    return { id, object: 'model', created: createdS, owned_by: 'fairlead', root: id, parent: parent ?? null };
  }
  const unknown = { capabilities: null, max_input_tokens: null, max_tokens: null };
  return { type: 'model', id, display_name: id, created_at: new Date(createdS * 1000).toISOString(), ...unknown };
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
