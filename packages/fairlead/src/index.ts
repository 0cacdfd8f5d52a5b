// SPDX-License-Identifier: Apache-2.0

/**
 * The `fairlead` package as a library: what a program that embeds or tests against Fairlead's servers needs. The flow
 * controller itself is `@fairlead/core`.
 */

export { startModelServer } from './model-server/model-server.ts';
export type { ModelServer, ModelServerOptions, ModelServerStats } from './model-server/model-server.ts';
