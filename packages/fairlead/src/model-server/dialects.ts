// SPDX-License-Identifier: Apache-2.0

/** How each kind of generation is answered. */

import { messageDialect } from './anthropic-answers.ts';
import { chatDialect, completionDialect } from './answers.ts';
import type { Dialect } from './dialect.ts';
import { sglangDialect, tokensDialect } from './generate-answers.ts';
import type { GenerationKind } from './inference-request.ts';
import { responseDialect } from './responses-answers.ts';

/** By what was asked for. */
export const DIALECTS: Readonly<Record<GenerationKind, Dialect>> = {
  chat: chatDialect,
  completion: completionDialect,
  message: messageDialect,
  response: responseDialect,
  tokens: tokensDialect,
  sglang: sglangDialect,
};
