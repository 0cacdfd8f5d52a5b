// SPDX-License-Identifier: Apache-2.0

/** Small questions to the head of a message. */

/** Whether a flat list of headers has one of this lower-case name. */
export function hasHeader(headers: readonly string[], name: string): boolean {
  return headers.some((value, index) => index % 2 === 0 && value.toLowerCase() === name);
}

/** Whether a body of this `content-encoding` would have to be unpacked. */
export function isPacked(encoding: string | undefined): boolean {
  return encoding !== undefined && !/^\s*(identity\s*)?$/i.test(encoding);
}
