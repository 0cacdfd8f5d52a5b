// SPDX-License-Identifier: Apache-2.0

/**
 * Requests and bytes that wait, against their limits: one of these for the whole controller and one per band. A place is
 * freed in the turn in which its request leaves; there is nothing to sweep.
 */
export class Occupancy {
  maxRequests: number;
  maxBytes: number;
  requests = 0;
  bytes = 0;

  constructor(limits: { readonly maxRequests: number; readonly maxBytes: number }) {
    this.maxRequests = limits.maxRequests;
    this.maxBytes = limits.maxBytes;
  }

  /** Other limits from now on. What is over them already stays; nothing more fits until it has left. */
  limit(limits: { readonly maxRequests: number; readonly maxBytes: number }): void {
    this.maxRequests = limits.maxRequests;
    this.maxBytes = limits.maxBytes;
  }

  /** Whether one more request of this size fits. */
  fits(sizeBytes: number): boolean {
    return this.requests < this.maxRequests && this.bytes + sizeBytes <= this.maxBytes;
  }

  add(sizeBytes: number): void {
    this.requests += 1;
    this.bytes += sizeBytes;
  }

  remove(sizeBytes: number): void {
    this.requests -= 1;
    this.bytes -= sizeBytes;
  }
}
