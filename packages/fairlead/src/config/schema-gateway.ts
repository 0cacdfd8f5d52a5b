// SPDX-License-Identifier: Apache-2.0

/** The sections of the configuration file that the reference does not have: the gateway and the identity of callers. */

import type { ParameterSpecs } from '@fairlead/core';
import { jwtFields } from './schema-jwt.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const DAY_MS = 24 * 60 * MINUTE_MS;

const time = { type: 'duration', min: 1, max: DAY_MS } as const;

export const gatewayFields = {
  maxBodyBytes: {
    type: 'quantity',
    default: 32 * MiB,
    min: 1,
    max: 4 * GiB,
    doc: 'Largest request body; a larger one is answered 413.',
  },
  maxBufferedBytes: {
    type: 'quantity',
    default: 512 * MiB,
    min: 1,
    doc: 'Request bodies held at once over all clients, each counted with 24 KiB more for what its request costs besides (and with what its head has beyond 2 KiB); beyond, 429. Several requests of one tenant (of one address, when nobody proved the tenant) get half of it at most. At least `maxBodyBytes`.',
  },
  maxHeaderBytes: {
    type: 'quantity',
    default: 64 * KiB,
    min: 1 * KiB,
    max: 1 * MiB,
    doc: 'Largest request head (request line and headers).',
  },
  maxConnections: {
    type: 'integer',
    default: 16_384,
    min: 1,
    max: 1_000_000,
    doc: 'Connections of clients open at once; further ones are closed as they come. Each may hold a head that is not complete, which no other limit counts: so many of the default size are 1 GiB.',
  },
  maxConnectionsPerClient: {
    type: 'integer',
    default: 8_192,
    min: 1,
    max: 1_000_000,
    doc: 'Connections from one address (IPv6: one /64) open at once; further ones are closed as they come. `identity.trustedProxies` are exempt.',
  },
  maxRequestsPerClient: {
    type: 'integer',
    default: 8_192,
    min: 1,
    max: 1_000_000,
    doc: 'Requests of one tenant (of one address, when nobody proved the tenant) under way at once, waiting ones included; beyond, 429.',
  },
  headersTimeout: { ...time, default: 15 * SECOND_MS, doc: 'A complete request head within this time, or 408.' },
  bodyIdleTimeout: {
    ...time,
    default: 10 * SECOND_MS,
    doc: 'A body of which nothing comes for so long is given up: 408.',
  },
  keepAliveTimeout: { ...time, default: 75 * SECOND_MS, doc: 'How long idle connections of clients are kept.' },
  clientWriteTimeout: {
    ...time,
    default: 60 * SECOND_MS,
    doc: 'A client that reads nothing of its answer for so long is cut.',
  },
  clientStallTimeout: {
    ...time,
    default: 2 * MINUTE_MS,
    doc: 'A client that has held up its answer for so long in all, while a model server was still at it, is cut.',
  },
  requestTimeout: {
    ...time,
    default: 60 * MINUTE_MS,
    doc: 'From the head of a request to the last byte of its answer; beyond, 504, or the end of a stream with an error event.',
  },
  connectTimeout: { ...time, default: 5 * SECOND_MS, doc: 'Time to connect to a model server.' },
  firstByteTimeout: {
    ...time,
    default: 15 * MINUTE_MS,
    doc: "First byte of a model server's answer within this time, or 504.",
  },
  upstreamIdleTimeout: {
    ...time,
    default: 5 * MINUTE_MS,
    doc: "Longest silence between two pieces of a model server's answer.",
  },
  drainTimeout: {
    type: 'duration',
    min: 0,
    max: DAY_MS,
    default: 30 * SECOND_MS,
    doc: 'After the first stop signal, how long what was accepted may take.',
  },
  forwardAuthorization: {
    type: 'boolean',
    default: false,
    doc: "Hand the client's `Authorization` header to the model server.",
  },
  relayedPaths: {
    type: 'list',
    default: [],
    maxItems: 100,
    of: {
      type: 'string',
      pattern: { test: /^\/[!"$->@-~]*$/, allowed: 'an exact path that begins with /, without ? and #' },
      doc: 'A path.',
    },
    doc: 'Further inference paths that are relayed, beside those built in.',
  },
} as const satisfies ParameterSpecs;

/** A priority as Kubernetes stores it. */
export const priority = { type: 'integer', min: -2_147_483_648, max: 2_147_483_647 } as const;

/** What people call an endpoint or a tenant: short enough for a label, and without anything that breaks a line. */
export const shortName = { test: /^[!-~]{1,128}$/, allowed: '1 to 128 printable characters without spaces' } as const;

export const digest = {
  test: /^(sha256:)?[0-9A-Fa-f]{64}$/,
  allowed: '64 hexadecimal digits (the SHA-256 of the key)',
} as const;

const priorityDoc = 'The band of its requests; higher is served first.';

export const weight = {
  type: 'number',
  min: 0,
  exclusiveMin: true,
  max: 1_000_000,
  doc: 'Share relative to other tenants, for fairness policies that weigh.',
} as const;

const tenantPath = {
  type: 'string',
  pattern: {
    test: /^[!-.0-~]{1,64}(\/[!-.0-~]{1,64}){0,6}$/,
    allowed: 'one to seven names of printable characters without spaces, separated by slashes, such as `acme/research`',
  },
  doc: 'What stands above it where tenants share in a hierarchy (`hierarchical-fairness-policy`): `org/team`.',
} as const;

const limitFields = {
  maxInFlight: {
    type: 'integer',
    min: 1,
    defaultDoc: 'no limit',
    doc: "The tenant's requests at model servers at once; more of them wait. The lowest that is named for it counts.",
  },
  tokensPerMinute: {
    type: 'quantity',
    min: 1,
    defaultDoc: 'no limit',
    doc: "The tenant's tokens a minute, prompts and answers; who has none left waits. The lowest that is named for it counts.",
  },
  burstTokens: {
    type: 'quantity',
    min: 1,
    defaultDoc: '`tokensPerMinute`',
    doc: 'Tokens that the tenant may use at once after a silence.',
  },
} as const satisfies ParameterSpecs;

const tenantFields = {
  tenant: { type: 'string', required: true, pattern: shortName, doc: 'Who it is; unique.' },
  priority: { ...priority, default: 0, doc: priorityDoc },
  weight: { ...weight, defaultDoc: 'by `fairness.weights`' },
  path: tenantPath,
  ...limitFields,
} as const satisfies ParameterSpecs;

export const keyFields = {
  sha256: {
    type: 'string',
    hidden: true,
    pattern: digest,
    defaultDoc: 'required, unless `hash` is given',
    doc: 'SHA-256 of the key, hexadecimal; unique.',
  },
  hash: { type: 'string', hidden: true, pattern: digest, doc: 'Another name of `sha256`.' },
  tenant: {
    type: 'string',
    required: true,
    pattern: shortName,
    doc: 'Whose key it is: the fairness id of its requests. Several keys may share one.',
  },
  priority: { ...priority, defaultDoc: "the tenant's, else `0`", doc: priorityDoc },
  weight: { ...weight, defaultDoc: "the tenant's, else by `fairness.weights`" },
  path: { ...tenantPath, defaultDoc: "the tenant's, else none" },
  ...limitFields,
} as const satisfies ParameterSpecs;

export const identityFields = {
  keys: {
    type: 'list',
    hidden: true,
    default: [],
    of: { type: 'object', hidden: true, fields: keyFields, doc: 'A key.' },
    doc: 'API keys. With any configured, who shows none of them is answered 401.',
  },
  tenants: {
    type: 'list',
    default: [],
    of: { type: 'object', fields: tenantFields, doc: 'A tenant.' },
    doc: 'What tenants get, however they show who they are.',
  },
  jwt: {
    type: 'object',
    fields: jwtFields,
    doc: 'Tokens (JWT) of an issuer, shown as a key is. With it, who shows neither a token nor a key is answered 401.',
  },
  trustedSources: {
    type: 'list',
    default: [],
    of: { type: 'string', doc: 'Addresses.' },
    doc: 'Addresses (`10.0.0.0/8`, `fd00::/8`) whose control headers (fairness id, objective, SLO) count.',
  },
  trustedProxies: {
    type: 'list',
    default: [],
    of: { type: 'string', doc: 'Addresses.' },
    doc: 'Addresses of proxies whose `Forwarded` and `X-Forwarded-For` say who the client is; from anyone else these headers are neither believed nor passed on.',
  },
  maxUnverifiedTenants: {
    type: 'integer',
    default: 1_000,
    min: 1,
    max: 1_000_000,
    doc: 'Callers without a configured key that are told apart; those beyond share one flow.',
  },
} as const satisfies ParameterSpecs;
