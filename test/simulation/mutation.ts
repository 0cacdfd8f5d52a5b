// SPDX-License-Identifier: Apache-2.0

/** A bug that is put into the code from outside, for as long as it is looked for. */

export interface Mutation {
  /** What goes wrong, as in "does …". */
  readonly does: string;
  /** Puts the bug in; what it returns takes it out again. */
  apply(): () => void;
}

/** Replaces a method of all instances; `change` is given the one that was there. */
export function method<T extends object, K extends keyof T>(
  does: string,
  [owner, name]: readonly [T, K],
  change: (was: T[K]) => T[K],
): Mutation {
  return property(does, [owner, name], (was) => ({ ...was, value: change(was.value as T[K]) }));
}

export function property<T extends object>(
  does: string,
  [owner, name]: readonly [T, keyof T],
  change: (was: PropertyDescriptor) => PropertyDescriptor,
): Mutation {
  return {
    does,
    apply: () => {
      const own = Object.getOwnPropertyDescriptor(owner, name);
      let holder: object = owner;
      while (!Object.hasOwn(holder, name)) holder = Object.getPrototypeOf(holder) as object;
      Object.defineProperty(owner, name, change(Object.getOwnPropertyDescriptor(holder, name) as PropertyDescriptor));
      return () => {
        if (own === undefined) Reflect.deleteProperty(owner, name);
        else Object.defineProperty(owner, name, own);
      };
    },
  };
}

export function together(does: string, parts: readonly Mutation[]): Mutation {
  return {
    does,
    apply: () => {
      const undo = parts.map((part) => part.apply());
      return () => {
        for (const each of undo) each();
      };
    },
  };
}

/** A method that does nothing any more. */
export const nothing = (): never => (() => undefined) as never;
