// SPDX-License-Identifier: Apache-2.0

/** Reading the members of an untrusted body: each is what it should be, or an `ApiError` that says what it is. */

import { badField } from './api-error.ts';

/** A JSON object as it came. */
export type Body = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Members that are objects; whatever else is in the list, or is no list, is not there. */
export function objectsIn(value: unknown): readonly Body[] {
  return Array.isArray(value) ? (value as readonly unknown[]).filter(isObject) : [];
}

/** @throws {ApiError} 400 */
export function integerField(body: Body, field: string, range: { fallback: number; max: number }): number {
  const value = body[field] ?? range.fallback;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= range.max) return value;
  throw badField(field, `${field} must be an integer from 1 to ${range.max}, got ${shown(value)}.`);
}

/** @throws {ApiError} 400 */
export function booleanField(body: Body, field: string): boolean {
  const value = body[field] ?? false;
  if (typeof value === 'boolean') return value;
  throw badField(field, `${field} must be true or false, got ${shown(value)}.`);
}

/** A refused value as it goes into a message: short, whatever was sent. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
