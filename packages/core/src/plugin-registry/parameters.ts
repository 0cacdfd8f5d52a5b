// SPDX-License-Identifier: Apache-2.0

/**
 * Plugin parameters as data: one table gives the checks, the defaults, the TypeScript type and the reference page.
 */

interface SpecBase {
  /** One sentence, with the unit. */
  readonly doc: string;
  /** No default and must be given. */
  readonly required?: boolean;
}

/** `min` and `max` are inclusive unless the matching `exclusive…` is set. */
export interface NumberSpec extends SpecBase {
  readonly type: 'number' | 'integer';
  readonly default?: number;
  readonly min?: number;
  readonly max?: number;
  readonly exclusiveMin?: boolean;
  readonly exclusiveMax?: boolean;
}

/** A Go duration (`200ms`, `1m30s`); the parsed value is milliseconds. */
export interface DurationSpec extends SpecBase {
  readonly type: 'duration';
  readonly default?: number;
  readonly min?: number;
}

export interface StringSpec extends SpecBase {
  readonly type: 'string';
  readonly default?: string;
  readonly choices?: readonly string[];
}

export interface BooleanSpec extends SpecBase {
  readonly type: 'boolean';
  readonly default?: boolean;
}

/** The name of another plugin of a kind: makes it a dependency, created first. */
export interface PluginRefSpec extends SpecBase {
  readonly type: 'plugin-ref';
  readonly kind: string;
  readonly default?: string;
}

/** Anything YAML can hold, checked by the plugin's own `create`. */
export interface AnySpec extends SpecBase {
  readonly type: 'any';
  readonly default?: unknown;
}

export type ParameterSpec = NumberSpec | DurationSpec | StringSpec | BooleanSpec | PluginRefSpec | AnySpec;

export type ParameterSpecs = Readonly<Record<string, ParameterSpec>>;

type ValueOf<S extends ParameterSpec> = S extends { type: 'number' | 'integer' | 'duration' }
  ? number
  : S extends { type: 'string' | 'plugin-ref' }
    ? string
    : S extends { type: 'boolean' }
      ? boolean
      : unknown;

/** The checked parameters: a default or `required` makes a value certain, otherwise it may be undefined. */
export type ParametersOf<S extends ParameterSpecs> = {
  readonly [K in keyof S]: S[K] extends { default: unknown } | { required: true } ? ValueOf<S[K]> : ValueOf<S[K]> | undefined;
};
