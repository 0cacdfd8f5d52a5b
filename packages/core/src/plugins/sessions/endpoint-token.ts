// SPDX-License-Identifier: Apache-2.0

/**
 * An endpoint's name as a header can carry it: base64 of its UTF-8 bytes, as the reference writes it. Nobody decodes one: a
 * token names an endpoint by being that endpoint's, so that what a client sends can only ever choose among candidates.
 */

import type { Endpoint } from '../../endpoints/endpoint.ts';

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const tokens = new WeakMap<Endpoint, string>();

/** The token of an endpoint, the same as long as its name is. */
export function endpointToken(endpoint: Endpoint): string {
  let token = tokens.get(endpoint);
  if (token === undefined) tokens.set(endpoint, (token = base64(utf8(endpoint.name))));
  return token;
}

function utf8(text: string): readonly number[] {
  const escaped = encodeURIComponent(text).matchAll(/%(..)|(.)/g);
  return Array.from(escaped, ([, hex, plain = '']) =>
    hex === undefined ? plain.charCodeAt(0) : Number.parseInt(hex, 16),
  );
}

function base64(bytes: readonly number[]): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const [first = 0, second = 0, third = 0] = bytes.slice(at, at + 3);
    const group = (first << 16) | (second << 8) | third;
    const digits = [group >> 18, (group >> 12) & 63, (group >> 6) & 63, group & 63];
    const whole = Math.min(3, bytes.length - at) + 1;
    text += digits.map((digit, place) => (place < whole ? DIGITS.charAt(digit) : '=')).join('');
  }
  return text;
}
