import * as assert from 'uvu/assert';
import { decideScratch, refusedUpload } from '../../services/gateway/decide.ts';
import { parseTarget } from '../../services/gateway/scratch-requests.ts';
import { SCRATCH_PATH, type ScratchGrant } from '../../shared/scratch/token.ts';
import { suite } from '../harness/suite.ts';

const test = suite('what the gateway does with a request');

const GRANT: ScratchGrant = { plan_id: 'p', execution_id: 'p.s.1', scratch: ['kv', 'queue'], expires_s: 1 };
const BOTH = { kv: true, queue: true };

const decide = (method: string, path: string, grant: ScratchGrant | undefined = GRANT, offered = BOTH) =>
  decideScratch({ method, target: parseTarget(`${SCRATCH_PATH}${path}`), grant }, offered);

/** The call in short, or the code of its refusal. */
function said(...request: Parameters<typeof decide>): string {
  const decision = decide(...request);
  if (!decision.ok) return decision.fault.code;
  const { call } = decision;
  return `${call.planId} ${call.primitive}.${call.op} ${call.primitive === 'kv' ? call.key : call.topic}`;
}

test('each method and action is one call, of the plan of its token', () => {
  assert.is(said('GET', 'kv?key=a'), 'p kv.get a');
  assert.is(said('PUT', 'kv?key=a'), 'p kv.put a');
  assert.is(said('DELETE', 'kv?key=a'), 'p kv.delete a');
  assert.is(said('POST', 'kv?key=a'), 'p kv.incr a');
  assert.is(said('GET', 'queue/t'), 'p queue.stats t');
  for (const action of ['publish', 'consume', 'ack', 'nack']) {
    assert.is(said('POST', `queue/t/${action}`), `p queue.${action} t`);
  }
});

test('what is no call is not found, also where an object would have inherited it', () => {
  for (const [method, path] of [
    ['PATCH', 'kv?key=a'],
    ['constructor', 'kv?key=a'],
    ['GET', 'queue/t/publish'],
    ['POST', 'queue/t'],
    ['POST', 'queue/t/purge'],
    ['GET', 'elsewhere'],
  ] as const) {
    assert.is(said(method, path), 'ERR_NOT_FOUND', `${method} ${path}`);
  }
});

test('a token that is not good is refused before anything is told of the call', () => {
  const stranger = { method: 'GET', target: parseTarget(`${SCRATCH_PATH}elsewhere`), grant: undefined };
  const decision = decideScratch(stranger, { kv: false, queue: false });
  assert.is(decision.ok ? '' : decision.fault.code, 'ERR_TOKEN_REFUSED');
});

test('a processor reaches what its registry file lists, where the deployment has it', () => {
  const kvOnly: ScratchGrant = { ...GRANT, scratch: ['kv'] };
  assert.is(said('GET', 'kv?key=a', kvOnly), 'p kv.get a');
  assert.is(said('GET', 'queue/t', kvOnly), 'ERR_TOKEN_REFUSED');
  assert.is(said('GET', 'queue/t', GRANT, { kv: true, queue: false }), 'ERR_UNIMPLEMENTED');
  assert.is(said('GET', 'kv?key=a', GRANT, { kv: false, queue: true }), 'ERR_UNIMPLEMENTED');
  assert.is(said('PATCH', 'kv?key=a', GRANT, { kv: false, queue: true }), 'ERR_UNIMPLEMENTED');
});

test('which names are told as they are stands in the token; none without it, and never one that a processor calls sensitive', () => {
  const clearOf = (path: string, names?: ScratchGrant['clear_names']) => {
    const decision = decide('PUT', path, names === undefined ? GRANT : { ...GRANT, clear_names: names });
    return decision.ok ? decision.call.clear : decision.fault.code;
  };
  assert.equal(clearOf('kv?key=a'), []);
  assert.equal(clearOf('kv?key=a', ['a']), ['a']);
  assert.equal(clearOf('kv?key=a', 'all'), 'all');
  assert.equal(clearOf('kv?key=a&sensitive=true', 'all'), []);
  const published = decide('POST', 'queue/t/publish', { ...GRANT, clear_names: ['t'] });
  assert.equal(published.ok && published.call.clear, ['t']);
});

test('an upload has the content type and at most the size that its URL was made for', () => {
  const grant = { contentType: 'text/plain; charset=utf-8', maxBytes: 10 };
  const given = (contentType: string | undefined, contentLength?: string) =>
    refusedUpload({ contentType, contentLength }, grant);
  assert.is(given('text/plain; charset=utf-8', '10'), undefined);
  assert.is(given('Text/Plain ;  charset=UTF-8'), undefined);
  assert.is(given('text/plain; charset=utf-8', '11'), 'ERR_OUTPUT_TOO_LARGE');
  assert.is(given('text/plain'), 'ERR_URL_REFUSED');
  assert.is(given(undefined), 'ERR_URL_REFUSED');
});

test.run();
