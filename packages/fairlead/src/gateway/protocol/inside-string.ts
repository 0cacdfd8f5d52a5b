// SPDX-License-Identifier: Apache-2.0

/**
 * Where the inside of a JSON string ends. Short strings are looked through in place; of a long one, a prompt of many
 * kilobytes, windows are copied into the memory of a small WebAssembly module (`inside-string.wat`), which looks at
 * sixteen bytes at once. Both together take a quarter of the time: 31 µs for 235 KB with an escape every 24 bytes, 8 µs
 * of it for the copy, against 121 µs. The module is made when the first such string comes. Where it cannot be (no
 * WebAssembly, no SIMD, no address space for its memory), everything is looked through in place.
 */

import { HEX_ESCAPE_BYTES, stringEnd } from './byte-runs.ts';
import { INSIDE_STRING_WASM } from './inside-string-wasm.ts';

/** A string is looked through in place so far: up to there the copy and the call cost more than they save. */
const NEAR_BYTES = 512;
/** The first window is small, for most strings end soon; the others fit the nearest cache and leave it room. */
const FIRST_WINDOW_BYTES = 2 * 1024;
const WINDOW_BYTES = 16 * 1024;
/** Where a window begins in the module's memory. */
const WINDOW_ADDRESS = 256;

/** What is used of the host's WebAssembly, for which the language's own types have no declaration. */
interface WebAssemblyHost {
  validate(module: Uint8Array): boolean;
  readonly Module: new (module: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
}

/** Undefined where Node runs without a compiler (`--jitless`). */
export const hostWebAssembly = (globalThis as { WebAssembly?: WebAssemblyHost }).WebAssembly;

/** What `inside-string.wat` exports. */
interface InsideStringModule {
  readonly memory: { readonly buffer: ArrayBuffer };
  end(end: number): number;
}

/** As `insideEnd`, without the view. */
type Search = (bytes: Uint8Array, from: number) => number;

let searchWindows: Search | undefined;
let isTried = false;

/**
 * Index of the first byte at or after `from` that is not inside of a JSON string: a quote, a control character, or the
 * backslash of an escape that is malformed or not whole; the length of `bytes` when there is none. `view` is a view of
 * the same bytes.
 */
export function insideEnd(bytes: Uint8Array, view: DataView, from: number): number {
  const near = Math.min(bytes.length, from + NEAR_BYTES);
  const at = stringEnd(view, from, near);
  // What is so far before the end is no escape that the end has cut.
  if (at <= near - HEX_ESCAPE_BYTES || near === bytes.length) return at;
  if (!isTried) {
    isTried = true;
    searchWindows = createWindowSearch(hostWebAssembly);
  }
  return searchWindows === undefined ? stringEnd(view, at, bytes.length) : searchWindows(bytes, at);
}

/** The search by the module, in a memory of its own; undefined where the host cannot run it. */
export function createWindowSearch(host: WebAssemblyHost | undefined): Search | undefined {
  const code = Buffer.from(INSIDE_STRING_WASM, 'base64');
  if (host?.validate(code) !== true) return undefined;
  let module: InsideStringModule;
  try {
    module = new host.Instance(new host.Module(code)).exports as InsideStringModule;
  } catch {
    // The process may not take more address space: a memory reserves a lot of it, of which 64 KiB are used.
    return undefined;
  }
  const { memory, end } = module;
  const copy = new Uint8Array(memory.buffer);
  return (bytes, from) => {
    let at = from;
    for (let windowBytes = FIRST_WINDOW_BYTES; ; windowBytes = WINDOW_BYTES) {
      const to = Math.min(bytes.length, at + windowBytes);
      copy.set(bytes.subarray(at, to), WINDOW_ADDRESS);
      at += end(WINDOW_ADDRESS + to - at) - WINDOW_ADDRESS;
      if (at <= to - HEX_ESCAPE_BYTES || to === bytes.length) return at;
    }
  };
}
