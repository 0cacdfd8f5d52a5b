// SPDX-License-Identifier: Apache-2.0

/**
 * Which endpoints may get the request? Those that decode: whose label `llm-d.ai/role` is `decode`, `prefill-decode`, `both`
 * or `encode-prefill-decode`, and those without the label. Choose it where servers for prefill stand in the same pool:
 * a request sent whole belongs on a server that does all of it.
 */

import { definePlugin } from '../../plugin-registry/plugin.ts';
import { DECODE_ROLES } from '../../endpoints/roles.ts';
import { keepsRoles } from './roles.ts';

export const decodeFilter = definePlugin({
  type: 'decode-filter',
  kinds: ['filter'],
  stability: 'beta',
  summary: 'Keeps the endpoints that decode, and those without a role.',
  parameters: {},
  create: (context) => keepsRoles(context, DECODE_ROLES),
});
