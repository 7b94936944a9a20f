import * as assert from 'uvu/assert';
import type { Job as SdkJob } from '../../processors/sdk/index.ts';
import { type Job as ContractJob, JobSchema } from '../../shared/runtime/contract.ts';
import { validator } from '../../shared/schema/validate.ts';
import { suite } from '../harness/suite.ts';
import { type ObjectServer, openObjectServer } from './object-server.ts';
import { file, type JobOptions, jobFor, type RunOptions, runJob, runWithStdin } from './run-processor.ts';

const test = suite<{ server: ObjectServer }>('processor sdk', {} as { server: ObjectServer });
const PROGRAM = file('test/processors/sdk-fixture.ts');
const OUT = { 'out.txt': { type: 'text/plain', maxBytes: 100 } };

test.before(async (context) => {
  context.server = await openObjectServer();
});
test.after(({ server }) => server.close());

const act = (server: ObjectServer, name: string, options: JobOptions = {}, run: RunOptions = {}) =>
  runJob(PROGRAM, jobFor(server, { ...options, params: { act: name, ...options.params } }), run);

test('reads and writes the very job type of the contract', ({ server }) => {
  // The SDK stands alone in images, so it writes the type down again: this compiles only while both agree.
  const sdkReadsContract = (job: ContractJob): SdkJob => job;
  const contractReadsSdk = (job: SdkJob): ContractJob => job;
  const job = jobFor(server, { outputs: OUT });
  assert.ok(validator(JobSchema, 'ERR_SCHEMA')(sdkReadsContract(contractReadsSdk(job))).ok);
});

test('copies an input to an output with the declared content type', async ({ server }) => {
  const ended = await act(server, 'echo', { inputs: { in: 'Grüße' }, outputs: OUT });
  assert.is(ended.code, 0, ended.everything);
  assert.is(server.uploads.get('out.txt')?.body.toString(), 'Grüße');
  assert.is(server.uploads.get('out.txt')?.contentType, 'text/plain');
  assert.equal(ended.reports, [{ isomorph: 'progress', fraction: 1, message: 'more than all' }]);
});

test('skips empty lines before the job', async ({ server }) => {
  const job = jobFor(server, { params: { act: 'stream' }, inputs: { in: 'x'.repeat(300_000) }, outputs: OUT });
  const ended = await runWithStdin(PROGRAM, `\n\r\n${JSON.stringify(job)}\n`);
  assert.is(ended.code, 0, ended.everything);
  assert.is(server.uploads.get('out.txt')?.body.toString(), '300000');
});

test('refuses what is no job, without quoting it', async ({ server }) => {
  const job = jobFor(server, { params: { act: 'echo' }, inputs: { in: 'x' }, outputs: OUT });
  const withHeaders = (value: unknown) => ({
    ...job,
    outputs: { 'out.txt': { ...job.outputs['out.txt'], put_headers: { 'if-none-match': value } } },
  });
  const cases = [
    ['', /ended before a job/],
    ['{"put_url":"http://secret.example/?sig=1"\n', /not JSON/],
    [`${JSON.stringify({ ...job, v: 3 })}\n`, /\/v is not 1 or 2/],
    [`${JSON.stringify(withHeaders(7))}\n`, /\/outputs\/out\.txt\/put_headers/],
    [`${JSON.stringify({ ...job, inputs: { in: { ...job.inputs.in, size: '1' } } })}\n`, /\/inputs\/in\/size/],
  ] as const;
  for (const [line, message] of cases) {
    const ended = await runWithStdin(PROGRAM, line);
    assert.is(ended.code, 1);
    assert.is(ended.error?.code, 'ERR_SCHEMA');
    assert.match(ended.error?.message ?? '', message);
    assert.not.match(ended.everything, /sig=/);
  }
});

test('reports an undeclared output and uploads nothing', async ({ server }) => {
  const before = server.requests.length;
  const ended = await act(server, 'undeclared', { outputs: OUT });
  assert.is(ended.code, 1);
  assert.is(server.requests.length, before);
  assert.equal(ended.reports, [
    {
      isomorph: 'error',
      code: 'ERR_OUTPUT_UNDECLARED',
      message: '"secret/plans.txt" is no declared output; declared: out.txt',
    },
  ]);
});

test('reports an output above its limit before it is sent', async ({ server }) => {
  const before = server.requests.length;
  const ended = await act(server, 'write', { params: { size: 101 }, outputs: OUT });
  assert.is(ended.code, 1);
  assert.is(server.requests.length, before);
  assert.is(ended.error?.code, 'ERR_OUTPUT_TOO_LARGE');
  assert.is((await act(server, 'write', { params: { size: 100 }, outputs: OUT })).code, 0);
});

test('passes on the code of a refusal', async ({ server }) => {
  const job = jobFor(server, { params: { act: 'write', size: 50 }, outputs: OUT });
  server.accept('out.txt', 'text/plain', 10);
  const tooLarge = await runJob(PROGRAM, job);
  server.accept('out.txt', 'image/png', 100);
  const wrongType = await runJob(PROGRAM, job);
  for (const [ended, code] of [
    [tooLarge, 'ERR_OUTPUT_TOO_LARGE'],
    [wrongType, 'ERR_URL_REFUSED'],
  ] as const) {
    assert.is(ended.code, 1);
    assert.is(ended.error?.code, code);
    assert.not.match(ended.everything, /sig=|127\.0\.0\.1/);
  }
});

test('sends an output once with its headers; an earlier try whose answer was lost counts as sent', async ({
  server,
}) => {
  const options = { inputs: { in: 'x' }, outputs: OUT, version: 2 } as const;
  assert.is((await act(server, 'echo', options)).code, 0);
  assert.is(server.uploads.get('out.txt')?.body.toString(), 'x');
  const job = jobFor(server, { ...options, params: { act: 'echo' } });
  server.loseNextAnswer('out.txt', 503);
  const borne = await runJob(PROGRAM, job);
  assert.is(borne.code, 0, borne.everything);
  server.failNext('out.txt', 409);
  const refused = await runJob(PROGRAM, job);
  assert.is(refused.code, 0, 'what it sent may have been the try that met another');
  const twice = await runJob(PROGRAM, job);
  assert.equal([twice.code, twice.error?.code], [1, 'ERR_IMMUTABLE']);
});

test('tries passing faults of the store again, and gives up with exit 75', async ({ server }) => {
  const options = { inputs: { in: 'x' }, outputs: OUT };
  server.failNext('in', 503, 500);
  assert.is((await act(server, 'echo', options)).code, 0);
  server.failNext('in', 503, 503, 503);
  const ended = await act(server, 'echo', options);
  assert.is(ended.code, 75);
  assert.equal(ended.error, {
    isomorph: 'error',
    code: 'ERR_UNAVAILABLE',
    message: 'reading input "in" failed 3 times: HTTP 503',
    retryable: true,
  });
});

test('waits for room as long as a gateway says that there is too much at once, without using a try', async ({
  server,
}) => {
  server.failNext('in', 429, 429, 429, 429, 503);
  const ended = await act(server, 'echo', { inputs: { in: 'x' }, outputs: OUT });
  assert.is(ended.code, 0);
});

test('a server that is gone is a passing fault, and its address stays out of the log', async ({ server }) => {
  const job = jobFor(server, { params: { act: 'echo' }, inputs: { in: 'x' }, outputs: OUT });
  const gone = await openObjectServer();
  const url = gone.offer('in', 'x');
  await gone.close();
  const input = job.inputs.in;
  assert.ok(input);
  const ended = await runJob(PROGRAM, { ...job, inputs: { in: { ...input, get_url: url } } });
  assert.is(ended.code, 75);
  assert.match(ended.error?.message ?? '', /ECONNREFUSED/);
  assert.not.match(ended.everything, /sig=|127\.0\.0\.1/);
});

test('an input of another size is a passing fault', async ({ server }) => {
  const job = jobFor(server, { params: { act: 'echo' }, inputs: { in: 'whole text' }, outputs: OUT });
  server.offer('in', 'whole');
  const ended = await runJob(PROGRAM, job);
  assert.is(ended.code, 75);
  assert.match(ended.error?.message ?? '', /has 10 bytes, but 5 arrived/);
});

test('maps what is thrown to exit codes and one-line reports', async ({ server }) => {
  const cases = [
    ['bad input', 65, 'ERR_EXIT', false],
    ['transient', 75, 'ERR_EXIT', true],
    ['refuse', 1, 'ERR_CAPABILITY', undefined],
    ['defect', 1, 'ERR_EXIT', undefined],
    ['throw elsewhere', 1, 'ERR_EXIT', undefined],
    ['no input', 1, 'ERR_INPUT_MISSING', undefined],
  ] as const;
  for (const [name, exitCode, code, retryable] of cases) {
    const ended = await act(server, name);
    assert.is(ended.code, exitCode, `${name}: ${ended.everything}`);
    assert.is(ended.reports.length, 1);
    assert.is(ended.error?.code, code);
    assert.is(ended.error?.retryable, retryable);
  }
});

test('reports a required output that was not written', async ({ server }) => {
  const optional = { 'more.txt': { type: 'text/plain', required: false } };
  const ended = await act(server, 'write nothing', { outputs: { ...OUT, ...optional } });
  assert.is(ended.code, 1);
  assert.is(ended.error?.code, 'ERR_OUTPUT_MISSING');
  assert.match(ended.error?.message ?? '', /written: out\.txt$/);
  assert.is((await act(server, 'write nothing', { outputs: optional })).code, 0);
});

test('gives secrets by name and keeps them from log and reports', async ({ server }) => {
  const ended = await act(server, 'secret', {}, { secrets: { API_KEY: 'hunter2-hunter2' } });
  assert.is(ended.code, 1);
  assert.match(ended.everything, /\[secret\]/);
  assert.not.match(ended.everything, /hunter2/);
  assert.is((await act(server, 'secret')).error?.code, 'ERR_MISSING_SECRET');
});

test('removes URLs of the store from errors', async ({ server }) => {
  // A bracket would end a URL that is only guessed from the text.
  const url = `${server.offer('in', 'x')}&more=(1)tail`;
  const job = jobFor(server, { params: { act: 'leak', url }, inputs: { in: 'x' } });
  const input = job.inputs.in;
  assert.ok(input);
  const ended = await runJob(PROGRAM, { ...job, inputs: { in: { ...input, get_url: url } } });
  assert.is(ended.code, 1);
  assert.is(ended.error?.message, 'cannot read [url] nor [url]');
  assert.not.match(ended.everything, /sig=|tail|127\.0\.0\.1/);
});

test('SIGTERM ends it at once', async ({ server }) => {
  const reached = server.stall('in');
  const ended = await act(
    server,
    'echo',
    { inputs: { in: 'x' }, outputs: OUT },
    {
      onStart: (child) => void reached.then(() => child.kill('SIGTERM')),
    },
  );
  assert.is(ended.code, 143, ended.everything);
});

test.run();
