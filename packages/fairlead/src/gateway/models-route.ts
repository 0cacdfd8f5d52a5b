// SPDX-License-Identifier: Apache-2.0

/**
 * `/v1/models` over all pools: base models and adapters as one list in OpenAI's shape, with vLLM's `parent` for
 * adapters. What is listed here is what a request may name.
 */

import type { ServedModel } from '../director/ports.ts';

interface ModelCard {
  readonly id: string;
  readonly object: 'model';
  readonly created: number;
  readonly owned_by: string;
  readonly root: string;
  readonly parent: string | null;
}

export function modelList(models: readonly ServedModel[], createdS: number): Buffer {
  return json({ object: 'list', data: models.map((model) => card(model, createdS)) });
}

/** One entry, or undefined when nothing of that name is served. */
export function modelCard(models: readonly ServedModel[], id: string, createdS: number): Buffer | undefined {
  const model = models.find((served) => served.id === id);
  return model && json(card(model, createdS));
}

function card({ id, parent }: ServedModel, created: number): ModelCard {
  return { id, object: 'model', created, owned_by: 'fairlead', root: id, parent: parent ?? null };
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
