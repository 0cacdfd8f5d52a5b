// SPDX-License-Identifier: Apache-2.0

/** The `gateway` section: its limits and times, which the schema has checked one by one. */

import { renderParameters } from '@fairlead/core';
import type { Resolution, Section } from './resolution.ts';
import type { GatewayConfig } from './resolved.ts';
import { gatewayFields } from './schema-gateway.ts';

export function resolveGateway({ fields, problems }: Resolution): Section<GatewayConfig> {
  const { gateway } = fields;
  if (gateway.maxBodyBytes > gateway.maxBufferedBytes) {
    const allowed = `at most maxBufferedBytes (${gateway.maxBufferedBytes})`;
    const message = `must be ${allowed}, got ${gateway.maxBodyBytes}: the largest body would never fit`;
    problems.push({ path: ['gateway', 'maxBodyBytes'], message, value: gateway.maxBodyBytes, allowed });
  }
  return {
    document: renderParameters(gatewayFields, gateway),
    resolved: {
      maxBodyBytes: gateway.maxBodyBytes,
      maxBufferedBytes: gateway.maxBufferedBytes,
      maxHeaderBytes: gateway.maxHeaderBytes,
      maxConnections: gateway.maxConnections,
      maxConnectionsPerClient: gateway.maxConnectionsPerClient,
      maxRequestsPerClient: gateway.maxRequestsPerClient,
      headersTimeoutMs: gateway.headersTimeout,
      bodyIdleTimeoutMs: gateway.bodyIdleTimeout,
      keepAliveTimeoutMs: gateway.keepAliveTimeout,
      clientWriteTimeoutMs: gateway.clientWriteTimeout,
      clientStallTimeoutMs: gateway.clientStallTimeout,
      requestTimeoutMs: gateway.requestTimeout,
      connectTimeoutMs: gateway.connectTimeout,
      firstByteTimeoutMs: gateway.firstByteTimeout,
      upstreamIdleTimeoutMs: gateway.upstreamIdleTimeout,
      drainTimeoutMs: gateway.drainTimeout,
      forwardAuthorization: gateway.forwardAuthorization,
      relayedPaths: gateway.relayedPaths.filter((path) => path !== undefined),
    },
  };
}
