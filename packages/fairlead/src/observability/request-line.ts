// SPDX-License-Identifier: Apache-2.0

/**
 * The line of a finished request. Most of what it names was named in the line before it, too: those names are kept as they
 * were written, in two groups with the tenant between them. Of a group in which one is another all are put together anew,
 * from pieces, because each alone comes again as well.
 */

import { reportDraft } from '../director/request-report.ts';
import type { RequestReport } from '../director/request-report.ts';
import { KnownTexts } from '../sockets/known-texts.ts';
import { JsonLine } from './json-line.ts';

const REQUEST_ID = Buffer.from(',"requestId":');
const STATUS = Buffer.from(',"status":');
const PRIORITY = Buffer.from(',"priority":');
const UNKNOWN_OBJECTIVE = Buffer.from(',"unknownObjective":true');
const STREAMED = Buffer.from(',"streamed":true');
const NOT_STREAMED = Buffer.from(',"streamed":false');
const WAIT = Buffer.from(',"waitMs":');
const TTFT = Buffer.from(',"ttftMs":');
const DURATION = Buffer.from(',"durationMs":');
const REQUEST_BYTES = Buffer.from(',"requestBytes":');
const RESPONSE_BYTES = Buffer.from(',"responseBytes":');
const PROMPT_TOKENS = Buffer.from(',"promptTokens":');
const COMPLETION_TOKENS = Buffer.from(',"completionTokens":');
const CACHED_TOKENS = Buffer.from(',"cachedTokens":');

export class RequestLine {
  /** The last report whose names were written; at first one like no other. */
  #last: RequestReport = { ...reportDraft(''), status: NaN, priority: NaN };
  readonly #ended = new JsonLine();
  readonly #served = new JsonLine();
  readonly #route = knownField('route');
  readonly #outcome = knownField('outcome');
  readonly #ending = knownField('ending');
  readonly #reason = knownField('reason');
  readonly #tenant = knownField('tenant');
  readonly #model = knownField('model');
  readonly #pool = knownField('pool');
  readonly #endpoint = knownField('endpoint');

  /** Adds the fields, each with a comma before it. */
  addTo(line: JsonLine, report: RequestReport): void {
    this.#write(report);
    line.piece(REQUEST_ID).text(report.id).line(this.#ended);
    addKnown(line, this.#tenant, report.tenant);
    line.line(this.#served);
    addNumber(line, WAIT, report.waitMs);
    addNumber(line, TTFT, report.ttftMs);
    addNumber(line, DURATION, report.durationMs);
    addNumber(line, REQUEST_BYTES, report.requestBytes);
    addNumber(line, RESPONSE_BYTES, report.responseBytes);
    const { retries, usage } = report;
    if (retries !== undefined && retries.length > 0) line.json(`,"retries":"${retries.join(',')}"`);
    if (usage === undefined) return;
    addNumber(line, PROMPT_TOKENS, usage.promptTokens);
    addNumber(line, COMPLETION_TOKENS, usage.completionTokens);
    addNumber(line, CACHED_TOKENS, usage.cachedTokens);
  }

  /** Writes the groups of names that are not what they were. */
  #write(report: RequestReport): void {
    const last = this.#last;
    const hasEnded = hasEndedLike(report, last);
    const isServed = isServedLike(report, last);
    if (hasEnded && isServed) return;
    this.#last = report;
    if (!hasEnded) this.#writeEnded(report);
    if (!isServed) this.#writeServed(report);
  }

  #writeEnded(report: RequestReport): void {
    const names = this.#ended.clear();
    addKnown(names, this.#route, report.route);
    addNumber(names, STATUS, report.status);
    addKnown(names, this.#outcome, report.outcome);
    addKnown(names, this.#ending, report.ending);
    addKnown(names, this.#reason, report.reason);
  }

  #writeServed(report: RequestReport): void {
    const names = this.#served.clear();
    addNumber(names, PRIORITY, report.priority);
    if (report.unknownObjective === true) names.piece(UNKNOWN_OBJECTIVE);
    addKnown(names, this.#model, report.model);
    addKnown(names, this.#pool, report.pool);
    addKnown(names, this.#endpoint, report.endpoint);
    if (report.streamed !== undefined) names.piece(report.streamed ? STREAMED : NOT_STREAMED);
  }
}

function hasEndedLike(report: RequestReport, other: RequestReport): boolean {
  return (
    report.route === other.route &&
    report.status === other.status &&
    report.outcome === other.outcome &&
    report.ending === other.ending &&
    report.reason === other.reason
  );
}

function isServedLike(report: RequestReport, other: RequestReport): boolean {
  return (
    report.endpoint === other.endpoint &&
    report.model === other.model &&
    report.pool === other.pool &&
    report.priority === other.priority &&
    report.unknownObjective === other.unknownObjective &&
    report.streamed === other.streamed
  );
}

/** The field with its value, by value. */
function knownField(name: string): KnownTexts<Buffer> {
  const line = new JsonLine();
  return new KnownTexts((value) => Buffer.from(String(line.clear().json(`,"${name}":`).text(value))));
}

function addKnown(line: JsonLine, field: KnownTexts<Buffer>, value: string | undefined): void {
  if (value !== undefined) line.piece(field.of(value));
}

function addNumber(line: JsonLine, name: Buffer, value: number | undefined): void {
  if (value !== undefined) line.piece(name).number(value);
}
