// SPDX-License-Identifier: Apache-2.0

/**
 * Certificates for one test: an authority of its own, and what it signs. X.509 (RFC 5280) in DER by hand, because Node
 * can read certificates and sign bytes but make no certificates, and what that takes is small.
 */

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { isIP } from 'node:net';

/** PEM texts. */
export interface Certified {
  readonly cert: string;
  readonly key: string;
}

interface Subject {
  readonly name: string;
  /** Host names and IPv4 addresses that the certificate is for. */
  readonly hosts?: readonly string[];
  /** Ended yesterday. */
  readonly isExpired?: boolean;
}

const DAY_MS = 86_400_000;

/** An authority: its certificate, and what it certifies. */
export class Authority {
  readonly cert: string;
  readonly #name: string;
  readonly #key: KeyObject;

  constructor(name: string) {
    const { publicKey, privateKey } = keys();
    this.#name = name;
    this.#key = privateKey;
    this.cert = certificate({ subject: { name }, issuer: name, publicKey, signedBy: privateKey, isAuthority: true });
  }

  certify(subject: Subject): Certified {
    const { publicKey, privateKey } = keys();
    const cert = certificate({ subject, issuer: this.#name, publicKey, signedBy: this.#key, isAuthority: false });
    return { cert, key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })) };
  }
}

function keys() {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

interface Request {
  readonly subject: Subject;
  readonly issuer: string;
  readonly publicKey: KeyObject;
  readonly signedBy: KeyObject;
  readonly isAuthority: boolean;
}

function certificate({ subject, issuer, publicKey, signedBy, isAuthority }: Request): string {
  const endMs = Date.now() + (subject.isExpired === true ? -DAY_MS : DAY_MS);
  const body = sequence(
    tagged(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_SHA256,
    distinguished(issuer),
    sequence(time(endMs - 10 * DAY_MS), time(endMs)),
    distinguished(subject.name),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions(subject, isAuthority))),
  );
  const whole = sequence(
    body,
    ECDSA_SHA256,
    der(0x03, Buffer.concat([Buffer.from([0]), sign('sha256', body, signedBy)])),
  );
  const lines = whole.toString('base64').match(/.{1,64}/g)!;
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function extensions({ hosts = [] }: Subject, isAuthority: boolean): Buffer[] {
  const basic = sequence(...(isAuthority ? [der(0x01, Buffer.from([0xff]))] : []));
  const all = [sequence(oid('551d13'), der(0x01, Buffer.from([0xff])), der(0x04, basic))];
  if (hosts.length === 0) return all;
  const names = hosts.map((host) =>
    isIP(host) === 4 ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host)),
  );
  return [...all, sequence(oid('551d11'), der(0x04, sequence(...names)))];
}

const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'));

function distinguished(name: string): Buffer {
  return sequence(tagged(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(name)))));
}

function time(ms: number): Buffer {
  return der(0x18, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`));
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function tagged(tag: number, content: Buffer): Buffer {
  return der(tag, content);
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 128) return Buffer.concat([Buffer.from([tag, length]), content]);
  const hex = length.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | bytes.length]), bytes, content]);
}
