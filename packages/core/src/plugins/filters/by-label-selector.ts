// SPDX-License-Identifier: Apache-2.0

/**
 * The older name of label-selector-filter, in every respect the same. Here for configurations of the reference, which
 * deprecates it: choose the newer one.
 */

import { definePlugin } from '../../plugin-registry/plugin.ts';
import { labelSelectorFilter } from './label-selector-filter.ts';

export const byLabelSelector = definePlugin({
  ...labelSelectorFilter,
  type: 'by-label-selector',
  summary: 'The older name of label-selector-filter; deprecated.',
});
