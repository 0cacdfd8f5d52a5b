// SPDX-License-Identifier: Apache-2.0

/**
 * Where is the adapter loaded already? Rates an endpoint 1 when the engine is running the request's adapter, 0.8 when it
 * has a slot for another one, 0.6 when requests for it wait there, and 0 otherwise. Choose it for pools that serve more
 * LoRA adapters than an engine holds at once. It goes by the engine's own metrics, corrected by nothing: an adapter
 * dispatched since the last reading is not seen. An endpoint that does not tell has no known slot and is rated 0.
 */

import type { EngineLora } from '../../endpoints/endpoint.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';
import type { Scorer } from '../../scheduling/contracts.ts';

const RUNNING = 1;
const FREE_SLOT = 0.8;
const WAITING = 0.6;

function rate(lora: EngineLora | undefined, model: string): number {
  if (lora === undefined) return 0;
  if (lora.running.has(model)) return RUNNING;
  if (lora.running.size + lora.waiting.size < lora.max) return FREE_SLOT;
  return lora.waiting.has(model) ? WAITING : 0;
}

export const loraAffinityScorer = definePlugin({
  type: 'lora-affinity-scorer',
  kinds: ['scorer'],
  stability: 'beta',
  summary: "Prefers endpoints that run the request's LoRA adapter already, then those with a slot for it.",
  parameters: {},
  create: ({ type, name }): Scorer => ({
    type,
    name,
    score: ({ targetModel }, endpoints, scores) => {
      for (let index = 0; index < endpoints.length; index += 1) {
        scores[index] = rate(endpoints[index]?.metrics?.lora, targetModel);
      }
    },
  }),
});
