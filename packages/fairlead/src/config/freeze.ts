// SPDX-License-Identifier: Apache-2.0

/** Nothing downstream may change the configuration it was given. */

/** Freezes plain objects and arrays all the way down; what is in `leave` (plugin instances) keeps its own state. */
export function freezeDeep<T>(value: T, leave: ReadonlySet<unknown>): T {
  if (typeof value !== 'object' || value === null || leave.has(value) || Object.isFrozen(value)) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== Array.prototype) return value;
  Object.freeze(value);
  for (const child of Object.values(value)) freezeDeep(child, leave);
  return value;
}
