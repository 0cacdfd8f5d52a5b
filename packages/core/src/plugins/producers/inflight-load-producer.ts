// SPDX-License-Identifier: Apache-2.0

/**
 * How much is in flight at each endpoint? Requests and sequences are counted exactly, always, by the permits; this says
 * how many tokens a request counts for between its dispatch and the end of its answer. Choose it to have the expected
 * answer counted beside the prompt: where answers are long, they are what fills the KV cache.
 *
 * The input is body bytes ÷ 4. The answer, with `addEstimatedOutputTokens`, is round(input × `outputRatio`), never more than
 * the client's own limit (`max_completion_tokens`, `max_tokens`, `max_output_tokens`) or `maxEstimatedOutputTokens`; the
 * formula is that of llm-d-router's pull request 1750.
 */

import { definePlugin, PluginError } from '../../plugin-registry/plugin.ts';
import type { Plugin } from '../../plugin-registry/plugin.ts';
import type { InferenceRequest } from '../../request/inference-request.ts';
import { inputTokensOf, wholeTokens } from '../../request/token-estimate.ts';
import type { TokenEstimator } from '../../request/token-estimate.ts';

export const inflightLoadProducer = definePlugin({
  type: 'inflight-load-producer',
  kinds: ['producer'],
  stability: 'beta',
  summary: 'Says how many tokens a request counts for while it is in flight.',
  parameters: {
    addEstimatedOutputTokens: {
      type: 'boolean',
      default: false,
      doc: 'Count the expected answer beside the input.',
    },
    outputRatio: {
      type: 'number',
      default: 1.5,
      min: 0,
      doc: 'Tokens of an answer to one token of input, where the expected answer is counted.',
    },
    maxEstimatedOutputTokens: {
      type: 'integer',
      min: 0,
      doc: 'Tokens that an answer counts for at most.',
      defaultDoc: "the client's own limit alone",
    },
    prefixMatchInfoProducerName: {
      type: 'string',
      doc: 'Not in this version: refused. The whole input is counted, cached or not.',
    },
    syncCrossReplicaState: {
      type: 'boolean',
      default: false,
      doc: 'Accepted for configurations of the reference: each replica counts what it sent itself.',
    },
  },
  create: ({ type, name, parameters }): Plugin & TokenEstimator => {
    const { addEstimatedOutputTokens, outputRatio, maxEstimatedOutputTokens = Infinity } = parameters;
    if (parameters.prefixMatchInfoProducerName !== undefined) {
      throw new PluginError(
        'parameter `prefixMatchInfoProducerName` is known to the reference but not in this version: the whole input is counted, cached or not; see docs/compatibility.md',
      );
    }
    const outputOf = (request: InferenceRequest, input: number) =>
      Math.min(Math.round(input * outputRatio), request.maxOutputTokens ?? Infinity, maxEstimatedOutputTokens);
    return {
      type,
      name,
      tokensOf: (request) => {
        const input = inputTokensOf(request);
        return addEstimatedOutputTokens ? wholeTokens(input + outputOf(request, input)) : input;
      },
    };
  },
});
