// SPDX-License-Identifier: Apache-2.0

/**
 * The errors a client sees, in the shape vLLM gives them (`{"error": {message, type, param, code}}`, Anthropic's own for
 * its messages), and SGLang for its own API.
 */

import { STATUS_CODES } from 'node:http';

/** Whose shape. */
export type ErrorFormat = 'openai' | 'anthropic' | 'sglang';

/** A request that gets an error answer. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  /** vLLM's error type; where its web framework answers instead, the status in words. */
  readonly type: string;
  readonly param: string | null;

  constructor(status: number, message: string, about: { type?: string; param?: string } = {}) {
    super(message);
    this.status = status;
    this.type = about.type ?? STATUS_CODES[status] ?? 'Error';
    this.param = about.param ?? null;
  }

  body(format: ErrorFormat): string {
    const { message, type } = this;
    if (format === 'anthropic') return JSON.stringify({ type: 'error', error: { type, message } });
    if (format === 'sglang') return JSON.stringify({ error: { message } });
    return JSON.stringify({
      error: { message: this.message, type: this.type, param: this.param, code: this.status },
    });
  }
}

/** A field whose value is not acceptable: 400. */
export function badField(param: string, message: string): ApiError {
  return new ApiError(400, message, { type: 'BadRequestError', param });
}

/** A required field that is absent: 400, worded as vLLM's validation does. */
export function missingField(param: string): ApiError {
  return new ApiError(400, `[{'type': 'missing', 'loc': ('body', '${param}'), 'msg': 'Field required'}]`, { param });
}
