import * as assert from 'uvu/assert';
import {
  DEFAULT_MAX_OUTPUT_BYTES,
  type Policy,
  PolicySchema,
  type Processor,
  ProcessorSchema,
} from '../../shared/plan/registry.ts';
import { validator } from '../../shared/schema/validate.ts';
import { suite } from '../harness/suite.ts';
import { ABSENT, type Change, refuses, takes } from './document-limits.ts';

const test = suite('documents of the registry');

const parseProcessor = validator(ProcessorSchema, 'ERR_SCHEMA');
const parsePolicy = validator(PolicySchema, 'ERR_SCHEMA');

/** Every field that there is. */
const PROCESSOR: Processor = {
  ref: 'test/probe@1',
  description: 'probes',
  image: 'isomorph.test/probe:1',
  entrypoint: ['node', 'processor.ts'],
  runtime: {
    cpu: 0.25,
    memory_gb: 0.125,
    gpu: { model: 'A100', count: 1, mem_gb: 40 },
    timeout_s: 30,
    network: 'artifacts',
    scratch_volume_gb: 0.5,
  },
  adapters: ['mock', 'local'],
  secrets: { required: ['API_KEY'] },
  inputs: { artifacts: { data: { required: true, description: 'a table' } }, params: { type: 'object' } },
  outputs: [{ path: 'out.json', content_type: 'application/json; charset=utf-8', required: true, max_bytes: 1 }],
  scratch: ['kv', 'queue'],
  read_only: false,
  cost: { usd_micro_fixed: 100, usd_micro_per_s: 10 },
};

const POLICY: Policy = {
  name: 'default',
  description: 'reads and writes its own',
  read: ['/artifacts/inputs/**'],
  write: ['/artifacts/outputs/{plan_id}/**'],
  adapters: ['mock'],
  secrets: ['*'],
  max_budget_usd_micro: 10,
  max_steps: 1,
};

const chars = (count: number): string => 'x'.repeat(count);
const all = (pointers: readonly string[], value: unknown): Change[] => pointers.map((pointer) => [pointer, value]);

test('a processor: what may be left out, and what not', () => {
  const optional = [
    // Where something has to be started, reading the folder asks for both.
    '/image',
    '/entrypoint',
    '/runtime/gpu',
    '/runtime/scratch_volume_gb',
    '/outputs/0/max_bytes',
    '/inputs/artifacts/data/description',
  ];
  takes(parseProcessor, PROCESSOR, [['/description', 'probes'], ...all(optional, ABSENT)]);
  const fields = (prefix: string, names: string): string[] => names.split(' ').map((name) => `${prefix}/${name}`);
  const required = [
    ...fields('', 'ref description runtime adapters secrets inputs outputs scratch read_only cost'),
    ...fields('/runtime', 'cpu memory_gb timeout_s network'),
    ...fields('/runtime/gpu', 'model count mem_gb'),
    ...fields('/inputs', 'artifacts params'),
    ...fields('/outputs/0', 'path content_type required'),
    ...fields('/cost', 'usd_micro_fixed usd_micro_per_s'),
    '/secrets/required',
    '/inputs/artifacts/data/required',
  ];
  refuses(parseProcessor, PROCESSOR, all(required, ABSENT));
});

test('a processor: no field more, at any depth', () => {
  takes(parseProcessor, PROCESSOR, [['/inputs/params/more', 1]]);
  const closed = [
    '',
    '/runtime',
    '/runtime/gpu',
    '/secrets',
    '/inputs',
    '/inputs/artifacts/data',
    '/outputs/0',
    '/cost',
  ];
  refuses(
    parseProcessor,
    PROCESSOR,
    closed.map((place): Change => [`${place}/more`, 1]),
  );
});

test('a processor: texts, numbers and lists keep their bounds', () => {
  takes(parseProcessor, PROCESSOR, [
    ['/ref', `${chars(32)}/${chars(32)}@9999`],
    ['/description', 'd'],
    ['/image', 'i'],
    // With the digest that admission adds, what an event may hold of a reference.
    ['/image', chars(184)],
    ['/entrypoint', ['x']],
    ['/runtime/cpu', 0.001],
    ['/runtime/cpu', 128],
    ['/runtime/memory_gb', 0.001],
    ['/runtime/memory_gb', 1024],
    ['/runtime/timeout_s', 1],
    ['/runtime/timeout_s', 86_400],
    ['/runtime/network', 'none'],
    ['/runtime/network', 'internet'],
    ['/adapters', ['mock']],
    ['/secrets/required', []],
    ['/secrets/required', ['A', `A${chars(127).toUpperCase()}`, 'A_9']],
    [`/inputs/artifacts/${chars(64)}`, { required: false }],
    ['/outputs', []],
    ['/outputs/0/path', chars(512)],
    ['/outputs/0/content_type', 'image/svg+xml'],
    ['/outputs/0/content_type', 'text/csv;charset=UTF-8'],
    ['/scratch', []],
    ['/read_only', true],
    ['/cost/usd_micro_fixed', 0],
    ['/cost/usd_micro_per_s', Number.MAX_SAFE_INTEGER],
  ]);
  refuses(parseProcessor, PROCESSOR, [
    ['/ref', 'test/probe'],
    ['/description', ''],
    ['/image', ''],
    ['/image', chars(185)],
    ['/entrypoint', []],
    ['/entrypoint', ['']],
    ['/runtime/cpu', 0],
    ['/runtime/cpu', 128.5],
    ['/runtime/memory_gb', 0],
    ['/runtime/memory_gb', 1024.5],
    ['/runtime/gpu/count', 0],
    ['/runtime/gpu/count', 1.5],
    ['/runtime/gpu/mem_gb', '40'],
    ['/runtime/gpu/model', 1],
    ['/runtime/timeout_s', 0],
    ['/runtime/timeout_s', 1.5],
    ['/runtime/timeout_s', 86_401],
    ['/runtime/network', 'all'],
    ['/runtime/scratch_volume_gb', 0],
    ['/adapters', []],
    ['/adapters', ['docker']],
    ['/adapters', ['mock', 'mock']],
    ['/secrets/required', ['a']],
    ['/secrets/required', ['9A']],
    ['/secrets/required', [`A${chars(128).toUpperCase()}`]],
    ['/inputs/artifacts/A', { required: false }],
    [`/inputs/artifacts/${chars(65)}`, { required: false }],
    ['/inputs/artifacts/data/required', 'yes'],
    ['/inputs/artifacts/data/description', 1],
    ['/inputs/params', []],
    ['/outputs/0/path', ''],
    ['/outputs/0/path', chars(513)],
    ['/outputs/0/content_type', 'json'],
    ['/outputs/0/content_type', 'text/csv; charset'],
    ['/outputs/0/content_type', 'text/csv\r\nx: y'],
    ['/outputs/0/required', 1],
    ['/outputs/0/max_bytes', 0],
    ['/outputs/0/max_bytes', 1.5],
    ['/scratch', ['kv', 'kv']],
    ['/scratch', ['disk']],
    ['/read_only', 0],
    ['/cost/usd_micro_fixed', -1],
    ['/cost/usd_micro_fixed', 0.5],
    ['/cost/usd_micro_per_s', Number.MAX_SAFE_INTEGER + 1],
  ]);
});

test('a policy: every field is needed, none more, each within its bounds', () => {
  takes(parsePolicy, POLICY, [
    ['/name', chars(63)],
    ['/description', 'd'],
    ...all(['/read', '/write', '/secrets'], []),
    ['/max_budget_usd_micro', 0],
    ['/max_steps', 1],
  ]);
  refuses(parsePolicy, POLICY, [
    ...all(
      Object.keys(POLICY).map((name) => `/${name}`),
      ABSENT,
    ),
    ['/more', 1],
    ['/name', ''],
    ['/name', chars(64)],
    ['/name', 'A'],
    ['/name', 'a b'],
    ['/description', ''],
    ...all(['/read', '/write', '/secrets'], [1]),
    ['/adapters', []],
    ['/adapters', ['docker']],
    ['/max_budget_usd_micro', -1],
    ['/max_budget_usd_micro', 0.5],
    ['/max_steps', 0],
    ['/max_steps', 1.5],
  ]);
});

test('an output without a limit of its own may have 256 MiB', () => {
  assert.is(DEFAULT_MAX_OUTPUT_BYTES, 268_435_456);
});

test.run();
