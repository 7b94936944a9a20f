import * as assert from 'uvu/assert';
import { parseAdmitted } from '../../shared/plan/admitted-form.ts';
import { suite } from '../harness/suite.ts';
import { PLAN } from './audited-history.ts';

const test = suite('the form of an admitted plan');

const bytesOf = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const refusal = (bytes: Uint8Array): string => {
  try {
    parseAdmitted(bytes);
  } catch (error) {
    const { code, place } = error as { code: string; place: { pointer?: string } };
    return `${code} ${place.pointer}`;
  }
  return 'none';
};

test('a document that admission would not write is refused with its place, and one with more fields is read', () => {
  assert.is(refusal(bytesOf(PLAN)), 'none');
  assert.is(refusal(bytesOf({ ...PLAN, later: 1 })), 'none');
  assert.is(refusal(new Uint8Array([0xff])), 'ERR_SCHEMA undefined');
  assert.is(refusal(bytesOf({ ...PLAN, steps: [{ ...PLAN.steps[0], needs: 'fetch' }] })), 'ERR_SCHEMA /steps/0/needs');
  assert.is(refusal(bytesOf({ ...PLAN, processors: {} })), 'ERR_SCHEMA /steps/0/processor');
});

test.run();
