// SPDX-License-Identifier: Apache-2.0

/**
 * What the modelled engine says: plain words in a fixed order, one a token, so that a test knows the text beforehand and
 * every token is visible in it.
 */

// Plain ASCII letters on purpose: a word goes into JSON as it is.
const WORDS = (
  'the harbour lights come on one by one while a small boat turns into the wind and somebody on the quay counts the ' +
  'ropes again because the tide is late and the pilot has not yet called for the next ship in the line'
).split(' ');

/** Token `index` of a sequence; all but the first begin with a space. `start` makes sequences differ. */
export function wordAt(start: number, index: number): string {
  const word = WORDS[(start + index) % WORDS.length] ?? '';
  return index === 0 ? word : ` ${word}`;
}

/** The first `count` tokens of a sequence. */
export function textOf(start: number, count: number): string {
  let text = '';
  for (let index = 0; index < count; index++) text += wordAt(start, index);
  return text;
}
