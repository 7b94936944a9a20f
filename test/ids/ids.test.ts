import * as assert from 'uvu/assert';
import {
  executionFolder,
  executionId,
  isPlanId,
  outputPrefix,
  PROCESSOR_REF,
  planOfExecution,
  planOfPath,
  processorFolder,
  receiptPath,
  stepOfExecution,
} from '../../shared/ids/ids.ts';
import { parseImageReference } from '../../shared/ids/image-reference.ts';
import { parseSelector, selectorMatches } from '../../shared/ids/selector.ts';
import { isCanonicalKey, keyOf, pathOfKey } from '../../shared/ids/world-path.ts';
import { suite } from '../harness/suite.ts';

const test = suite('ids and the paths made of them');

test('an id of a plan is one token of a subject', () => {
  for (const id of ['a', '0', 'iris-001', 'a_b', 'x'.repeat(63)]) assert.ok(isPlanId(id), id);
  for (const id of ['', '-a', '_a', 'A', 'a.b', 'a b', 'a/b', 'é', 'x'.repeat(64), 'a\n', 1, null, undefined]) {
    assert.not.ok(isPlanId(id), String(id));
  }
});

test('what lies below the name of a plan is that plan’s; the rest is nobody’s yet', () => {
  for (const folder of ['outputs', 'executions', 'plans', 'metrics']) {
    assert.is(planOfPath(`/artifacts/${folder}/iris/a/b.csv`), 'iris');
    assert.is(planOfPath(`/artifacts/${folder}/iris`), 'iris', 'nor may anything lie where its folder is to be');
    assert.is(planOfPath(`/artifacts/${folder}/`), undefined);
  }
  for (const path of [
    '/artifacts/inputs/iris/a.csv',
    '/streams/outputs/iris/a',
    '/artifacts/a',
    '/artifacts/x/outputs/iris',
  ]) {
    assert.is(planOfPath(path), undefined, path);
  }
});

test('an execution id tells its plan and its step', () => {
  assert.equal(['iris.train.2', 'iris', ''].map(planOfExecution), ['iris', 'iris', '']);
});

test('a processor is named by namespace, name and version', () => {
  for (const ref of ['csv/profile@1', 'a/b@9999', 'a-b/c-d@10', `${'x'.repeat(32)}/${'y'.repeat(32)}@1`]) {
    assert.ok(PROCESSOR_REF.test(ref), ref);
  }
  const none = ['csv/profile', 'csv/profile@0', 'csv/profile@01', 'csv/profile@10000', 'csv@1', '/profile@1', 'csv/@1'];
  const more = [
    '-a/b@1',
    'a/-b@1',
    'a_b/c@1',
    'A/b@1',
    ' a/b@1',
    'a/b@1 ',
    'a/b/c@1',
    'a/b@1x',
    'a/b@x',
    `${'x'.repeat(33)}/y@1`,
    `y/${'x'.repeat(33)}@1`,
  ];
  for (const ref of [...none, ...more]) assert.not.ok(PROCESSOR_REF.test(ref), ref);
});

test('each thing has its place', () => {
  assert.is(executionId('iris', 'profile', 2), 'iris.profile.2');
  assert.is(processorFolder('csv/profile@1'), 'csv_profile');
  assert.is(processorFolder('my-ns/long-name-x@12'), 'my_ns_long_name_x');
  assert.is(outputPrefix('iris', 'profile'), '/artifacts/outputs/iris/profile/');
  assert.is(executionFolder('iris', 'iris.profile.2'), '/artifacts/executions/iris/iris.profile.2/');
  assert.is(receiptPath('iris', 'iris.profile.2'), '/artifacts/executions/iris/iris.profile.2/determinism.json');
});

test('an execution names its step; what is no execution names none', () => {
  assert.equal(['iris.profile.2', 'iris', ''].map(stepOfExecution), ['profile', '', '']);
});

test('a key of a store is a path without its first slash, or none of ours', () => {
  assert.is(keyOf('/artifacts/a/b'), 'artifacts/a/b');
  assert.is(pathOfKey('artifacts/a/b'), '/artifacts/a/b');
  assert.ok(isCanonicalKey('artifacts/a/b'));
  for (const key of ['artifacts/A', 'artifacts//a', 'artifacts/a/', 'other/a', '', 'artifacts/%41', '/artifacts/a']) {
    assert.is(isCanonicalKey(key), false, key);
  }
  // No answer about a key: a fault of the caller.
  const noText = {
    toString(): string {
      throw new RangeError('no text');
    },
  };
  assert.throws(() => isCanonicalKey(noText as unknown as string), /no text/);
});

test('a prefix is never selected, since it is no path', () => {
  for (const text of ['/artifacts/a/', '/artifacts/**', '/artifacts/']) {
    assert.is(selectorMatches(parseSelector(text), '/artifacts/a/'), false, text);
  }
});

test('selectors of each kind are told apart', () => {
  const kinds = ['/artifacts/a', '/artifacts/a/', '/artifacts/a*', '/artifacts/*/'].map(
    (text) => parseSelector(text).kind,
  );
  assert.equal(kinds, ['exact', 'prefix', 'glob', 'glob']);
});

test('a reference to an image is a name, and a digest when it pins', () => {
  const digest = `sha256:${'a1'.repeat(32)}`;
  const cases: readonly [string, string, string | undefined][] = [
    ['host:5000/ns/probe:1', 'host:5000/ns/probe:1', undefined],
    [`probe:1@${digest}`, 'probe:1', digest],
    // No digest of ours: then all of it is the name.
    [`probe@${digest}0`, `probe@${digest}0`, undefined],
    [`probe@x${digest}`, `probe@x${digest}`, undefined],
    [`probe@${digest.slice(0, -1)}`, `probe@${digest.slice(0, -1)}`, undefined],
    [`probe@${digest.toUpperCase()}`, `probe@${digest.toUpperCase()}`, undefined],
    [`@${digest}`, `@${digest}`, undefined],
    [`a@b@${digest}`, `a@b@${digest}`, undefined],
  ];
  for (const [reference, name, found] of cases) {
    assert.equal(parseImageReference(reference), { name, digest: found }, reference);
  }
});

test.run();
