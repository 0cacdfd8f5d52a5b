// SPDX-License-Identifier: Apache-2.0

/** The label that says which part of inference a model server does, and what its values mean to the role filters. */

import type { Filter } from '../../scheduling/contracts.ts';
import { kept, labelOf } from './kept.ts';

/** The reference's label. */
const ROLE_LABEL = 'llm-d.ai/role';

/** Roles of servers that prefill and decode, and may encode. */
const both = ['prefill-decode', 'both', 'encode-prefill-decode'];

export const DECODE_ROLES: readonly (string | undefined)[] = ['decode', ...both, undefined];
export const PREFILL_ROLES: readonly (string | undefined)[] = ['prefill', 'encode-prefill', ...both];
export const ENCODE_ROLES: readonly (string | undefined)[] = ['encode', 'encode-prefill', 'encode-prefill-decode'];

/** A filter that keeps endpoints with one of the roles; undefined stands for no label. */
export function keepsRoles({ type, name }: Pick<Filter, 'type' | 'name'>, roles: typeof DECODE_ROLES): Filter {
  const keeps = (labels: Readonly<Record<string, string>>) => roles.includes(labelOf(labels, ROLE_LABEL));
  return { type, name, filter: (_request, endpoints) => kept(endpoints, keeps) };
}
