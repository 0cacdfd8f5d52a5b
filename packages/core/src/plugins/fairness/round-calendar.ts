// SPDX-License-Identifier: Apache-2.0

/**
 * Members by the round in which they are next served, first come, first served within a round. Sixty-four rounds have a
 * ring each, and two words say which rings hold someone, so that everything is O(1): entering, leaving, moving, and
 * finding the next round that has anybody. Who is due later than that waits in the last ring and is looked at again when
 * its round comes: once for every sixty-four rounds that a single request cost.
 */

const RINGS = 64;

/** A place in a ring, or a ring's own node. */
export class Place {
  before: Place = this;
  after: Place = this;
  calendar: RoundCalendar | undefined;
  ring = -1;
  /** Kept by whoever moves it: the round in which it is due. */
  round = 0;
}

export class RoundCalendar {
  readonly #rings: (Place | undefined)[] = [];
  /** Which rings hold someone: those below 32, and the others. */
  #low = 0;
  #high = 0;
  /** The earliest round that has anybody; the last that had, while there is nobody. */
  #first = 0;
  #size = 0;

  get round(): number {
    return this.#first;
  }

  get isEmpty(): boolean {
    return this.#size === 0;
  }

  /** The next to be served. */
  get next(): Place | undefined {
    return this.#size === 0 ? undefined : (this.#rings[this.#first % RINGS] as Place).after;
  }

  /** To the end of its round. */
  enter(place: Place): void {
    if (this.#size === 0) this.#first = place.round;
    else if (place.round < this.#first && this.#last - place.round < RINGS) this.#first = place.round;
    place.calendar = this;
    this.#size += 1;
    this.#link(place);
  }

  leave(place: Place): void {
    this.#unlink(place);
    place.calendar = undefined;
    this.#size -= 1;
    if (this.#size > 0) this.#advance();
  }

  /** To the end of what is its round now. */
  move(place: Place): void {
    if (this.#size === 1) {
      this.leave(place);
      this.enter(place);
      return;
    }
    this.#unlink(place);
    if (place.round < this.#first && this.#last - place.round < RINGS) this.#first = place.round;
    this.#link(place);
    this.#advance();
  }

  /** The last round that has a ring with someone in it. */
  get #last(): number {
    for (let ahead = RINGS - 1; ahead > 0; ahead -= 1) {
      if (this.#holds((this.#first + ahead) % RINGS)) return this.#first + ahead;
    }
    return this.#first;
  }

  #link(place: Place): void {
    const ahead = Math.min(Math.max(0, place.round - this.#first), RINGS - 1);
    const index = (this.#first + ahead) % RINGS;
    let ring = this.#rings[index];
    if (ring === undefined) {
      while (this.#rings.length < index) this.#rings.push(undefined);
      ring = new Place();
      this.#rings[index] = ring;
    }
    const last = ring.before;
    place.before = last;
    place.after = ring;
    last.after = place;
    ring.before = place;
    place.ring = index;
    if (index < 32) this.#low |= 1 << index;
    else this.#high |= 1 << (index - 32);
  }

  #unlink(place: Place): void {
    const { before, after, ring: index } = place;
    before.after = after;
    after.before = before;
    place.before = place;
    place.after = place;
    place.ring = -1;
    // Only a ring's own node can stand on both sides.
    if (before !== after) return;
    if (index < 32) this.#low &= ~(1 << index);
    else this.#high &= ~(1 << (index - 32));
  }

  /** Goes on to the next round that has anybody who is due in it. There is someone. */
  #advance(): void {
    while (!this.#holds(this.#first % RINGS)) {
      this.#first += this.#distance(this.#first % RINGS);
      const ring = this.#rings[this.#first % RINGS] as Place;
      // When everybody stands here, and later than this round, nothing is in between.
      if (this.#isOnly(this.#first % RINGS)) this.#first = earliest(ring);
      this.#linkAnew(ring);
    }
  }

  /** Those who wait in the ring for a later round than the one that has come. */
  #linkAnew(ring: Place): void {
    const last = ring.before;
    for (let place = ring.after, isLast = false; !isLast;) {
      const { after } = place;
      isLast = place === last;
      if (place.round > this.#first || place.ring !== this.#first % RINGS) {
        this.#unlink(place);
        this.#link(place);
      }
      place = after;
    }
  }

  #isOnly(index: number): boolean {
    return index < 32
      ? this.#high === 0 && this.#low === 1 << index
      : this.#low === 0 && this.#high === 1 << (index - 32);
  }

  #holds(index: number): boolean {
    return index < 32 ? (this.#low & (1 << index)) !== 0 : (this.#high & (1 << (index - 32))) !== 0;
  }

  /** Rings from this one, which is empty, to the next that holds someone. */
  #distance(index: number): number {
    for (let ahead = 1; ahead < RINGS; ahead += 1) if (this.#holds((index + ahead) % RINGS)) return ahead;
    return 0;
  }
}

function earliest(ring: Place): number {
  let { round } = ring.after;
  for (let place = ring.after.after; place !== ring; place = place.after) round = Math.min(round, place.round);
  return round;
}
