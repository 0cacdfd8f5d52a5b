// SPDX-License-Identifier: Apache-2.0

/** What comes of asking who is asking. */

import type { InFlightCap, TokenBucket } from '@fairlead/core';

export interface Identity {
  /** The fairness id of the caller's requests. */
  readonly tenant: string;
  readonly priority: number;
  /** Share relative to other tenants. */
  readonly weight: number;
  /** Where the tenant stands in a hierarchy, itself included: `org/team/tenant`; undefined when nobody says. */
  readonly path: string | undefined;
  /** The tenant's limit on requests in flight: the same object for all of its keys. */
  readonly cap: InFlightCap | undefined;
  /** Its limit on tokens a minute, shared in the same way. */
  readonly tokenBucket: TokenBucket | undefined;
  /** The tenant was proven by a configured key, or named by a trusted source. */
  readonly verified: boolean;
  /** The request comes from `identity.trustedSources`: its control headers count. */
  readonly trusted: boolean;
  /** A trusted source named an objective that is not configured; priority 0 is used instead. */
  readonly unknownObjective: boolean;
  /** Where it comes from: the connection's peer, or the client that a trusted proxy speaks for. */
  readonly address: string | undefined;
  /** The connection's peer is a trusted proxy. */
  readonly viaProxy: boolean;
}

/** The caller may not pass, or (503) nobody can say just now whether it may. Recognised by its `status`. */
export interface Refusal {
  readonly status: 401 | 503;
  /** For the client; says the same whatever was wrong with the key. */
  readonly message: string;
}
