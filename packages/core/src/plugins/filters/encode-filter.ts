// SPDX-License-Identifier: Apache-2.0

/**
 * Which endpoints may get the request? Those that encode images, sound and video: whose label `llm-d.ai/role` is
 * `encode`, `encode-prefill` or `encode-prefill-decode`. Choose it for traffic that is to be encoded elsewhere than it is
 * decoded. An endpoint without the label is not one of them.
 */

import { definePlugin } from '../../plugin-registry/plugin.ts';
import { ENCODE_ROLES } from '../../endpoints/roles.ts';
import { keepsRoles } from './roles.ts';

export const encodeFilter = definePlugin({
  type: 'encode-filter',
  kinds: ['filter'],
  stability: 'beta',
  summary: 'Keeps the endpoints that encode.',
  parameters: {},
  create: (context) => keepsRoles(context, ENCODE_ROLES),
});
