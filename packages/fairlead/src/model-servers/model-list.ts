// SPDX-License-Identifier: Apache-2.0

/**
 * Reads the answer of a model server's `/v1/models`: base models, and the adapters among them (vLLM names the base
 * model of a LoRA adapter as its `parent`). The list is not trusted: ids end up in metrics, logs and error messages.
 */

/** A larger answer is refused. */
export const MAX_LIST_BYTES = 1024 * 1024;

const MAX_IDS = 1000;
const MAX_ID_LENGTH = 256;
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u;

export interface ModelList {
  readonly baseModels: readonly string[];
  readonly adapters: readonly string[];
}

export function readModelList(body: Uint8Array): ModelList | { readonly problem: string } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return { problem: 'its /v1/models is not JSON' };
  }
  const data = isRecord(parsed) ? parsed['data'] : undefined;
  if (!Array.isArray(data)) return { problem: 'its /v1/models has no list `data`' };
  if (data.length === 0) return { problem: 'its /v1/models lists nothing' };
  if (data.length > MAX_IDS)
    return { problem: `its /v1/models lists ${data.length} models; at most ${MAX_IDS} are read` };
  const baseModels = new Set<string>();
  const adapters = new Set<string>();
  for (const [index, entry] of (data as unknown[]).entries()) {
    const id = isRecord(entry) ? entry['id'] : undefined;
    if (typeof id !== 'string' || id.length === 0 || id.length > MAX_ID_LENGTH || UNPRINTABLE.test(id)) {
      return {
        problem: `its /v1/models has an id at data[${index}] that is not 1 to ${MAX_ID_LENGTH} printable characters`,
      };
    }
    const parent = (entry as Record<string, unknown>)['parent'];
    (parent == null ? baseModels : adapters).add(id);
  }
  return { baseModels: [...baseModels], adapters: [...adapters].filter((id) => !baseModels.has(id)) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
