// SPDX-License-Identifier: Apache-2.0

/**
 * Which endpoints may get the request? Those that prefill: whose label `llm-d.ai/role` is `prefill`, `encode-prefill`,
 * `prefill-decode`, `both` or `encode-prefill-decode`. Choose it for traffic that is to be prefilled elsewhere than it is
 * decoded. An endpoint without the label is not one of them.
 */

import { definePlugin } from '../../plugin-registry/plugin.ts';
import { PREFILL_ROLES } from '../../endpoints/roles.ts';
import { keepsRoles } from './roles.ts';

export const prefillFilter = definePlugin({
  type: 'prefill-filter',
  kinds: ['filter'],
  stability: 'beta',
  summary: 'Keeps the endpoints that prefill.',
  parameters: {},
  create: (context) => keepsRoles(context, PREFILL_ROLES),
});
