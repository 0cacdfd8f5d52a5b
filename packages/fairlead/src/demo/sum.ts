// SPDX-License-Identifier: Apache-2.0

/** What all items come to. */
export function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
