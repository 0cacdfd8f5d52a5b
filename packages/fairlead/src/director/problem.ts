// SPDX-License-Identifier: Apache-2.0

/**
 * Why a request gets no answer of a model server, in words that every front door can translate into its own error
 * format. Everything the director itself can find wrong is made here.
 */

import type { Drop } from '@fairlead/core';

/** One refusal or failure. */
export interface Problem {
  /** HTTP status. */
  readonly status: number;
  /** Short and stable, one of a small set: what reports count and clients may switch on. */
  readonly code: string;
  /** One sentence for the person who sent the request. */
  readonly message: string;
  /** The field or header it is about. */
  readonly param?: string | undefined;
  /** Value of `x-llm-d-request-dropped-reason`. */
  readonly dropReason?: string | undefined;
  /** When to come back; every 429 and 503 has one. */
  readonly retryAfterMs?: number | undefined;
  /** Sending the same again by itself can only do harm: clients that retry without being asked are told not to. */
  readonly isFinal?: boolean | undefined;
}

/** Names listed in a message at most. */
const LISTED_MODELS = 20;

/** Who is told that this gateway stops may find another, or its successor, at once. */
const SUCCESSOR_MS = 1000;
/** Servers that have not told their models yet are asked every few seconds. */
const MODELS_RETRY_MS = 5000;

/** The wait ended without a dispatch. */
export function dropped(drop: Drop, retryAfterMs: number): Problem {
  return {
    status: drop.status,
    code: drop.reason ?? 'internal',
    message: drop.message,
    dropReason: drop.reason,
    retryAfterMs: drop.status === 500 ? undefined : isStopping(drop) ? SUCCESSOR_MS : retryAfterMs,
    isFinal: !drop.retryable,
  };
}

/** No pool serves the model. */
export function unknownModel(model: string, served: readonly string[]): Problem {
  return {
    status: 404,
    code: 'model_not_found',
    message: `The model \`${model}\` does not exist; served here: ${listed(served)}.`,
    param: 'model',
  };
}

/** The body names no model, and there is more than one pool to choose from. */
export function missingModel(served: readonly string[]): Problem {
  return {
    status: 400,
    code: 'missing_model',
    message: `The request body must name a \`model\`; served here: ${listed(served)}.`,
    param: 'model',
  };
}

/** It is not known yet which models are served; `served` are those known so far. */
export function modelsNotKnown(served: readonly string[]): Problem {
  const known = `So far only these models are known to be served: ${listed(served)}; other model servers have yet to tell.`;
  return {
    status: 503,
    code: 'rejected-no-endpoints',
    message: served.length === 0 ? 'No model server has told yet which models it serves.' : known,
    dropReason: 'rejected-no-endpoints',
    retryAfterMs: MODELS_RETRY_MS,
  };
}

function isStopping({ reason }: Drop): boolean {
  return reason === 'rejected-shutting-down';
}

function listed(models: readonly string[]): string {
  if (models.length === 0) return 'nothing';
  const rest = models.length - LISTED_MODELS;
  const named = models.slice(0, LISTED_MODELS).join(', ');
  return rest > 0 ? `${named} and ${rest} more` : named;
}
