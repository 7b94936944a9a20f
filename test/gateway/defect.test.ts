import * as assert from 'uvu/assert';
import { traceOf } from '../../services/gateway/defect.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { suite } from '../harness/suite.ts';

const test = suite('what is logged of a defect met for a processor');

test('what was thrown, where, and its causes; never their words', () => {
  const cause = Object.assign(new TypeError('no key s3cret\n    at s3cret (file:///s3cret.ts:1:1)'), {
    code: 'ECONNRESET',
    command: { args: ['s3cret'] },
  });
  const trace = traceOf(new IsomorphError('ERR_INTERNAL', 'redis kv put: s3cret', { pointer: '/s3cret' }, cause));
  assert.is(trace[0], 'IsomorphError ERR_INTERNAL');
  assert.ok(trace.includes('TypeError ECONNRESET'));
  assert.ok(trace.filter((line) => line.includes('defect.test.ts')).length >= 2, trace.join('\n'));
  assert.not(trace.join('\n').includes('s3cret'));
});

test('what is no error, says its code in words, or causes itself is told as far as it may be', () => {
  assert.equal(traceOf('s3cret'), []);
  const loop = Object.assign(new Error('s3cret'), { code: 's3cret' });
  loop.cause = loop;
  const trace = traceOf(loop);
  assert.is(trace.filter((line) => line === 'Error').length, 5);
  assert.not(trace.join('\n').includes('s3cret'));
  loop.stack = 'Error: something else\n    at s3cret';
  assert.equal([...new Set(traceOf(loop))], ['Error']);
});

test.run();
