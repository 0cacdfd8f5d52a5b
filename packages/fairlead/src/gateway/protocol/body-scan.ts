// SPDX-License-Identifier: Apache-2.0

/**
 * What the gateway has to know of a request's body before it may wait: read in one pass over the chunks as they came,
 * without building the object and without joining them, while the whole syntax is checked. A malformed body is answered
 * here with its position and never takes a place in a queue; a well-formed one is read as the model server's own parser
 * reads it (outermost level only, escaped names decoded, the last of duplicate members wins), so that nobody can show
 * one model to the gateway and another to the engine.
 */

import { positionOf } from './body-error.ts';
import type { BodyError } from './body-error.ts';
import { promptSpans, readFacts } from './body-facts.ts';
import type { BodyFacts } from './body-facts.ts';
import { BodyMembers, slotOf } from './body-members.ts';
import { CACHE_SALT } from './body-shapes.ts';
import type { BodyFamily } from './body-shapes.ts';
import { JsonObjectScanner } from './json-object-scanner.ts';
import type { Span } from './json-object-scanner.ts';

const SALT = slotOf(CACHE_SALT);
const MODEL = slotOf('model');

/** Reads a body. An object with a `message` is what is wrong with it. */
export function scanBody(chunks: readonly Uint8Array[], family: BodyFamily): BodyFacts | BodyError {
  return new BodyScan(chunks, family).next(Infinity)!;
}

/**
 * Reads a body a part at a time. Some bodies take a microsecond for thirty bytes (nothing but short members), and one of
 * the largest that is allowed would hold up everybody else's streams for a second.
 */
export class BodyScan {
  readonly #chunks: readonly Uint8Array[];
  readonly #family: BodyFamily;
  readonly #members: BodyMembers;
  readonly #scanner: JsonObjectScanner;
  #index = 0;

  constructor(chunks: readonly Uint8Array[], family: BodyFamily) {
    this.#chunks = chunks;
    this.#family = family;
    this.#members = new BodyMembers(chunks);
    this.#scanner = new JsonObjectScanner(this.#members);
  }

  /** Reads whole chunks until they have `bytes`; undefined when there are more. Not to be asked after it answered. */
  next(bytes: number): BodyFacts | BodyError | undefined {
    const chunks = this.#chunks;
    for (let read = 0; this.#index < chunks.length; this.#index += 1) {
      if (read >= bytes) return undefined;
      const chunk = chunks[this.#index]!;
      this.#members.enter(chunk);
      if (!this.#scanner.feed(chunk)) return this.#malformed();
      read += chunk.length;
    }
    return this.#scanner.finish() ? readFacts(this.#members, this.#family) : this.#malformed();
  }

  /** Where the prompt lies in the body, in the order in which engines render it; once the facts are known. */
  get promptSpans(): readonly Readonly<Span>[] {
    return promptSpans(this.#members, this.#family);
  }

  /** Where the body says with whom it shares its cache; undefined when it does not. */
  get saltSpan(): Readonly<Span> | undefined {
    const salt = this.#members.at(SALT);
    return salt?.kind === 'string' ? salt : undefined;
  }

  /** Where the value of `model` lies, `null` included; undefined when there is none. To be asked when all is read. */
  get modelSpan(): Readonly<Span> | undefined {
    return this.#members.at(MODEL);
  }

  #malformed(): BodyError {
    const { message, offset } = this.#scanner.problem!;
    const { line, column } = positionOf(this.#chunks, offset);
    const isEmpty = this.#chunks.every((chunk) => chunk.length === 0);
    const text = isEmpty
      ? 'the request body is empty, a JSON object is required'
      : `malformed JSON at line ${line} column ${column}: ${message}`;
    return { message: text, offset, line, column };
  }
}
