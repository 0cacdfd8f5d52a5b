// SPDX-License-Identifier: Apache-2.0

/** Makes something of each object once, however often it is asked for, and holds it as long as somebody holds the object. */
export function madeOnce<Of extends object, Made extends object>(make: (of: Of) => Made): (of: Of) => Made {
  const known = new WeakMap<Of, Made>();
  return (of) => {
    let made = known.get(of);
    if (made === undefined) {
      made = make(of);
      known.set(of, made);
    }
    return made;
  };
}
