// SPDX-License-Identifier: Apache-2.0

/**
 * The routes, as a table: which paths are inference and in whose dialect. It is an allow-list, because a model server
 * also answers on paths that are nobody's business but its operator's (loading adapters, sleeping, profiling).
 */

/** Whose error and stream format the client expects. */
export type Api = 'openai' | 'anthropic';

/** How a body is read for its sequences and limits. */
export type Family = 'chat' | 'completions' | 'embeddings' | 'other';

/** One relayed path. */
export interface InferenceRoute {
  readonly kind: 'inference';
  readonly path: string;
  readonly api: Api;
  readonly family: Family;
}

export type Route =
  | InferenceRoute
  | { readonly kind: 'models'; readonly path: '/v1/models' }
  | { readonly kind: 'model'; readonly path: '/v1/models/{id}'; readonly id: string }
  | { readonly kind: 'unknown'; readonly api: Api }
  | { readonly kind: 'wrong-method'; readonly api: Api; readonly path: string; readonly allow: string };

const OPENAI: Readonly<Record<string, Family>> = {
  '/v1/chat/completions': 'chat',
  '/v1/completions': 'completions',
  '/v1/embeddings': 'embeddings',
  '/v1/responses': 'other',
  '/v1/rerank': 'other',
  '/rerank': 'other',
  '/v1/score': 'other',
  '/score': 'other',
  '/pooling': 'other',
  '/classify': 'other',
  '/tokenize': 'other',
  '/detokenize': 'other',
  '/generate': 'other',
  '/inference/v1/generate': 'other',
};

const ANTHROPIC = ['/v1/messages', '/v1/messages/count_tokens'];

const MODELS = '/v1/models';
const READ_METHODS = 'GET, HEAD';

export class Routes {
  readonly #inference = new Map<string, InferenceRoute>();

  /** `relayedPaths`: further paths, relayed as they are, in OpenAI's dialect. */
  constructor(relayedPaths: readonly string[]) {
    for (const path of relayedPaths) this.#add(path, 'openai', 'other');
    for (const [path, family] of Object.entries(OPENAI)) this.#add(path, 'openai', family);
    for (const path of ANTHROPIC) this.#add(path, 'anthropic', 'other');
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
    if (models === undefined) return { kind: 'unknown', api: path.startsWith('/v1/messages') ? 'anthropic' : 'openai' };
    if (method === 'GET' || method === 'HEAD') return models;
    return { kind: 'wrong-method', api: 'openai', path: models.path, allow: READ_METHODS };
  }

  #add(path: string, api: Api, family: Family): void {
    this.#inference.set(path, { kind: 'inference', path, api, family });
  }
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

function modelsRoute(path: string): Extract<Route, { kind: 'models' | 'model' }> | undefined {
  if (path === MODELS) return { kind: 'models', path: MODELS };
  if (!path.startsWith(`${MODELS}/`) || path.length === MODELS.length + 1) return undefined;
  try {
    return { kind: 'model', path: '/v1/models/{id}', id: decodeURIComponent(path.slice(MODELS.length + 1)) };
  } catch {
    return undefined;
  }
}
