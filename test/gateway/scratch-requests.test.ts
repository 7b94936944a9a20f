import * as assert from 'uvu/assert';
import {
  documentOf,
  numberOf,
  parseAck,
  parseConsume,
  parseIncr,
  parseNack,
  parseTarget,
  valid,
} from '../../services/gateway/scratch-requests.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { SCRATCH_PATH } from '../../shared/scratch/token.ts';
import { suite } from '../harness/suite.ts';

const test = suite('what the gateway is asked');

const target = (rest: string) => {
  const found = parseTarget(`${SCRATCH_PATH}${rest}`);
  if (found === undefined) return undefined;
  const { query, ...named } = found;
  return { ...named, query: Object.fromEntries(query) };
};

function refused(run: () => unknown): IsomorphError {
  try {
    run();
  } catch (error) {
    assert.instance(error, IsomorphError);
    return error as IsomorphError;
  }
  return assert.unreachable('accepted') as never;
}

test('keys stand in the query, topics and what is done with them in the path', () => {
  const cases: readonly [string, unknown][] = [
    ['kv?key=a', { primitive: 'kv', key: 'a', query: { key: 'a' } }],
    ['kv?key=..%2F%00', { primitive: 'kv', key: '../\0', query: { key: '../\0' } }],
    ['kv?key=a&ttl_s=3', { primitive: 'kv', key: 'a', query: { key: 'a', ttl_s: '3' } }],
    ['kv', { primitive: 'kv', key: '', query: {} }],
    ['kv/', { primitive: 'kv', key: '', query: {} }],
    ['queue/jobs/publish', { primitive: 'queue', topic: 'jobs', action: 'publish', query: {} }],
    ['queue/jobs/publish?delay_s=1', { primitive: 'queue', topic: 'jobs', action: 'publish', query: { delay_s: '1' } }],
    ['queue/jobs', { primitive: 'queue', topic: 'jobs', action: '', query: {} }],
    ['queue', { primitive: 'queue', topic: '', action: '', query: {} }],
    ['kv/a', undefined],
    ['queue/jobs/publish/more', undefined],
    ['other/jobs/publish', undefined],
    ['', undefined],
  ];
  for (const [rest, expected] of cases) assert.equal(target(rest), expected, rest);
});

test('a number of the query is a number, or told as none', () => {
  const query = new URLSearchParams('a=1.5&zero=0&negative=-2&empty=&word=x&endless=Infinity');
  assert.equal(
    ['a', 'zero', 'negative', 'absent'].map((name) => numberOf(query, name)),
    [1.5, 0, -2, undefined],
  );
  for (const name of ['empty', 'word', 'endless']) {
    const { code, message, place } = refused(() => numberOf(query, name));
    assert.equal(
      [code, message, place],
      ['ERR_SCHEMA', `${name} is no number`, { pointer: `/${name}`, expected: 'a number' }],
    );
  }
});

test('a body is one JSON document in UTF-8; none is an empty one', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  assert.equal(documentOf(new Uint8Array()), {});
  assert.equal(documentOf(bytes('{"by":2}')), { by: 2 });
  for (const body of [bytes('{"by":'), bytes('two'), Uint8Array.of(0x22, 0xe4, 0x22)]) {
    const { code, message, cause } = refused(() => documentOf(body));
    assert.equal([code, message], ['ERR_NOT_JSON', 'the body is no JSON document']);
    assert.instance(cause, Error);
  }
});

test('the documents of each call, closed and typed', () => {
  const accepted: readonly [(value: unknown) => Parameters<typeof valid>[0], unknown][] = [
    [parseIncr, {}],
    [parseIncr, { by: -3, ttl_s: 0.5 }],
    [parseConsume, {}],
    [parseConsume, { max_messages: 5, visibility_timeout_s: 1.5, wait_s: 0.25 }],
    [parseAck, { receipt_handle: 'r' }],
    [parseNack, { receipt_handle: 'r' }],
    [parseNack, { receipt_handle: 'r', delay_s: 1.5, reason: 'later' }],
  ];
  for (const [parse, document] of accepted) assert.equal(valid(parse(document)), document);

  const wrong: readonly [(value: unknown) => Parameters<typeof valid>[0], unknown, string][] = [
    [parseIncr, { by: 1.5 }, '/by'],
    [parseIncr, { ttl_s: '1' }, '/ttl_s'],
    [parseIncr, { more: 1 }, '/more'],
    [parseConsume, { max_messages: 1.5 }, '/max_messages'],
    [parseConsume, { visibility_timeout_s: '1' }, '/visibility_timeout_s'],
    [parseConsume, { wait_s: null }, '/wait_s'],
    [parseConsume, { more: 1 }, '/more'],
    [parseAck, {}, ''],
    [parseAck, { receipt_handle: 1 }, '/receipt_handle'],
    [parseAck, { receipt_handle: 'r', more: 1 }, '/more'],
    [parseNack, { delay_s: 1 }, ''],
    [parseNack, { receipt_handle: 'r', delay_s: '1' }, '/delay_s'],
    [parseNack, { receipt_handle: 'r', reason: 1 }, '/reason'],
    [parseNack, { receipt_handle: 'r', more: 1 }, '/more'],
  ];
  for (const [parse, document, pointer] of wrong) {
    const { code, message, place } = refused(() => valid(parse(document)));
    assert.equal([code, place.pointer], ['ERR_SCHEMA', pointer], JSON.stringify(document));
    assert.is.not(message, '');
    assert.type(place.expected, 'string');
  }
});

test.run();
