// SPDX-License-Identifier: Apache-2.0

/**
 * The blocks that one model server was sent last: a set of 32-bit hashes of a fixed capacity that forgets what was used
 * longest ago, as the server's own cache does. Some 24 bytes a block in four arrays that grow as it fills; finding, using
 * and forgetting a block take the same time however many there are.
 *
 * The blocks of a prompt are used last to first, so that no block is ever older than one that builds on it: when a block
 * is there, so is all that comes before it, and the length of a match is found by halving.
 */

const NONE = -1;
const FIRST_ENTRIES = 256;

export class RecentBlocks {
  #capacity: number;
  #size = 0;
  #keys = new Uint32Array(0);
  /** Neighbours in order of use; of an entry that is free, `#older` is the next free one. */
  #older = new Int32Array(0);
  #newer = new Int32Array(0);
  /** Next entry with the same bucket. */
  #chained = new Int32Array(0);
  /** First entry of each bucket; their number is a power of two. */
  #buckets = new Int32Array(0);
  #oldest = NONE;
  #newest = NONE;
  #free = NONE;

  /** Mixed into the choice of a bucket: who does not know it cannot choose prompts that all fall into one. */
  readonly #secret: number;

  constructor(capacity: number, secret = 0) {
    this.#capacity = capacity;
    this.#secret = secret;
  }

  get size(): number {
    return this.#size;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Forgets the oldest when there are more than it may have now. */
  set capacity(capacity: number) {
    this.#capacity = capacity;
    while (this.#size > capacity) this.#forgetOldest();
  }

  /** How many of a prompt's first `count` blocks are here; `seed` keeps apart what must not be confused. */
  matched(hashes: Uint32Array, count: number, seed: number): number {
    let known = 0;
    let unknown = count + 1;
    while (unknown - known > 1) {
      const middle = (known + unknown) >>> 1;
      if (this.#find(keyOf(hashes[middle - 1] as number, seed)) === NONE) unknown = middle;
      else known = middle;
    }
    return known;
  }

  /** A prompt's first `count` blocks were used now; of more than fit, the first are kept. */
  use(hashes: Uint32Array, count: number, seed: number): void {
    for (let index = Math.min(count, this.#capacity) - 1; index >= 0; index -= 1) {
      this.#use(keyOf(hashes[index] as number, seed));
    }
  }

  #use(key: number): void {
    const known = this.#find(key);
    if (known !== NONE) {
      if (known === this.#newest) return;
      this.#unlink(known);
      this.#linkNewest(known);
      return;
    }
    if (this.#size >= this.#capacity) this.#forgetOldest();
    const entry = this.#takeFree();
    this.#keys[entry] = key;
    this.#enterBucket(entry);
    this.#linkNewest(entry);
    this.#size += 1;
  }

  #find(key: number): number {
    if (this.#size === 0) return NONE;
    let entry = this.#buckets[this.#bucketOf(key)] as number;
    while (entry !== NONE && this.#keys[entry] !== key) entry = this.#chained[entry] as number;
    return entry;
  }

  #forgetOldest(): void {
    const entry = this.#oldest;
    this.#unlink(entry);
    this.#leaveBucket(entry);
    this.#older[entry] = this.#free;
    this.#free = entry;
    this.#size -= 1;
  }

  #takeFree(): number {
    if (this.#free === NONE) this.#grow();
    const entry = this.#free;
    this.#free = this.#older[entry] as number;
    return entry;
  }

  #grow(): void {
    const before = this.#keys.length;
    const length = Math.min(this.#capacity, Math.max(FIRST_ENTRIES, 2 * before));
    this.#keys = enlarged(this.#keys, new Uint32Array(length));
    this.#older = enlarged(this.#older, new Int32Array(length));
    this.#newer = enlarged(this.#newer, new Int32Array(length));
    this.#chained = enlarged(this.#chained, new Int32Array(length));
    this.#buckets = new Int32Array(2 ** Math.ceil(Math.log2(length))).fill(NONE);
    for (let entry = 0; entry < before; entry += 1) this.#enterBucket(entry);
    for (let entry = length - 1; entry >= before; entry -= 1) {
      this.#older[entry] = this.#free;
      this.#free = entry;
    }
  }

  #enterBucket(entry: number): void {
    const bucket = this.#bucketOf(this.#keys[entry] as number);
    this.#chained[entry] = this.#buckets[bucket] as number;
    this.#buckets[bucket] = entry;
  }

  #leaveBucket(entry: number): void {
    const bucket = this.#bucketOf(this.#keys[entry] as number);
    const next = this.#chained[entry] as number;
    if (this.#buckets[bucket] === entry) {
      this.#buckets[bucket] = next;
      return;
    }
    let before = this.#buckets[bucket] as number;
    while (this.#chained[before] !== entry) before = this.#chained[before] as number;
    this.#chained[before] = next;
  }

  #bucketOf(key: number): number {
    return bucketOf(key, this.#secret) & (this.#buckets.length - 1);
  }

  #unlink(entry: number): void {
    const older = this.#older[entry] as number;
    const newer = this.#newer[entry] as number;
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
  }

  #linkNewest(entry: number): void {
    this.#older[entry] = this.#newest;
    this.#newer[entry] = NONE;
    if (this.#newest === NONE) this.#oldest = entry;
    else this.#newer[this.#newest] = entry;
    this.#newest = entry;
  }
}

function keyOf(hash: number, seed: number): number {
  return Math.imul(hash ^ seed, 0x9e3779b1) >>> 0;
}

function enlarged<T extends Uint32Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Mixes `secret` in twice, around a step that cannot be undone without it (after the finaliser of MurmurHash3). */
export function bucketOf(key: number, secret: number): number {
  const mixed = Math.imul(key ^ secret, 0x85ebca6b);
  const again = Math.imul(mixed ^ (mixed >>> 13) ^ secret, 0xc2b2ae35);
  return again ^ (again >>> 16);
}
