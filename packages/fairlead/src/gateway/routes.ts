// SPDX-License-Identifier: Apache-2.0

/**
 * The routes, as a table: which paths are inference and in whose dialect. It is an allow-list, because a model server
 * also answers on paths that are nobody's business but its operator's (loading adapters, sleeping, profiling).
 */

import type { RequestHeaders } from '../tenancy/control-names.ts';
import type { BodyFamily } from './protocol/body-shapes.ts';
import type { ApiFormat } from './protocol/error-bodies.ts';

/** One relayed path. */
export interface InferenceRoute {
  readonly kind: 'inference';
  readonly path: string;
  readonly api: ApiFormat;
  readonly family: BodyFamily;
}

export type Route =
  | InferenceRoute
  | { readonly kind: 'models'; readonly path: '/v1/models' }
  | { readonly kind: 'model'; readonly path: '/v1/models/{id}'; readonly id: string }
  | { readonly kind: 'unknown'; readonly api: ApiFormat }
  /** Something that was stored, which nothing is here. */
  | { readonly kind: 'stored'; readonly api: ApiFormat }
  | { readonly kind: 'wrong-method'; readonly api: ApiFormat; readonly path: string; readonly allow: string };

/** Paths by API, and what their bodies are. */
const PATHS: Readonly<Record<ApiFormat, Readonly<Record<string, BodyFamily>>>> = {
  openai: {
    '/v1/chat/completions': 'chat',
    '/v1/completions': 'completions',
    '/v1/embeddings': 'embeddings',
    '/v1/rerank': 'rerank',
    '/rerank': 'rerank',
    '/v1/score': 'score',
    '/score': 'score',
    '/pooling': 'embeddings',
    '/classify': 'embeddings',
    '/tokenize': 'tokenize',
    '/detokenize': 'tokenize',
  },
  responses: { '/v1/responses': 'responses' },
  anthropic: { '/v1/messages': 'messages', '/v1/messages/count_tokens': 'count-tokens' },
  vllm: { '/inference/v1/generate': 'vllm-generate' },
  sglang: { '/generate': 'sglang-generate' },
};

/** Where the APIs keep what was asked before. Paths that are served are found first. */
const STORED = [
  ...['/v1/responses', '/v1/conversations', '/v1/chat/completions'],
  ...['/v1/messages/batches', '/v1/batches', '/v1/files'],
];

const MODELS = '/v1/models';
const READ_METHODS = 'GET, HEAD';

export class Routes {
  readonly #inference = new Map<string, InferenceRoute>();

  /** `relayedPaths`: further paths, relayed as they are, in OpenAI's dialect. */
  constructor(relayedPaths: readonly string[]) {
    for (const path of relayedPaths) this.#add(path, 'openai', 'other');
    for (const [api, paths] of Object.entries(PATHS)) {
      for (const [path, family] of Object.entries(paths)) this.#add(path, api as ApiFormat, family);
    }
  }

  /** Every path that is relayed to model servers. */
  get inferencePaths(): readonly string[] {
    return [...this.#inference.keys()];
  }

  /** Finds the route of a request target; the query is not part of it. */
  find(method: string, target: string): Route {
    const path = pathOf(target);
    const inference = this.#inference.get(path);
    if (inference !== undefined) {
      return method === 'POST' ? inference : { kind: 'wrong-method', api: inference.api, path, allow: 'POST' };
    }
    const models = modelsRoute(path);
    if (models === undefined) {
      return {
        kind: isStored(path) ? 'stored' : 'unknown',
        api: /^\/v1\/messages\b/.test(path) ? 'anthropic' : 'openai',
      };
    }
    if (method === 'GET' || method === 'HEAD') return models;
    return { kind: 'wrong-method', api: 'openai', path: models.path, allow: READ_METHODS };
  }

  #add(path: string, api: ApiFormat, family: BodyFamily): void {
    this.#inference.set(path, { kind: 'inference', path, api, family });
  }
}

/** Whose clients ask: the path says so, and where both ask alike, the header that all of Anthropic's clients send. */
export function apiOf(route: Route, headers: RequestHeaders): ApiFormat {
  if (route.kind === 'inference') return route.api;
  if (headers['anthropic-version'] !== undefined) return 'anthropic';
  return 'api' in route ? route.api : 'openai';
}

/** Path and query of a request target, which proxies may send in absolute form. */
export function originForm(target: string): string {
  if (target.startsWith('/')) return target;
  const absolute = /^https?:\/\/[^/?#]*/i.exec(target);
  if (absolute === null) return target;
  const rest = target.slice(absolute[0].length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function pathOf(target: string): string {
  const form = originForm(target);
  const query = form.indexOf('?');
  return query < 0 ? form : form.slice(0, query);
}

function isStored(path: string): boolean {
  return STORED.some((root) => path === root || (path.startsWith(`${root}/`) && path.length > root.length + 1));
}

function modelsRoute(path: string): Extract<Route, { kind: 'models' | 'model' }> | undefined {
  if (path === MODELS) return { kind: 'models', path: MODELS };
  if (!path.startsWith(`${MODELS}/`) || path.length === MODELS.length + 1) return undefined;
  try {
    return { kind: 'model', path: '/v1/models/{id}', id: decodeURIComponent(path.slice(MODELS.length + 1)) };
  } catch {
    return undefined;
  }
}
