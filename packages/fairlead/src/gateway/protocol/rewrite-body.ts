// SPDX-License-Identifier: Apache-2.0

/** Another model in a body: the chunks around the name stay as they came, and only the name is new. */

/** `[start, end)` of the value of `model`; undefined when there is none and it goes first. */
export type ModelSpan = { readonly start: number; readonly end: number } | undefined;

export interface RewrittenBody {
  readonly chunks: readonly Uint8Array[];
  readonly sizeBytes: number;
}

/** The body with `model` in it. Its syntax has been checked. */
export function bodyFor(model: string, { chunks }: Pick<RewrittenBody, 'chunks'>, span: ModelSpan): RewrittenBody {
  const parts = withModel(chunks, span, model);
  return { chunks: parts, sizeBytes: parts.reduce((sum, { length }) => sum + length, 0) };
}

function withModel(chunks: readonly Uint8Array[], span: ModelSpan, model: string): readonly Uint8Array[] {
  const name = JSON.stringify(model);
  if (span !== undefined) return spliced(chunks, span, Buffer.from(name));
  const brace = offsetOf(chunks, 0);
  const next = offsetOf(chunks, brace + 1);
  const isEmpty = byteAt(chunks, next) === 0x7d;
  return spliced(chunks, { start: brace + 1, end: brace + 1 }, Buffer.from(`"model":${name}${isEmpty ? '' : ','}`));
}

function spliced(
  chunks: readonly Uint8Array[],
  { start, end }: { readonly start: number; readonly end: number },
  insert: Uint8Array,
): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  const add = (part: Uint8Array): void => void (part.length > 0 && parts.push(part));
  let base = 0;
  let isIn = false;
  for (const chunk of chunks) {
    add(chunk.subarray(0, Math.max(0, start - base)));
    if (!isIn && start <= base + chunk.length) {
      add(insert);
      isIn = true;
    }
    add(chunk.subarray(Math.max(0, end - base)));
    base += chunk.length;
  }
  return parts;
}

/** The first byte from `from` on that is no whitespace. */
function offsetOf(chunks: readonly Uint8Array[], from: number): number {
  let at = from;
  for (let byte = byteAt(chunks, at); byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;) {
    byte = byteAt(chunks, (at += 1));
  }
  return at;
}

function byteAt(chunks: readonly Uint8Array[], offset: number): number | undefined {
  let base = 0;
  for (const chunk of chunks) {
    if (offset < base + chunk.length) return chunk[offset - base];
    base += chunk.length;
  }
  return undefined;
}
