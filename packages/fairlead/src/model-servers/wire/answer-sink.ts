// SPDX-License-Identifier: Apache-2.0

/** What the reading of an answer is told to. */

import type { BodySink } from '../../sockets/chunked-body.ts';

/** Takes an answer in this order: one `onHead`, any number of `onBody`, whose chunks are only lent: the next read overwrites them. */
export interface AnswerSink extends BodySink {
  /** Names and values in turn, as they came, each byte a character. */
  onHead(status: number, headers: string[]): void;
}
