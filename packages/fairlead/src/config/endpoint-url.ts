// SPDX-License-Identifier: Apache-2.0

/** The address of a model server, checked before anything connects to it. */

const MAX_URL_LENGTH = 2_048;

export type EndpointUrl =
  | { readonly url: string; readonly message?: undefined }
  /** Does not repeat the URL: it may hold credentials. */
  | { readonly url?: undefined; readonly message: string; readonly allowed: string; readonly suggestion?: string };

const allowed = 'http://host:port[/prefix] or https://host[:port][/prefix]';

/** The URL without a trailing slash, as endpoints are told apart by it. */
export function readEndpointUrl(text: string): EndpointUrl {
  const refused = (why: string): EndpointUrl => ({ message: `${why}; allowed is ${allowed}`, allowed });
  if (text.length > MAX_URL_LENGTH) return refused(`must be a URL of at most ${MAX_URL_LENGTH} characters`);
  if (/^[\w.-]+:\d+(\/[\w./-]*)?$/.test(text)) {
    const suggestion = `http://${text}`;
    return { message: `must begin with http:// or https://; did you mean \`${suggestion}\`?`, allowed, suggestion };
  }
  if (!/^https?:\/\/[^\s\\]+$/i.test(text) || !URL.canParse(text)) return refused('must be an http or https URL');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    return refused('must not hold credentials (the value is not shown here): name their variable in apiKeyEnv');
  }
  if (url.search !== '' || url.hash !== '' || /[?#]/.test(text)) return refused('must not have a query or a fragment');
  if (url.port === '0') return refused('must not have port 0');
  return { url: `${url.origin}${url.pathname}`.replace(/\/+$/, '') };
}

/** The name of an endpoint that has none: `host:port/prefix`. */
export function nameOfUrl(url: string): string {
  return url.replace(/^https?:\/\//, '');
}
