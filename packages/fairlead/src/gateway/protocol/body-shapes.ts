// SPDX-License-Identifier: Apache-2.0

/**
 * What the members of a request's body mean in each API, as data: where the prompt is, what makes more than one
 * sequence of it, and where the client says how long the answer may be. Whatever is not here is not looked at.
 */

/** Which members of a body mean something. `other`: a relayed path of which no more is known. */
export type BodyFamily =
  | 'chat'
  | 'completions'
  | 'embeddings'
  | 'responses'
  | 'messages'
  | 'count-tokens'
  | 'vllm-generate'
  | 'sglang-generate'
  | 'rerank'
  | 'score'
  | 'tokenize'
  | 'other';

export interface BodyShape {
  /** Members that the model reads, in the order in which engines render them: that is what prefix caches go by. */
  readonly prompt: readonly string[];
  /** Members whose list makes one sequence of each item; the longest counts. */
  readonly lists?: readonly string[];
  /** Where `n`, the samples of each prompt, stands; nowhere when absent. */
  readonly samples?: 'outermost' | 'sampling_params';
  /** Names of the most tokens that an answer may have, the first that is there counts. */
  readonly limits?: readonly string[];
  /** Whether `limits` stand in `sampling_params`. */
  readonly limitsInSampling?: true;
}

/** By family. The paths of each are in `routes.ts`. */
export const BODY_SHAPES: Readonly<Record<BodyFamily, BodyShape>> = {
  chat: {
    prompt: ['tools', 'messages'],
    samples: 'outermost',
    limits: ['max_completion_tokens', 'max_tokens'],
  },
  completions: { prompt: ['prompt', 'suffix'], lists: ['prompt'], samples: 'outermost', limits: ['max_tokens'] },
  embeddings: { prompt: ['input', 'messages'], lists: ['input'] },
  responses: { prompt: ['tools', 'instructions', 'input'], limits: ['max_output_tokens'] },
  messages: { prompt: ['tools', 'system', 'messages'], limits: ['max_tokens'] },
  'count-tokens': { prompt: ['tools', 'system', 'messages'] },
  'vllm-generate': {
    prompt: ['token_ids'],
    samples: 'sampling_params',
    limits: ['max_tokens'],
    limitsInSampling: true,
  },
  'sglang-generate': {
    prompt: ['text', 'input_ids'],
    lists: ['text', 'input_ids'],
    samples: 'sampling_params',
    limits: ['max_new_tokens'],
    limitsInSampling: true,
  },
  rerank: { prompt: ['query', 'documents'], lists: ['documents'] },
  score: {
    prompt: ['text_1', 'text_2', 'queries', 'documents'],
    lists: ['text_1', 'text_2', 'queries', 'documents'],
  },
  tokenize: { prompt: ['messages', 'prompt', 'tokens'] },
  other: {
    prompt: [
      ...['tools', 'system', 'instructions', 'messages', 'prompt', 'input'],
      ...['query', 'documents', 'text', 'text_1', 'text_2'],
    ],
    limits: ['max_completion_tokens', 'max_tokens', 'max_output_tokens'],
  },
};

/** vLLM's and SGLang's: what was cached for one salt is not used for another. */
export const CACHE_SALT = 'cache_salt';

/** Every name of a member that means something to some family, once. */
export const MEMBER_NAMES: readonly string[] = [
  ...new Set([
    ...['model', 'stream', 'stream_options', 'n', 'sampling_params', CACHE_SALT],
    ...Object.values(BODY_SHAPES).flatMap(({ prompt, lists = [], limits = [] }) => [...prompt, ...lists, ...limits]),
  ]),
];
