// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BodyScan, scanBody } from './body-scan.ts';
import type { BodyError } from './body-error.ts';
import type { BodyFacts } from './body-facts.ts';
import type { BodyFamily } from './body-shapes.ts';
import { MAX_DEPTH } from './json-object-scanner.ts';

function scan(text: string, family: BodyFamily = 'chat'): BodyFacts | BodyError {
  return scanBody([Buffer.from(text)], family);
}

function facts(text: string, family?: BodyFamily): BodyFacts {
  const result = scan(text, family);
  assert.ok(!('message' in result), 'message' in result ? result.message : '');
  return result;
}

function problem(text: string, family?: BodyFamily): BodyError {
  const result = scan(text, family);
  assert.ok('message' in result, 'the body was accepted');
  return result;
}

/** Cuts `bytes` at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

describe('the facts of a body', () => {
  it('are read from a chat request', () => {
    const messages = [{ role: 'user', content: 'Grüße, "world"\n' }];
    const body = { model: 'm', messages, stream: true, stream_options: { include_usage: true }, n: 2, max_tokens: 7 };
    assert.deepEqual(facts(JSON.stringify(body)), {
      model: 'm',
      stream: true,
      includeUsage: true,
      sequences: 2,
      maxTokens: 7,
      promptBytes: Buffer.byteLength(JSON.stringify(messages)),
    });
  });

  it('have defaults for all that a body does not say, or says is null', () => {
    const nothing = { stream: false, includeUsage: false, sequences: 1, promptBytes: 0 };
    assert.deepEqual(facts('{}'), nothing);
    assert.deepEqual(facts(' \r\n\t{ } \n'), nothing);
    assert.deepEqual(facts('{"model":null,"n":null,"stream":null,"max_tokens":null,"stream_options":null}'), nothing);
  });

  it('come from the outermost level only', () => {
    const read = facts('{"metadata":{"model":"evil","n":9,"stream":true,"include_usage":true},"model":"good"}');
    assert.deepEqual(read, { model: 'good', stream: false, includeUsage: false, sequences: 1, promptBytes: 0 });
  });

  it('come from the last of duplicate members, as a parser reads them', () => {
    const read = facts(
      '{"model":5,"n":-1,"stream":true,"stream_options":{"include_usage":true},"model":"b","n":3,"stream":false,"stream_options":{}}',
    );
    assert.deepEqual(read, { model: 'b', stream: false, includeUsage: false, sequences: 3, promptBytes: 0 });
    assert.equal(facts('{"stream_options":{"include_usage":true},"stream_options":7}').includeUsage, false);
    assert.equal(facts('{"stream_options":{"include_usage":false,"include_usage":true}}').includeUsage, true);
    assert.equal(facts('{"stream_options":{"a":{"include_usage":true}}}').includeUsage, false);
    assert.equal(facts('{"stream_options":{"a":[{"include_usage":true}],"b":true}}').includeUsage, false);
  });

  it('are found under escaped names', () => {
    assert.equal(facts('{"model":"a","\\u006dodel":"b"}').model, 'b');
    assert.equal(facts('{"\\u006d\\u006f\\u0064\\u0065\\u006c":"\\u00e9\\/\\ud83d\\ude00"}').model, 'é/😀');
    assert.equal(facts('{"model\\u0000":"a"}').model, undefined);
  });

  it('count n × prompts as sequences', () => {
    const prompts = (prompt: unknown) => facts(JSON.stringify({ n: 3, prompt }), 'completions').sequences;
    assert.equal(prompts('one'), 3);
    assert.equal(prompts(['one', 'two']), 6);
    assert.equal(prompts([1, 2, 3, 4]), 3);
    assert.equal(prompts([[1, 2], [3], []]), 9);
    assert.equal(prompts([]), 3);
    const inputs = (input: unknown) => facts(JSON.stringify({ n: 3, input }), 'embeddings').sequences;
    assert.equal(inputs(['a', 'b', 'c']), 3);
    assert.equal(inputs([[1], [2]]), 2);
    assert.equal(facts('{"prompt":["a","b"],"prompt":"c"}', 'completions').sequences, 1);
    assert.equal(facts('{"prompt":["a","b"],"n":4}', 'chat').sequences, 4);
    assert.equal(facts('{"input":["a","b"],"n":4}', 'other').sequences, 1);
  });

  it('take the token limit that the API prefers, when it is sane', () => {
    assert.equal(facts('{"max_tokens":5,"max_completion_tokens":6}').maxTokens, 6);
    assert.equal(facts('{"max_output_tokens":8}', 'other').maxTokens, 8);
    for (const bad of ['-1', '0', '1.5', '"9"', '1e99', '[]', `1${'0'.repeat(400)}`]) {
      assert.equal(facts(`{"max_tokens":${bad}}`).maxTokens, undefined);
    }
  });

  it('count the sequences of the generate APIs, whose n stands in sampling_params', () => {
    const sequences = (family: BodyFamily, body: unknown) => facts(JSON.stringify(body), family).sequences;
    assert.equal(sequences('vllm-generate', { token_ids: [1, 2, 3], n: 9, sampling_params: { n: 4 } }), 4);
    assert.equal(sequences('vllm-generate', { token_ids: [1, 2, 3] }), 1);
    assert.equal(sequences('sglang-generate', { text: 'one', sampling_params: { n: 2 } }), 2);
    assert.equal(sequences('sglang-generate', { text: ['one', 'two'], sampling_params: { n: null } }), 2);
    assert.equal(sequences('sglang-generate', { input_ids: [[1], [2], [3]], sampling_params: [{ n: 2 }, {}] }), 6);
    assert.equal(sequences('sglang-generate', { input_ids: [1, 2, 3], sampling_params: [null] }), 1);
    assert.equal(sequences('rerank', { query: 'q', documents: ['a', 'b', 'c'] }), 3);
    assert.equal(sequences('score', { text_1: 'q', text_2: ['a', 'b'] }), 2);
    assert.equal(sequences('messages', { messages: [], n: 7 }), 1);
    assert.equal(sequences('responses', { input: ['a', 'b'], n: 7 }), 1);
  });

  it('take the most tokens of an answer where each API has them', () => {
    const most = (family: BodyFamily, body: unknown) => facts(JSON.stringify(body), family).maxTokens;
    assert.equal(most('responses', { max_output_tokens: 5, max_tokens: 6 }), 5);
    assert.equal(most('messages', { max_tokens: 5 }), 5);
    assert.equal(most('count-tokens', { max_tokens: 5 }), undefined);
    assert.equal(most('completions', { max_completion_tokens: 5 }), undefined);
    assert.equal(most('vllm-generate', { max_tokens: 9, sampling_params: { max_tokens: 5 } }), 5);
    assert.equal(most('sglang-generate', { sampling_params: { max_new_tokens: 5 } }), 5);
    assert.equal(most('sglang-generate', { sampling_params: { max_new_tokens: '5' } }), undefined);
    assert.equal(most('sglang-generate', { sampling_params: [{ max_new_tokens: 5 }] }), undefined);
  });

  it('are not moved by what is inside sampling_params, whatever its names are', () => {
    for (const inside of ['"message":"x"', '"__proto__":{"n":5}', '"constructor":1', '"x":{"n":5}']) {
      assert.equal(facts(`{"text":"a","sampling_params":{${inside}}}`, 'sglang-generate').sequences, 1);
    }
  });

  it('count the images among the messages, in every API that has them, and nothing that only looks so', () => {
    const text = { type: 'text', text: 'image_url' };
    const chat = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } };
    const claude = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } };
    const images = (body: unknown, family: BodyFamily = 'chat') => facts(JSON.stringify(body), family).images;
    const messages = (...content: unknown[]) => [{ role: 'user', content }];
    assert.equal(images({ messages: messages(text, chat, chat) }), 2);
    assert.equal(images({ input: messages({ type: 'input_image', image_url: 'https://a/b.png' }) }, 'responses'), 1);
    assert.equal(images({ messages: messages(claude, text, claude, claude) }, 'messages'), 3);
    const bytes = Buffer.from(JSON.stringify({ messages: messages(claude, chat) }));
    for (let at = 0; at <= bytes.length; at += 1) {
      assert.equal((scanBody(cut(bytes, [at, at + 5]), 'chat') as BodyFacts).images, 2);
    }
    assert.equal(images({ messages: messages(text) }), undefined);
    const parameters = { properties: { image_url: { type: 'string' }, media_type: {} } };
    assert.equal(images({ tools: [{ function: { parameters } }], metadata: { a: { image_url: 1 } } }), undefined);
  });

  it('take bytes for text, valid UTF-8 or not', () => {
    const body = Buffer.concat([Buffer.from('{"model":"m","x":"'), Buffer.from([0xff, 0xc0, 0x80]), Buffer.from('"}')]);
    assert.equal((scanBody([body], 'chat') as BodyFacts).model, 'm');
  });
});

describe('a wrong body', () => {
  it('is told its position, counted in characters', () => {
    const { message, ...where } = problem('{\n  "clé": 1,\n  "é" 2}');
    assert.equal(message, "malformed JSON at line 3 column 7: expected ':' after the member name, found '2'");
    assert.deepEqual(where, { offset: 22, line: 3, column: 7 });
  });

  for (const [text, expected] of [
    ['', 'the request body is empty, a JSON object is required'],
    ['[]', "expected a JSON object, found '['"],
    ['"x"', "expected a JSON object, found '\"'"],
    ['\ufeff{}', 'expected a JSON object, found byte 0xef'],
    ['{', "expected a member name in double quotes or '}', but the body ends here"],
    ['{"a":"b', 'expected the rest of a string, but the body ends here'],
    ['{"a":1,}', "expected a member name in double quotes, found '}'"],
    ["{'a':1}", `expected a member name in double quotes or '}', found "'"`],
    ['{"a":[1,]}', "expected a value, found ']'"],
    ['{"a":1]', "expected ',' or the end of the enclosing object or array, found ']'"],
    ['{"a":01}', "expected the end of a number (no digit may follow a leading 0), found '1'"],
    ['{"a":1.}', "expected a digit after the decimal point, found '}'"],
    ['{"a":-}', "expected a digit after -, found '}'"],
    ['{"a":1e+}', "expected a digit in the exponent, found '}'"],
    ['{"a":NaN}', "expected a value, found 'N'"],
    ['{"a":nul}', "expected true, false or null, found '}'"],
    ['{"a":"\n"}', 'a control character must be escaped inside a string'],
    ['{"a":"\\x"}', "expected one of \" \\ / b f n r t u after a backslash, found 'x'"],
    ['{"a":"\\u12g4"}', "expected four hexadecimal digits after \\u, found 'g'"],
    ['{}x', "expected nothing after the object, found 'x'"],
  ] as const) {
    it(`is refused: ${JSON.stringify(text)}`, () => {
      assert.ok(problem(text).message.endsWith(expected), problem(text).message);
    });
  }

  it('is refused when it is nested too deeply, however long it is', () => {
    const nested = (levels: number) => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    assert.equal(facts(nested(MAX_DEPTH)).sequences, 1);
    assert.match(problem(nested(MAX_DEPTH + 1)).message, /nested more than 512 levels deep/);
    assert.equal(problem(`{"a":${'['.repeat(1e6)}`).column, MAX_DEPTH + 5);
  });

  it('names the member whose value cannot be accepted', () => {
    assert.deepEqual(problem('{"n":\n 0}'), {
      message: 'n must be an integer from 1 to 1024, got 0',
      offset: 7,
      line: 2,
      column: 2,
      param: 'n',
    });
    for (const [n, got] of [
      ['1025', '1025'],
      ['-2', '-2'],
      ['1.5', '1.5'],
      ['"2"', 'a string'],
      ['true', 'true'],
      ['[1]', 'an array'],
      [`1${'0'.repeat(99)}`, 'a number'],
    ]) {
      assert.equal(problem(`{"n":${n}}`, 'completions').message, `n must be an integer from 1 to 1024, got ${got}`);
    }
    assert.equal(facts('{"n":0}', 'embeddings').sequences, 1);
    const sampling = (params: unknown) => problem(JSON.stringify({ sampling_params: params }), 'sglang-generate');
    assert.equal(sampling({ n: '2' }).message, 'sampling_params.n must be an integer from 1 to 1024, got a string');
    assert.equal(sampling([{ n: -2 }]).param, 'sampling_params.n');
    assert.match(
      sampling({ x: 'x'.repeat(300_000) }).message,
      /sampling_params must be at most 262144 bytes, got more/,
    );
  });

  it('names the model when it is no name', () => {
    const allowed = 'model must be a non-empty string of at most 256 characters';
    for (const [model, got] of [
      ['""', 'an empty one'],
      ['7', 'a number'],
      ['{}', 'an object'],
      [`"${'x'.repeat(257)}"`, 'a longer one'],
      [`"${'x'.repeat(1e5)}"`, 'a longer one'],
    ]) {
      assert.equal(problem(`{"model":${model}}`).message, `${allowed}, got ${got}`);
      assert.equal(problem(`{"model":${model}}`).param, 'model');
    }
    assert.equal(facts(`{"model":"${'\\u0041'.repeat(256)}"}`).model, 'A'.repeat(256));
  });
});

describe('the body scan', () => {
  /** Any JSON object, written with or without blanks. */
  const object = fc
    .tuple(
      fc.dictionary(
        fc.oneof(fc.constantFrom('model', 'n', 'stream', 'prompt'), fc.string()),
        fc.jsonValue({ maxDepth: 4 }),
      ),
      fc.constantFrom(undefined, 1, '\t'),
    )
    .map(([value, indent]) => JSON.stringify(value, null, indent));
  const places = fc.array(fc.nat(), { maxLength: 6 });

  function isObject(text: string): boolean {
    try {
      const value = JSON.parse(text) as unknown;
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    } catch {
      return false;
    }
  }

  /** Whether the scan takes it for well-formed: a complaint about a member is not one about the syntax. */
  function isWellFormed(result: BodyFacts | BodyError): boolean {
    return !('message' in result) || result.param !== undefined;
  }

  it('accepts every object that JSON.parse accepts, however it is cut', () => {
    fc.assert(
      fc.property(object, places, (text, at) => {
        assert.ok(isWellFormed(scanBody(cut(Buffer.from(text), at), 'other')));
      }),
      { numRuns: 300 },
    );
  });

  it('judges a damaged object as JSON.parse does, and the same however it is cut', () => {
    const damage = fc.record({
      at: fc.nat(),
      remove: fc.nat(3),
      insert: fc.constantFrom(
        '',
        '"',
        '\\',
        ',',
        ':',
        '{',
        '}',
        '[',
        ']',
        '0',
        '-',
        '.',
        'e',
        'u',
        'null',
        '\n',
        '\u0001',
        ' ',
        '\\u00',
      ),
    });
    fc.assert(
      fc.property(object, fc.array(damage, { minLength: 1, maxLength: 3 }), places, (text, damages, at) => {
        let damaged = text;
        for (const { at: where, remove, insert } of damages) {
          const start = where % (damaged.length + 1);
          damaged = damaged.slice(0, start) + insert + damaged.slice(start + remove);
        }
        const bytes = Buffer.from(damaged);
        const whole = scanBody([bytes], 'completions');
        // As the bytes read back: half of a surrogate pair becomes a replacement character.
        assert.equal(isWellFormed(whole), isObject(bytes.toString()), damaged);
        assert.deepEqual(scanBody(cut(bytes, at), 'completions'), whole);
      }),
      { numRuns: 2000 },
    );
  });

  it('reads what JSON.parse reads', () => {
    const member = fc.oneof(
      fc.tuple(fc.constantFrom('model', 'prompt'), fc.string({ minLength: 1, maxLength: 20, unit: 'binary' })),
      fc.tuple(fc.constant('n'), fc.integer({ min: 1, max: 1024 })),
      fc.tuple(fc.constantFrom('stream', 'echo'), fc.boolean()),
      fc.tuple(fc.constant('max_tokens'), fc.nat()),
      fc.tuple(fc.constant('stream_options'), fc.dictionary(fc.constantFrom('include_usage', 'x'), fc.boolean())),
      fc.tuple(fc.constant('x'), fc.jsonValue()),
    );
    const escaped = (text: string) =>
      [...text].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
    fc.assert(
      fc.property(fc.array(fc.tuple(member, fc.boolean())), places, (members, at) => {
        const text = members
          .map(([[name, value], escape]) => `"${escape ? escaped(name) : name}":${JSON.stringify(value)}`)
          .join(',');
        const bytes = Buffer.from(`{${text}}`);
        const parsed = JSON.parse(bytes.toString()) as Record<string, unknown> & {
          stream_options?: { include_usage?: boolean };
        };
        const read = scanBody(cut(bytes, at), 'completions') as BodyFacts;
        assert.equal(read.model, parsed['model']);
        assert.equal(read.stream, parsed['stream'] === true);
        assert.equal(read.includeUsage, parsed.stream_options?.include_usage === true);
        assert.equal(read.sequences, parsed['n'] ?? 1);
        assert.equal(read.maxTokens, parsed['max_tokens'] === 0 ? undefined : parsed['max_tokens']);
      }),
      { numRuns: 500 },
    );
  });

  it('reads token arrays the same wherever they are cut', () => {
    const texts = [
      '{"prompt":[12,340, 5,0,7 ,8.5,91],"n":2}',
      '{"prompt":[[1,22, 333],[4]],"n":2}',
      '{"prompt":[12,, 3]}',
      '{"prompt":[12, 03]}',
      '{"prompt":[1, 2',
    ];
    const expected = [2, 4, "found ','", "found '3'", 'the body ends here'];
    for (const [index, text] of texts.entries()) {
      const bytes = Buffer.from(text);
      for (let at = 0; at <= bytes.length; at += 1) {
        const result = scanBody([bytes.subarray(0, at), bytes.subarray(at)], 'completions');
        if ('message' in result) assert.ok(result.message.endsWith(String(expected[index])), result.message);
        else assert.equal(result.sequences, expected[index]);
      }
    }
  });

  it('finds the end of strings of every length, at every alignment', () => {
    for (let length = 0; length < 40; length += 1) {
      for (const end of ['', '\\n', '\\u00e9', 'é', '\u007f', '!', ' ', '#', '[', ']']) {
        const text = `${' '.repeat(length % 9)}{"x":"${'a'.repeat(length)}${end}b","model":"m"}`;
        assert.equal(facts(text).model, 'm');
        assert.match(problem(text.replace('b"', '\u001f"')).message, /control character/);
      }
    }
  });

  it('may be read a slice at a time, with the same answer', () => {
    for (const text of ['{"model":"m","n":3,"messages":[{"a":"b"}]}', '{"model":"m",,}', '{"model":', '']) {
      const bytes = Buffer.from(text);
      const chunks = cut(bytes, [3, 9, 14, 20]);
      const scan = new BodyScan(chunks, 'chat');
      let slices = 1;
      let answer = scan.next(1);
      for (; answer === undefined; answer = scan.next(1)) slices += 1;
      assert.deepEqual(answer, scanBody([bytes], 'chat'));
      assert.ok(slices >= (text === '' ? 1 : 2));
    }
  });
});
