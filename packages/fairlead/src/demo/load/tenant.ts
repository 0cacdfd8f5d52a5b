// SPDX-License-Identifier: Apache-2.0

/**
 * Tenants as data: who sends how often, and how much is generated for each request. The demo and the benchmarks are
 * made of these, so that "the same load" means the same value.
 */

/** Requests come when they come, whether or not earlier ones were answered. */
export interface OpenArrivals {
  readonly kind: 'open';
  readonly requestsPerS: number;
  /** As independent people come (a Poisson process), or evenly spaced. */
  readonly spacing: 'poisson' | 'even';
}

/** So many callers, each of which waits for its answer, thinks, and asks again. */
export interface ClosedArrivals {
  readonly kind: 'closed';
  readonly loops: number;
  /** Mean of an exponential distribution; 0 = asks again at once. */
  readonly thinkMs: number;
}

/** One tenant of the load. */
export interface Tenant {
  readonly name: string;
  /** Sent as `Authorization: Bearer …`; absent = no credentials. */
  readonly apiKey?: string;
  /** Where it sends, without a slash at the end; absent = the load's own target. */
  readonly baseUrl?: string;
  readonly arrivals: OpenArrivals | ClosedArrivals;
  /** Output tokens of a request, drawn uniformly, both ends included. */
  readonly outputTokens: { readonly min: number; readonly max: number };
}
