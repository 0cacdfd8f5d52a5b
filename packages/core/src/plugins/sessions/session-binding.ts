// SPDX-License-Identifier: Apache-2.0

/**
 * Which endpoint a request's session is bound to, as the scorer and the filter of sessions share it. Either the client
 * carries the binding (`encoded_endpoint_header`: every answer has a header that names its endpoint, to be sent with the
 * next request; nothing is kept here), or it is kept here under an id that the client gives (`session_id`).
 */

import type { Endpoint } from '../../endpoints/endpoint.ts';
import type { ParameterSpecs, ParametersOf } from '../../plugin-registry/parameters.ts';
import type { InferenceRequest } from '../../request/inference-request.ts';
import type { Producer } from '../../scheduling/contracts.ts';
import { endpointToken } from './endpoint-token.ts';

/** Sessions remembered; those used longest ago are forgotten first. */
const MAX_SESSIONS = 65_536;
/** Longer ids are none. */
const MAX_ID_LENGTH = 256;

/** A header of an answer that can be given away: not one by which the answer itself is read. */
const FREE_HEADER = {
  test: /^(?!(?:connection|content-.*|transfer-encoding|date|retry-after|set-cookie|te|trailer|upgrade)$)[!#$%&'*+.^_`|~0-9A-Za-z-]+$/i,
  allowed: 'the name of a header that is not one of HTTP itself',
};

export const sessionParameters = {
  strategy: {
    type: 'string',
    default: 'encoded_endpoint_header',
    choices: ['encoded_endpoint_header', 'session_id'],
    doc: 'Whether the client carries the name of its endpoint, or an id under which it is kept here.',
  },
  encodedEndpointHeaderConfig: {
    type: 'object',
    default: {},
    doc: 'For `encoded_endpoint_header`.',
    fields: {
      header: {
        type: 'string',
        default: 'x-session-token',
        pattern: FREE_HEADER,
        doc: 'Header that answers carry and requests bring back.',
      },
    },
  },
  sessionIdConfig: {
    type: 'object',
    default: {},
    doc: 'For `session_id`.',
    fields: {
      sources: {
        type: 'list',
        default: [{ header: 'x-session-id' }],
        doc: 'Where the id may stand, the first that is there counts.',
        of: {
          type: 'object',
          doc: 'A place.',
          fields: { header: { type: 'string', required: true, pattern: FREE_HEADER, doc: 'Header of the request.' } },
        },
      },
      evictionTtlSeconds: {
        type: 'number',
        default: 300,
        min: 0,
        exclusiveMin: true,
        doc: 'Seconds after its last request at which a session is forgotten.',
      },
      evictionSweepSeconds: {
        type: 'number',
        default: 10,
        min: 0,
        doc: 'Accepted for configurations of the reference: every dispatch forgets what is due.',
      },
    },
  },
  profileName: {
    type: 'string',
    doc: 'Accepted for configurations of the reference: a request has one endpoint.',
  },
} as const satisfies ParameterSpecs;

/** Says who is bound to whom; the methods of a producer keep it so. */
export interface SessionBinding extends Pick<Producer, 'requestHeaders' | 'dispatched' | 'answerHeaders'> {
  isBound(request: InferenceRequest, endpoint: Endpoint): boolean;
}

/** A binding of its own for each plugin instance. */
export function sessionBinding(parameters: ParametersOf<typeof sessionParameters>): SessionBinding {
  const { strategy, encodedEndpointHeaderConfig, sessionIdConfig } = parameters;
  if (strategy === 'encoded_endpoint_header') return carriedBinding(encodedEndpointHeaderConfig.header.toLowerCase());
  const headers = sessionIdConfig.sources.map(({ header }) => header.toLowerCase());
  return keptBinding(headers, sessionIdConfig.evictionTtlSeconds * 1000);
}

function carriedBinding(header: string): SessionBinding {
  return {
    requestHeaders: [header],
    isBound: ({ headers }, endpoint) => headers?.[header] === endpointToken(endpoint),
    answerHeaders: (_request, endpoint) => ({ [header]: endpointToken(endpoint) }),
  };
}

function keptBinding(headers: readonly string[], ttlMs: number): SessionBinding {
  /** In order of use, the latest last. */
  const sessions = new Map<string, { readonly endpoint: string; readonly usedMs: number }>();
  const keyOf = (request: InferenceRequest): string | undefined => {
    const id = headers.map((header) => request.headers?.[header]).find((value) => value !== undefined);
    // Nobody's id means another tenant's session, nor one of another model.
    return id === undefined || id.length > MAX_ID_LENGTH
      ? undefined
      : JSON.stringify([request.fairnessId, request.targetModel, id]);
  };
  return {
    requestHeaders: headers,
    isBound: (request, endpoint) => {
      const key = keyOf(request);
      const session = key === undefined ? undefined : sessions.get(key);
      return session?.endpoint === endpoint.name && request.receivedMs - session.usedMs <= ttlMs;
    },
    dispatched: (request, endpoint, nowMs) => {
      for (const [oldest, { usedMs }] of sessions) {
        if (nowMs - usedMs <= ttlMs && sessions.size <= MAX_SESSIONS) break;
        sessions.delete(oldest);
      }
      const key = keyOf(request);
      if (key === undefined) return undefined;
      sessions.delete(key);
      sessions.set(key, { endpoint: endpoint.name, usedMs: nowMs });
      return undefined;
    },
  };
}
