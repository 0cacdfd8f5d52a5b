// SPDX-License-Identifier: Apache-2.0

/** The label that says which part of inference a model server does, and what its values mean. */

import type { Endpoint } from './endpoint.ts';

/** The reference's label. */
export const ROLE_LABEL = 'llm-d.ai/role';

/** Roles of servers that prefill and decode, and may encode. */
const both = ['prefill-decode', 'both', 'encode-prefill-decode'];

/** A role; undefined for an endpoint without the label. */
export type Role = string | undefined;

export const DECODE_ROLES: readonly Role[] = ['decode', ...both, undefined];
export const PREFILL_ROLES: readonly Role[] = ['prefill', 'encode-prefill', ...both];
export const ENCODE_ROLES: readonly Role[] = ['encode', 'encode-prefill', 'encode-prefill-decode'];

export function roleOf({ labels }: Pick<Endpoint, 'labels'>): Role {
  return Object.hasOwn(labels, ROLE_LABEL) ? labels[ROLE_LABEL] : undefined;
}
