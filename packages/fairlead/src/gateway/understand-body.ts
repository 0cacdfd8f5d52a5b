// SPDX-License-Identifier: Apache-2.0

/**
 * What a whole body says that its way depends on: model and size of the work, the model it is sent for instead, and, if a
 * plugin wants that, the hashes of its prompt, taken while its bytes are at hand. A slice a turn, for long bodies.
 */

import type { PromptPrefix } from '@fairlead/core';
import type { Director } from '../director/director.ts';
import type { RewrittenModel } from '../director/model-rewrites.ts';
import { inSlices } from './in-slices.ts';
import { BodyScan } from './protocol/body-scan.ts';
import type { BodyError } from './protocol/body-error.ts';
import type { BodyFacts } from './protocol/body-facts.ts';
import type { BodyFamily } from './protocol/body-shapes.ts';
import { PromptHash } from './protocol/prompt-hash.ts';
import { bodyFor } from './protocol/rewrite-body.ts';
import type { Body } from './receive-body.ts';

export interface UnderstoodBody {
  readonly facts: BodyFacts;
  /** Undefined: the model is asked for by the name that the client gave it. */
  readonly rewritten: RewrittenModel | undefined;
  /** As it goes to the model server. */
  readonly sent: Body;
  readonly prefix: PromptPrefix | undefined;
}

export interface UnderstandOptions {
  readonly family: BodyFamily;
  readonly director: Pick<Director, 'promptWish' | 'rewriteOf'>;
  /** The model that a trusted source asks for instead. */
  readonly modelRewrite: string | undefined;
  /** Nobody waits for what is being found out. */
  readonly isAnswered: () => boolean;
}

/** Calls back with what the body says or what is wrong with it, at once when it is short; not at all once answered. */
export function understandBody(
  body: Body,
  { family, director, modelRewrite, isAnswered }: UnderstandOptions,
  done: (understood: UnderstoodBody | BodyError) => void,
): void {
  const scan = new BodyScan(body.chunks, family);
  inSlices(scan, isAnswered, (facts) => {
    if ('message' in facts) {
      done(facts);
      return;
    }
    const rewritten = director.rewriteOf(facts.model, modelRewrite);
    const sent = rewritten === undefined ? body : bodyFor(rewritten.target, body, scan.modelSpan);
    const wish = director.promptWish(rewritten?.target ?? facts.model);
    if (wish === undefined) done({ facts, rewritten, sent, prefix: undefined });
    else {
      const hash = new PromptHash(body.chunks, scan, wish);
      inSlices(hash, isAnswered, (prefix) => done({ facts, rewritten, sent, prefix }));
    }
  });
}
