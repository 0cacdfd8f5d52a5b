// SPDX-License-Identifier: Apache-2.0

/**
 * Which headers stop at the gateway, as data. Four reasons: they speak of one connection and not of the request, they
 * steer (us, or a picker behind us) and are neither believed nor passed on, they say who somebody speaks for and nobody
 * vouches for it, or they are secrets meant for us.
 */

/** Of one connection only (RFC 9110 §7.6.1, and what clients send in the same spirit). Never relayed, either way. */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** Written anew on the way, or answered already (`expect`): a client's are not sent upstream. */
export const REWRITTEN_UPSTREAM: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'expect',
  'x-request-id',
  // Answers are read in passing for their usage, so they have to come uncompressed.
  'accept-encoding',
]);

/** Secrets of the client: sent upstream only with `gateway.forwardAuthorization`. */
export const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'x-api-key', 'api-key', 'cookie']);

/** Who a proxy says it speaks for. Passed on only from `identity.trustedProxies`: anybody else can write anything there. */
const FORWARDING: ReadonlySet<string> = new Set([
  'forwarded',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
]);

/** Whether a header (lower case) says who a proxy speaks for. */
export function isForwarding(name: string): boolean {
  return name.startsWith('x-forwarded') || FORWARDING.has(name);
}

/** Steering by prefix: ours, the reference's current names, its older ones. */
const CONTROL_PREFIXES = ['x-fairlead-', 'x-llm-d-', 'x-gateway-'] as const;

/** Steering that no prefix covers (the reference's SLO, disaggregation, session and test headers, and its marker). */
const CONTROL_NAMES: ReadonlySet<string> = new Set([
  'x-slo-ttft-ms',
  'x-slo-tpot-ms',
  'x-went-into-resp-headers',
  'x-prefiller-host-port',
  'x-encoder-hosts-ports',
  'x-data-parallel-host-port',
  'x-kv-cache-source-host-port',
  'test-epp-endpoint-selection',
]);

/** Whether a header (lower case) steers. */
export function isControl(name: string): boolean {
  return name.startsWith('x-') ? CONTROL_NAMES.has(name) || hasControlPrefix(name) : CONTROL_NAMES.has(name);
}

function hasControlPrefix(name: string): boolean {
  return CONTROL_PREFIXES.some((prefix) => name.startsWith(prefix));
}

/** A model server's words about its own connection or its own request ids, which would contradict ours. */
export const DROPPED_FROM_ANSWERS: ReadonlySet<string> = new Set(['x-request-id', 'request-id', 'alt-svc']);
