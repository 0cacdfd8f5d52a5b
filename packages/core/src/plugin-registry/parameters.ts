// SPDX-License-Identifier: Apache-2.0

/**
 * Parameters as data: one table gives the checks, the defaults, the TypeScript type and the reference page. Plugins
 * describe their parameters with it, and the configuration file its sections.
 */

import type { PluginKind } from './kinds.ts';

interface SpecBase {
  /** One sentence, with the unit. */
  readonly doc: string;
  /** No default and must be given. */
  readonly required?: boolean;
  /** May hold a secret by mistake: no message repeats the value. */
  readonly hidden?: boolean;
  /** Read once, at the start: another value counts after a restart. For fields of the configuration file. */
  readonly restart?: boolean;
  /** The default in words, for the reference page, where it depends on something else. */
  readonly defaultDoc?: string;
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

/** A Go duration (`200ms`, `1m30s`); the parsed value, `default`, `min` and `max` are milliseconds. */
export interface DurationSpec extends SpecBase {
  readonly type: 'duration';
  readonly default?: number;
  readonly min?: number;
  readonly max?: number;
}

/** A Kubernetes quantity (`1Gi`, `500M`, `5000`); the parsed value is a whole number, `min` is 0 unless it says otherwise. */
export interface QuantitySpec extends SpecBase {
  readonly type: 'quantity';
  readonly default?: number;
  readonly min?: number;
  readonly max?: number;
}

export interface StringSpec extends SpecBase {
  readonly type: 'string';
  readonly default?: string;
  readonly choices?: readonly string[];
  /** What the text must look like, with the same in words. */
  readonly pattern?: { readonly test: RegExp; readonly allowed: string };
}

export interface BooleanSpec extends SpecBase {
  readonly type: 'boolean';
  readonly default?: boolean;
}

/** The name of another plugin of a kind: makes it a dependency, created first. */
export interface PluginRefSpec extends SpecBase {
  readonly type: 'plugin-ref';
  readonly kind: PluginKind;
  readonly default?: string;
}

/** A list of values of one shape. */
export interface ListSpec extends SpecBase {
  readonly type: 'list';
  readonly of: ParameterSpec;
  readonly default?: readonly unknown[];
  readonly maxItems?: number;
}

/** Free keys with text values, such as labels. */
export interface MapSpec extends SpecBase {
  readonly type: 'map';
  readonly default?: Readonly<Record<string, string>>;
}

/** A mapping with fields of its own; when it has a default, that is what an empty one would be. */
export interface ObjectSpec extends SpecBase {
  readonly type: 'object';
  readonly fields: ParameterSpecs;
  readonly default?: Readonly<Record<string, never>>;
}

/** Anything YAML can hold, checked by the plugin's own `create`. */
export interface AnySpec extends SpecBase {
  readonly type: 'any';
  readonly default?: unknown;
}

export type ParameterSpec =
  | NumberSpec
  | DurationSpec
  | QuantitySpec
  | StringSpec
  | BooleanSpec
  | PluginRefSpec
  | ListSpec
  | MapSpec
  | ObjectSpec
  | AnySpec;

export type ParameterSpecs = Readonly<Record<string, ParameterSpec>>;

/** What makes a value certain: in checked parameters a default or `required`, in half-checked ones only a default. */
type CertainWhenChecked = { default: unknown } | { required: true };
type CertainAnyway = { default: unknown };

type ValueOf<S extends ParameterSpec, Certain> = S extends { type: 'number' | 'integer' | 'duration' | 'quantity' }
  ? number
  : S extends { type: 'string' | 'plugin-ref' }
    ? string
    : S extends { type: 'boolean' }
      ? boolean
      : S extends { type: 'list'; of: infer Item extends ParameterSpec }
        ? readonly (CertainWhenChecked extends Certain ? ValueOf<Item, Certain> : ValueOf<Item, Certain> | undefined)[]
        : S extends { type: 'map' }
          ? Readonly<Record<string, string>>
          : S extends { type: 'object'; fields: infer Fields extends ParameterSpecs }
            ? ValuesOf<Fields, Certain>
            : unknown;

type ValuesOf<S extends ParameterSpecs, Certain> = {
  readonly [K in keyof S]: S[K] extends Certain ? ValueOf<S[K], Certain> : ValueOf<S[K], Certain> | undefined;
};

/** The checked parameters: a default or `required` makes a value certain, otherwise it may be undefined. */
export type ParametersOf<S extends ParameterSpecs> = ValuesOf<S, CertainWhenChecked>;

/** Parameters with problems in them: what was bad is its default, or undefined. For looking further all the same. */
export type HalfCheckedOf<S extends ParameterSpecs> = ValuesOf<S, CertainAnyway>;
