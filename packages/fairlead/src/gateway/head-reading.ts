// SPDX-License-Identifier: Apache-2.0

/**
 * What the head of a request says to the gateway, each thing worked out once: many requests, of one connection or several,
 * share a head, and with it this.
 */

import { HeaderBlock } from '../sockets/header-block.ts';
import { isPacked, malformedHead } from './head-facts.ts';
import type { GatewayProblem } from './problem-answer.ts';
import { givenRequestId, readControlHeaders } from './protocol/control-headers.ts';
import type { ControlHeaders, HeaderProblem } from './protocol/control-headers.ts';
import { madeOnce } from './protocol/made-once.ts';
import { upstreamHeaders } from './protocol/headers.ts';
import type { UpstreamHeaderOptions } from './protocol/headers.ts';
import { originForm } from './routes.ts';
import type { Route, Routes } from './routes.ts';
import type { ClientHead } from './wire/client-head.ts';

export class HeadReading {
  static readonly of = madeOnce((head: ClientHead) => new HeadReading(head));

  readonly head: ClientHead;
  /** As the client gave it. */
  readonly requestId: string | undefined;
  /** Why it is refused whatever it asks for. */
  readonly malformed: GatewayProblem | undefined;
  /** Its body would have to be unpacked. */
  readonly isPacked: boolean;
  /** Path and query, as they go upstream. */
  readonly path: string;
  #fromAnyone: ControlHeaders | HeaderProblem | undefined;
  #fromTrusted: ControlHeaders | HeaderProblem | undefined;
  #routes: Routes | undefined;
  #route: Route | undefined;
  #sent: { readonly block: HeaderBlock; readonly options: UpstreamHeaderOptions } | undefined;

  private constructor(head: ClientHead) {
    this.head = head;
    this.requestId = givenRequestId(head.headers);
    this.malformed = malformedHead(head);
    this.isPacked = isPacked(head.headers['content-encoding']);
    this.path = originForm(head.target);
  }

  /** What it says about its request, when it comes from anybody, and from a trusted source. */
  control(isTrusted: boolean): ControlHeaders | HeaderProblem {
    const { headers } = this.head;
    if (isTrusted) return (this.#fromTrusted ??= readControlHeaders(headers, true));
    return (this.#fromAnyone ??= readControlHeaders(headers, false));
  }

  /** Where it goes, by the routes of the moment. */
  route(routes: Routes): Route {
    if (this.#route === undefined || this.#routes !== routes) {
      this.#routes = routes;
      this.#route = routes.find(this.head.method, this.head.target);
    }
    return this.#route;
  }

  /**
   * What of its headers goes to a model server.
   * @throws {UnwritableRequest}
   */
  upstream(options: UpstreamHeaderOptions): HeaderBlock {
    const sent = this.#sent;
    if (sent !== undefined && isSame(sent.options, options)) return sent.block;
    const block = new HeaderBlock(upstreamHeaders(this.head.rawHeaders, options));
    this.#sent = { block, options };
    return block;
  }
}

function isSame(a: UpstreamHeaderOptions, b: UpstreamHeaderOptions): boolean {
  return a.forwardAuthorization === b.forwardAuthorization && a.viaProxy === b.viaProxy;
}
