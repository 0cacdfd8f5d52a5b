// SPDX-License-Identifier: Apache-2.0

/**
 * The line of a finished request as text. Most of what it names was named in the line before it, too: those names are
 * kept as text, group by group, and only numbers and what is another are written anew.
 */

import { reportDraft } from '../director/request-report.ts';
import type { RequestReport } from '../director/request-report.ts';
import { jsonNumber, jsonText } from './json-text.ts';

export class RequestLine {
  /** The report of the line before. */
  #last: RequestReport = { ...reportDraft(''), status: NaN };
  #ended = '';
  #tenant = '';
  #asked = '';
  #endpoint = '';

  /** The fields, each with a comma before it. */
  textOf(report: RequestReport): string {
    this.#write(report);
    const { usage } = report;
    return (
      `,"requestId":${jsonText(report.id)}${this.#ended}${this.#tenant}${this.#asked}${this.#endpoint}` +
      streamedText(report.streamed) +
      numberField(',"waitMs":', report.waitMs) +
      numberField(',"ttftMs":', report.ttftMs) +
      numberField(',"durationMs":', report.durationMs) +
      numberField(',"requestBytes":', report.requestBytes) +
      numberField(',"responseBytes":', report.responseBytes) +
      (report.retries?.length ? `,"retries":"${report.retries.join(',')}"` : '') +
      (usage === undefined
        ? ''
        : numberField(',"promptTokens":', usage.promptTokens) +
          numberField(',"completionTokens":', usage.completionTokens) +
          numberField(',"cachedTokens":', usage.cachedTokens))
    );
  }

  /** Writes the groups of names that are not what they were. */
  #write(report: RequestReport): void {
    const last = this.#last;
    this.#last = report;
    const { route, status, outcome, ending, reason, priority, unknownObjective, model, pool, endpoint } = report;
    if (
      route !== last.route ||
      status !== last.status ||
      outcome !== last.outcome ||
      ending !== last.ending ||
      reason !== last.reason
    ) {
      this.#ended = flat([
        textField(',"route":', route),
        numberField(',"status":', status),
        textField(',"outcome":', outcome),
        textField(',"ending":', ending),
        textField(',"reason":', reason),
      ]);
    }
    if (report.tenant !== last.tenant) this.#tenant = textField(',"tenant":', report.tenant);
    if (
      priority !== last.priority ||
      unknownObjective !== last.unknownObjective ||
      model !== last.model ||
      pool !== last.pool
    ) {
      this.#asked = flat([
        numberField(',"priority":', priority),
        unknownObjective === undefined ? '' : `,"unknownObjective":${unknownObjective}`,
        textField(',"model":', model),
        textField(',"pool":', pool),
      ]);
    }
    if (endpoint !== last.endpoint) this.#endpoint = textField(',"endpoint":', endpoint);
  }
}

function textField(name: string, value: string | undefined): string {
  return value === undefined ? '' : `${name}${jsonText(value)}`;
}

function numberField(name: string, value: number | undefined): string {
  return value === undefined ? '' : `${name}${jsonNumber(value)}`;
}

function streamedText(value: boolean | undefined): string {
  if (value === undefined) return '';
  return value ? ',"streamed":true' : ',"streamed":false';
}

/** One piece of text: what is kept is to be copied as one. */
function flat(parts: readonly string[]): string {
  return parts.join('');
}
