// SPDX-License-Identifier: Apache-2.0

/**
 * One HTTP request from its head to the last byte of its answer: route, identify, check the headers, take the body in,
 * hand it to the director, pass the answer on. However it ends (answered, refused, client gone), it ends once: in `leave`
 * everything is given back, and in `report` the connection is told and the report goes out.
 */

import { randomUUID } from 'node:crypto';
import type { Usage } from '@fairlead/core';
import type { GatewayConfig } from '../config/resolved.ts';
import type { Director } from '../director/director.ts';
import type { Journey } from '../director/journey.ts';
import type { RewrittenModel } from '../director/model-rewrites.ts';
import type { Answer, AnswerHead } from '../director/ports.ts';
import { CLIENT_LEFT, reportDraft } from '../director/request-report.ts';
import type { ReportDraft } from '../director/request-report.ts';
import type { HeaderBlock } from '../sockets/header-block.ts';
import type { Identity, Refusal } from '../tenancy/identity.ts';
import { addressTenant } from '../tenancy/source-address.ts';
import { giveBack } from './body-chunks.ts';
import type { ClientConnection, RequestParts, Underway } from './client-connection.ts';
import { writable } from './head-facts.ts';
import type { HeadReading } from './head-reading.ts';
import { modelCard, modelList } from './models-route.ts';
import { answerLines, problemBody, problemEvent, problemLines, retryHeaders } from './problem-answer.ts';
import type { Asker, GatewayProblem } from './problem-answer.ts';
import {
  badBody,
  clientStuck,
  malformedBody,
  notAuthorized,
  packedBody,
  tookTooLong,
  unmetExpectation,
  wrongHeader,
  wrongRoute,
} from './problems.ts';
import type { PerClient } from './per-client.ts';
import type { ControlHeaders } from './protocol/control-headers.ts';
import type { ApiFormat } from './protocol/error-bodies.ts';
import { AnswerHeaders } from './protocol/answer-headers.ts';
import { wantedHeaders } from './protocol/headers.ts';
import { BodyReceiver } from './receive-body.ts';
import type { Body, BodyLimits, BodyProblem, BodyTaker } from './receive-body.ts';
import { Relay } from './relay.ts';
import type { RelayOwner } from './relay.ts';
import { apiOf } from './routes.ts';
import type { InferenceRoute, Route, Routes } from './routes.ts';
import { understandBody } from './understand-body.ts';
import type { UnderstoodBody } from './understand-body.ts';
import { sendWhole } from './whole-answer.ts';
import type { WholeAnswer } from './whole-answer.ts';
import type { ClientRequest } from './wire/client-request.ts';
import type { ClientResponse } from './wire/client-response.ts';

/** What all exchanges share. */
export interface ExchangeContext {
  readonly director: Director;
  /** As configured at the moment they are read; the same holds for what follows. */
  readonly routes: Routes;
  readonly config: GatewayConfig;
  readonly bodyLimits: BodyLimits;
  readonly requestsPerClient: PerClient;
  /** When the gateway started, in seconds since 1970: the `created` of models. */
  readonly startedS: number;
}

const NO_BODY: readonly Uint8Array[] = [];

export class Exchange implements Answer, BodyTaker, RelayOwner, Underway {
  readonly id: string;
  readonly #context: ExchangeContext;
  readonly request: ClientRequest;
  /** Known, like all that only matters until the answer begins, as long as it has not: streams are open for long. */
  #reading: HeadReading | undefined;
  readonly response: ClientResponse;
  readonly #connection: ClientConnection;
  readonly #receivedMs: number;
  readonly #relay: Relay;
  /** The report as far as it is known. */
  readonly #facts: ReportDraft;
  #control: ControlHeaders | undefined;
  #api: ApiFormat = 'openai';
  #route: InferenceRoute | undefined;
  #identity: Identity | undefined;
  #receiver: BodyReceiver | undefined;
  #body: readonly Uint8Array[] = NO_BODY;
  /** A model server was, or is being, sent the body. */
  #isSent = false;
  #rewritten: RewrittenModel | undefined;
  #journey: Journey | undefined;
  /** In whose name it counts among the requests under way; undefined while it does not. */
  #client: string | undefined;
  /** When it has taken too long, on the director's clock. */
  #untilMs: number;
  #isOver = false;
  #isReported = false;

  constructor(context: ExchangeContext, { request, reading, response, connection }: RequestParts) {
    this.#context = context;
    this.request = request;
    this.#reading = reading;
    this.response = response;
    this.#connection = connection;
    this.#receivedMs = context.director.nowMs();
    this.#relay = new Relay(response, context.config, this);
    this.#untilMs = this.#receivedMs + context.config.requestTimeoutMs;
    this.id = reading.requestId ?? randomUUID();
    this.#facts = reportDraft(this.id);
  }

  start(): void {
    this.#connection.begin(this);
    const reading = this.#asked;
    const route = reading.route(this.#context.routes);
    this.#api = apiOf(route, reading.head.headers);
    if (reading.malformed !== undefined) {
      this.fail(reading.malformed);
      return;
    }
    if ('path' in route) this.#facts.route = route.path;
    const known = this.#context.director.identify(reading.head, this.#connection.remoteAddress, this.#receivedMs);
    // Keys are found at once; only a token that nobody has shown before takes a turn.
    if (!(known instanceof Promise)) this.#enter(route, known);
    else void known.then((identity) => this.#enter(route, identity));
  }

  /** Who is asking is known; before that the path is not looked at, so that a stranger learns nothing of what there is. */
  #enter(route: Route, identity: Identity | Refusal): void {
    if (this.#isAnswered) return;
    const problem =
      this.#refusal(route, identity) ?? (this.request.expects === 'unknown' ? unmetExpectation : undefined);
    if (problem !== undefined) this.fail(problem);
    else if (route.kind === 'inference') this.#takeBody(route);
    else if (route.kind === 'models' || route.kind === 'model') this.#answerModels(route);
  }

  onDrain(): void {
    this.#journey?.resume();
  }

  onStuck(): void {
    this.#blame(clientStuck);
    this.#connection.destroy();
  }

  clientGone(why: GatewayProblem): void {
    this.#blame(why);
    this.leave();
    this.report();
  }

  onBody(body: Body): void {
    this.#body = body.chunks;
    this.#facts.requestBytes = body.sizeBytes;
    this.#connection.inTurn(this, () => this.#understand(body));
  }

  #understand(body: Body): void {
    const { family } = this.#route as InferenceRoute;
    const { modelRewrite } = this.#control as ControlHeaders;
    const { director } = this.#context;
    const isAnswered = (): boolean => this.#isAnswered;
    understandBody(body, { family, director, modelRewrite, isAnswered }, (understood) => {
      if ('message' in understood) this.fail(malformedBody(understood));
      else this.#direct(understood);
    });
  }

  #direct({ facts, rewritten, sent, prefix }: UnderstoodBody): void {
    const { director } = this.#context;
    const { ttlMs, deadlineInMs, ttftSloMs } = this.#control as ControlHeaders;
    this.#rewritten = rewritten;
    this.#facts.modelRewrite = rewritten?.rewrite;
    this.#facts.model = facts.model;
    this.#journey = director.direct(
      {
        id: this.id,
        identity: this.#identity as Identity,
        model: facts.model,
        rewritten,
        method: 'POST',
        path: this.#asked.path,
        body: sent.chunks,
        sizeBytes: sent.sizeBytes,
        sequences: facts.sequences,
        streamed: facts.stream,
        maxOutputTokens: facts.maxTokens,
        images: facts.images,
        receivedMs: this.#receivedMs,
        ttlMs,
        deadlineMs: deadlineInMs === undefined ? undefined : this.#receivedMs + deadlineInMs,
        ttftSloMs,
        prefix,
        headers: wantedHeaders(this.#asked.head.headers, director.requestHeaders),
      },
      this,
    );
  }

  onProblem(problem: BodyProblem): void {
    const { director, config } = this.#context;
    if (problem !== 'no-room') this.fail(badBody(problem, config));
    else this.fail(director.noRoom('The bytes of request bodies held at once are at their limit.'));
  }

  headersToSend(): HeaderBlock {
    this.#isSent = true;
    const { forwardAuthorization } = this.#context.config;
    const { viaProxy } = this.#identity as Identity;
    return this.#asked.upstream({ forwardAuthorization, viaProxy });
  }

  begin({ status, headers: raw, lengthBytes, waitMs, isBodyDone, added }: AnswerHead): boolean {
    const headers = AnswerHeaders.of(raw);
    let extra = added && writable(added);
    if ((status === 429 || status === 503) && !headers.saysRetry) {
      extra = { ...extra, ...retryHeaders(this.#context.director.retryAfterMs()) };
    }
    const lines = headers.linesWith(extra, answerLines(this.#asker, waitMs));
    const isLast = this.#connection.isLast(this);
    const form = { api: this.#api, asked: this.#facts.model, sent: this.#rewritten?.target, isLast };
    const isStream = this.#relay.begin({ status, headers, lines, lengthBytes }, form);
    // No retry is possible any more, so nobody needs the body.
    this.#receiver?.release();
    if (isBodyDone) giveBack(this.#body);
    this.#body = NO_BODY;
    this.#reading = this.#control = this.#route = this.#identity = this.#receiver = undefined;
    return isStream;
  }

  data(chunk: Uint8Array): boolean {
    return this.#relay.data(chunk);
  }

  end(): void {
    this.#relay.end();
  }

  get events(): number {
    return this.#relay.events;
  }

  usage(): Usage | undefined {
    return this.#relay.usage();
  }

  fail(problem: GatewayProblem, waitMs = 0): void {
    this.#blame(problem);
    if (this.response.isBegun) {
      this.#relay.breakOff(problemEvent(this.#asker, problem));
      return;
    }
    const body = problemBody(this.#asker, problem);
    this.#answer(
      { status: problem.status, lines: problemLines(problem), body, isLast: problem.status === 408 },
      waitMs,
    );
  }

  /** Answers in one piece. */
  #answer(answer: WholeAnswer, waitMs: number): void {
    const lines = answerLines(this.#asker, waitMs) + answer.lines;
    const isLast = answer.isLast || this.#connection.isLast(this);
    sendWhole(this.request, this.response, { ...answer, lines, isLast });
  }

  /** What is wrong with the head, in the order in which a caller should learn of it. */
  #refusal(route: Route, identity: Identity | Refusal): GatewayProblem | undefined {
    if ('status' in identity) return notAuthorized(identity);
    this.#identity = identity;
    this.#facts.tenant = identity.tenant;
    this.#facts.verified = identity.verified;
    this.#facts.priority = identity.priority;
    this.#facts.unknownObjective = identity.unknownObjective;
    const wrong = wrongRoute(this.#asked.head.method, route);
    if (wrong !== undefined) return wrong;
    const control = this.#asked.control(identity.trusted);
    if ('message' in control) return wrongHeader(control);
    this.#control = control;
    return route.kind === 'inference' && this.#asked.isPacked ? packedBody : undefined;
  }

  #takeBody(route: InferenceRoute): void {
    this.#route = route;
    const { lengthBytes } = this.request;
    const { bodyLimits, director, requestsPerClient } = this.#context;
    const { tenant, verified, address } = this.#identity as Identity;
    // Whoever may make up tenants cannot make up room for each.
    const client = verified ? tenant : addressTenant(address);
    if (!requestsPerClient.enter(client)) {
      const message = `More than ${requestsPerClient.max} requests of this client are under way.`;
      this.fail(director.noRoom(message));
      return;
    }
    this.#client = client;
    const receiver = new BodyReceiver(
      this.request,
      { headBytes: this.#asked.head.headBytes, lengthBytes },
      { limits: bodyLimits, taker: this },
    );
    this.#receiver = receiver;
    if (!receiver.reserve(client)) return;
    if (this.request.expects === 'continue') this.response.continue();
    receiver.start();
  }

  /** Ends it when the whole of it takes too long: whatever is under way ends, and the client is told. */
  sweep(): void {
    if (this.#context.director.nowMs() < this.#untilMs) return;
    this.#untilMs = Infinity;
    // What is left is for the client to read, or, refused as it is, to send, within a time of its own.
    if (this.response.isEnded || (this.response.isBegun && this.#journey === undefined)) return;
    this.#receiver?.stop();
    this.#journey?.cancel();
    this.fail(tookTooLong(this.#context.config.requestTimeoutMs, this.#journey !== undefined));
  }

  #answerModels(route: Extract<Route, { kind: 'models' | 'model' }>): void {
    const { director, startedS } = this.#context;
    const models = director.models();
    const format = { api: this.#api, createdS: startedS };
    const body = route.kind === 'models' ? modelList(models, format) : modelCard(models, route.id, format);
    if (body === undefined) return this.fail(director.unknownModel((route as { id: string }).id));
    this.#facts.status = 200;
    this.#answer({ status: 200, lines: 'content-type: application/json\r\n', body, isLast: false }, 0);
  }

  /** What its head says; only until the answer begins. */
  get #asked(): HeadReading {
    return this.#reading as HeadReading;
  }

  /** Nobody waits for what is being found out: the client left, or was told that it took too long. */
  get #isAnswered(): boolean {
    return this.#isOver || this.response.isBegun;
  }

  get #asker(): Asker {
    return { api: this.#api, requestId: this.id };
  }

  /** What the client saw first is what it was given. */
  get #givenStatus(): number | undefined {
    return this.response.isBegun ? this.response.status : undefined;
  }

  #blame(problem: GatewayProblem): void {
    this.#facts.reason = problem.code;
    this.#facts.status ||= this.#givenStatus ?? problem.status;
  }

  onFinished(): void {
    this.leave();
    this.report();
  }

  /** The one ending, with `report`: everything is given back. */
  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#client !== undefined) this.#context.requestsPerClient.leave(this.#client);
    this.#receiver?.stop();
    this.#receiver?.release();
    this.#relay.close();
    this.#journey?.cancel();
    if (!this.#isSent) giveBack(this.#body);
    this.#facts.durationMs = this.#context.director.nowMs() - this.#receivedMs;
  }

  report(): void {
    if (this.#isReported) return;
    this.#isReported = true;
    this.#connection.over(this);
    const report = this.#facts;
    this.#journey?.tell(report);
    report.status ||= this.#givenStatus ?? CLIENT_LEFT;
    report.responseBytes = this.#relay.bytes;
    this.#context.director.finished(report);
  }
}
