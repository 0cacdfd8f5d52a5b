// SPDX-License-Identifier: Apache-2.0

/**
 * The configuration as it runs: frozen, every default filled in, every reference an instance. Nothing downstream looks
 * a name up again.
 */

import type { EngineMetricNames } from '../model-servers/engine-metrics.ts';
import type {
  FlowControlConfig,
  Plugin,
  Producer,
  ProfileHandler,
  SaturationDetector,
  SchedulingProfile,
  TokenEstimator,
} from '@fairlead/core';

/** How a server is spoken to over TLS; paths are absolute. */
export interface TlsConfig {
  /** Authorities its certificate may come from; those of the runtime when undefined. */
  readonly caFile?: string | undefined;
  /** Our own certificate and its key; both or none. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** The name its certificate has to hold, when that is not the URL's host. */
  readonly serverName?: string | undefined;
  readonly insecureSkipVerify: boolean;
}

/** One statically configured endpoint. */
export interface EndpointConfig {
  readonly url: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Base models it serves; empty: ask its `/v1/models`. */
  readonly models: readonly string[];
  /** Environment variable that holds the key sent upstream as `Authorization: Bearer …`. */
  readonly apiKeyEnv?: string | undefined;
  /** For https URLs only. */
  readonly tls?: TlsConfig | undefined;
}

/** Endpoints behind a name. */
export interface DnsEndpointsConfig {
  /** What they have in common; its URL holds the name, its name is the beginning of theirs. */
  readonly template: EndpointConfig;
  readonly records: 'address' | 'srv';
  readonly refreshIntervalMs: number;
  /** Name servers; empty: the system's. */
  readonly servers: readonly string[];
  readonly maxEndpoints: number;
}

/** `file-discovery`: the reference's plugin and file format. */
export interface FileDiscoveryConfig {
  readonly path: string;
  readonly watchFile: boolean;
}

/** `metrics-data-source`. */
export interface MetricsSourceConfig {
  readonly scheme: 'http' | 'https';
  readonly path: string;
  /** Port of the metrics page when it is not the endpoint's own. */
  readonly port?: number | undefined;
  readonly intervalMs: number;
  /** Engine whose metric names count when an endpoint has no `llm-d.ai/engine-type` label; undefined: recognised from the page. */
  readonly defaultEngine?: string | undefined;
  readonly engineLabelKey: string;
  /** Engines beside those built in, or in place of them. */
  readonly engines?: readonly EngineMetricNames[] | undefined;
  /** For pages of endpoints that have no `tls` of their own, when the scheme is https. */
  readonly tls?: TlsConfig | undefined;
}

/** How an endpoint is let back in. */
export interface HealthConfig {
  /** Over so long the limit of one that is back grows to what it was; 0: at once. */
  readonly slowStartMs: number;
}

/** When an endpoint is set aside for what it does to requests, and for how long. */
export interface OutlierDetectionConfig {
  readonly enabled: boolean;
  readonly consecutiveFailures: number;
  readonly failureShare: number;
  /** Requests within `intervalMs` before the share counts. */
  readonly minRequests: number;
  readonly intervalMs: number;
  /** Times the median of the pool's first bytes, when that is at least `slowFirstByteMs`. */
  readonly slowFirstByteFactor: number;
  readonly slowFirstByteMs: number;
  readonly baseEjectionTimeMs: number;
  readonly maxEjectionTimeMs: number;
  /** Of a pool, those that are down included. */
  readonly maxEjectedShare: number;
}

/** The gateway's limits and times. */
export interface GatewayConfig {
  /** Largest request body. */
  readonly maxBodyBytes: number;
  /** Request bodies held at once, over all clients. */
  readonly maxBufferedBytes: number;
  /** Largest head (request line and headers). */
  readonly maxHeaderBytes: number;
  /** Complete request head within. */
  readonly maxConnections: number;
  readonly maxConnectionsPerClient: number;
  readonly maxRequestsPerClient: number;
  readonly headersTimeoutMs: number;
  /** Body bytes that stop coming for so long: the reservation is given back, 408. */
  readonly bodyIdleTimeoutMs: number;
  /** Idle client connections are kept for. */
  readonly keepAliveTimeoutMs: number;
  /** A client that reads nothing for so long while its answer is due is cut. */
  readonly clientWriteTimeoutMs: number;
  readonly clientStallTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** First byte of the model server's answer within. */
  readonly firstByteTimeoutMs: number;
  /** Silence between two chunks of the model server's answer. */
  readonly upstreamIdleTimeoutMs: number;
  /** After the first stop signal, what is accepted may take so long. */
  readonly drainTimeoutMs: number;
  /** Hand the client's Authorization header to the model server. */
  readonly forwardAuthorization: boolean;
  /** Further inference paths relayed (exact paths), beside those built in. */
  readonly relayedPaths: readonly string[];
}

/** Limits that hold a tenant's requests in the queue; undefined for none. */
export interface TenantLimits {
  readonly maxInFlight?: number | undefined;
  readonly tokensPerMinute?: number | undefined;
  /** Undefined: as many as `tokensPerMinute`. */
  readonly burstTokens?: number | undefined;
}

/** What a tenant gets, whoever shows that it is one. */
export interface TenantConfig extends TenantLimits {
  readonly tenant: string;
  readonly priority: number;
  readonly weight: number;
  /** Where it stands in a hierarchy of tenants: the names above it, `org/team`. */
  readonly path?: string | undefined;
}

export interface IdentityKey extends TenantConfig {
  /** Hex SHA-256 of the key. */
  readonly sha256: string;
}

/** Whose tokens are believed, and what they say. */
export interface JwtConfig {
  readonly issuer: string;
  /** At least one. */
  readonly audience: readonly string[];
  readonly keys:
    | { readonly jwksUrl: string }
    | { readonly jwksFile: string }
    | { readonly publicKeyFile: string }
    | { readonly secretEnv: string };
  readonly algorithms: readonly string[];
  readonly tenantClaim: string;
  readonly priorityClaim?: string | undefined;
  readonly weightClaim?: string | undefined;
  readonly clockToleranceMs: number;
}

/** Shares of tenants that have no entry of their own. */
export interface FairnessConfig {
  /** Each by `id` or by `glob`. */
  readonly weights: readonly {
    readonly id?: string | undefined;
    readonly glob?: string | undefined;
    readonly weight: number;
  }[];
  readonly defaultWeight: number;
}

export interface IdentityConfig {
  readonly keys: readonly IdentityKey[];
  readonly tenants: readonly TenantConfig[];
  readonly jwt?: JwtConfig | undefined;
  /** Shares of whoever is not among keys and tenants; all alike when undefined. */
  readonly fairness?: FairnessConfig | undefined;
  /** CIDR ranges whose control headers (fairness id, objective, SLO) count. */
  readonly trustedSources: readonly string[];
  /** CIDR ranges whose `Forwarded` and `X-Forwarded-For` count. */
  readonly trustedProxies: readonly string[];
  /** Distinct unverified tenants (hashed keys, addresses) told apart; those beyond share one. */
  readonly maxUnverifiedTenants: number;
}

export interface InferenceObjective {
  readonly name: string;
  readonly priority: number;
}

/** A rule of `modelRewrites`. */
export interface ModelRewrite {
  readonly name: string;
  /** The names it is for; empty: whatever no other rule is for. */
  readonly models: readonly string[];
  readonly targets: readonly { readonly modelRewrite: string; readonly weight?: number | undefined }[];
}

export interface ResolvedConfig {
  readonly endpoints: readonly EndpointConfig[];
  /** Entries of `endpoints` that stand for many. */
  readonly dnsEndpoints?: readonly DnsEndpointsConfig[] | undefined;
  readonly fileDiscovery?: FileDiscoveryConfig | undefined;
  /** Undefined: `dataLayer.injectDefaults` is off and no metrics source is listed, nothing is scraped. */
  readonly metricsSource?: MetricsSourceConfig | undefined;
  readonly gateway: GatewayConfig;
  readonly health: HealthConfig;
  readonly outlierDetection: OutlierDetectionConfig;
  readonly identity: IdentityConfig;
  readonly inferenceObjectives: readonly InferenceObjective[];
  readonly modelRewrites?: readonly ModelRewrite[] | undefined;
  /** Off: requests are dispatched as they come (the reference's gate `flowControl`; on by default in `serve`). */
  readonly flowControlEnabled: boolean;
  readonly flowControl: FlowControlConfig;
  readonly detector: SaturationDetector;
  /** What a request counts for in tokens; undefined: its input alone. */
  readonly tokens?: TokenEstimator | undefined;
  readonly scheduling: {
    readonly handler: ProfileHandler;
    readonly profiles: readonly SchedulingProfile[];
    /** Those that the profiles' plugins refer to. */
    readonly producers?: readonly Producer[] | undefined;
  };
  /** Every plugin instance, for `/state`. */
  readonly plugins: readonly Plugin[];
}
