// SPDX-License-Identifier: Apache-2.0

/** What filters share that look at one endpoint at a time. */

import type { Endpoint } from '../../endpoints/endpoint.ts';

/** The endpoints that `keeps` is true of: the list itself when that is all of them, because it nearly always is. */
export function kept(
  endpoints: readonly Endpoint[],
  keeps: (labels: Endpoint['labels']) => boolean,
): readonly Endpoint[] {
  return endpoints.every(({ labels }) => keeps(labels)) ? endpoints : endpoints.filter(({ labels }) => keeps(labels));
}

/** The value of a label; undefined when there is none. */
export function labelOf(labels: Endpoint['labels'], key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
