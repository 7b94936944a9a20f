import { readFile } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import type { Processor } from '../../shared/plan/registry.ts';
import { suite } from '../harness/suite.ts';
import { type ObjectServer, openObjectServer } from './object-server.ts';
import { type Ended, file, jobFor, runJob } from './run-processor.ts';

interface World {
  server: ObjectServer;
  penguins: Buffer;
}

const test = suite<World>('processors', {} as World);

test.before(async (world) => {
  world.server = await openObjectServer();
  world.penguins = await readFile(file('examples/penguins/penguins.csv'));
});
test.after(({ server }) => server.close());

interface Call {
  readonly inputs?: Record<string, Uint8Array | string>;
  readonly params?: Record<string, unknown>;
  readonly attempt?: number;
}

/** Runs a processor with the outputs and the params schema of its registry file. */
async function run(
  server: ObjectServer,
  folder: string,
  call: Call,
): Promise<Ended & { outputs: Map<string, Buffer> }> {
  const registry: Processor = parse(await readFile(file(`registry/processors/${folder}.yaml`), 'utf8'));
  const valid = new Ajv2020({ strict: false }).compile(registry.inputs.params);
  if (!valid(call.params ?? {})) assert.unreachable(JSON.stringify(valid.errors));
  const outputs = Object.fromEntries(
    registry.outputs.map(({ path, content_type, max_bytes, required }) => [
      path,
      { type: content_type, required, ...(max_bytes === undefined ? {} : { maxBytes: max_bytes }) },
    ]),
  );
  const ended = await runJob(
    file(`processors/${folder}/processor.ts`),
    jobFor(server, { ...call, outputs, processor: registry.ref }),
  );
  const uploaded = registry.outputs.flatMap(({ path }) => {
    const body = server.uploads.get(path)?.body;
    return body === undefined ? [] : [[path, body] as const];
  });
  assert.not.match(ended.everything, /sig=/);
  return { ...ended, outputs: new Map(uploaded) };
}

const text = (outputs: ReadonlyMap<string, Buffer>, name: string): string => outputs.get(name)?.toString() ?? '';
const PARAMS = { missing: ['NA', '.'] };

test('csv/profile describes the penguins', async ({ server, penguins }) => {
  const { code, outputs, reports, everything } = await run(server, 'csv_profile', {
    inputs: { table: penguins },
    params: PARAMS,
  });
  assert.is(code, 0, everything);
  const profile = JSON.parse(text(outputs, 'profile.json'));
  assert.is(profile.rows, 344);
  assert.is(profile.delimiter, ',');
  assert.equal(
    profile.columns.map((column: { name: string; type: string; missing: number }) => [
      column.name,
      column.type,
      column.missing,
    ]),
    [
      ['Species', 'category', 0],
      ['Island', 'category', 0],
      ['Beak Length (mm)', 'number', 2],
      ['Beak Depth (mm)', 'number', 2],
      ['Flipper Length (mm)', 'integer', 2],
      ['Body Mass (g)', 'integer', 2],
      ['Sex', 'category', 11],
    ],
  );
  assert.equal(profile.columns[0].top, [
    { value: 'Adelie', count: 152 },
    { value: 'Gentoo', count: 124 },
    { value: 'Chinstrap', count: 68 },
  ]);
  const { min, q1, median, q3, max, mean, stddev } = profile.columns[5];
  // As R says of palmerpenguins: summary(penguins$body_mass_g), sd(penguins$body_mass_g, na.rm = TRUE).
  assert.equal([min, q1, median, q3, max], [2700, 3550, 4050, 4750, 6300]);
  assert.equal([mean.toFixed(3), stddev.toFixed(4)], ['4201.754', '801.9545']);
  assert.equal(
    reports.map((report) => report.isomorph === 'progress' && report.fraction),
    [0.5, 1],
  );
});

test('the same table gives the same bytes, through profile, charts and report', async ({ server, penguins }) => {
  const round = async () => {
    const profile = await run(server, 'csv_profile', { inputs: { table: penguins }, params: PARAMS });
    const charts = await run(server, 'csv_chart', {
      inputs: { table: penguins, profile: text(profile.outputs, 'profile.json') },
    });
    assert.is(charts.code, 0, charts.everything);
    const named = [...charts.outputs].map(([path, body]) => [path.replace('.svg', ''), body] as const);
    const report = await run(server, 'report_html', {
      inputs: { table: '', profile: text(profile.outputs, 'profile.json'), ...Object.fromEntries(named) },
      params: { title: 'Palmer <penguins>' },
    });
    assert.is(report.code, 0, report.everything);
    return new Map([...profile.outputs, ...charts.outputs, ...report.outputs]);
  };
  const [first, second] = [await round(), await round()];
  assert.equal([...first.keys()], ['profile.json', 'histograms.svg', 'scatter.svg', 'missing.svg', 'report.html']);
  for (const [path, body] of first) assert.ok(second.get(path)?.equals(body), `${path} differs`);

  const scatter = text(first, 'scatter.svg');
  // Six pairs of columns, 342 birds with measurements, and three legend dots, three dots in each of six lists.
  assert.is(scatter.match(/<circle /g)?.length, 6 * 342 + 3 + 18);
  for (const species of ['Adelie', 'Gentoo', 'Chinstrap']) assert.ok(scatter.includes(`>${species}</text>`));
  const page = text(first, 'report.html');
  assert.match(page, /<h1>Palmer &lt;penguins&gt;<\/h1>/);
  assert.is(page.match(/src="data:image\/svg\+xml;base64,/g)?.length, 3);
  assert.ok(page.includes('/artifacts/inputs/histograms') && page.includes(`blake3:${'ab'.repeat(32)}`));
  assert.not.match(page, /<script|<link|(src|href)="(?!data:)/);
});

test('a malformed table is bad input, and the report says where', async ({ server }) => {
  const bad = await run(server, 'csv_profile', { inputs: { table: 'a,b\n1,2\n3\n' } });
  assert.is(bad.code, 65);
  assert.equal(bad.error, {
    isomorph: 'error',
    code: 'ERR_EXIT',
    message: 'row 2 (line 3) has 1 fields, but the header has 2',
    retryable: false,
  });
});

test('charts refuse what is no profile', async ({ server, penguins }) => {
  for (const profile of ['{', 'null', '{"columns":[{"name":1}]}']) {
    const ended = await run(server, 'csv_chart', { inputs: { table: penguins, profile } });
    assert.is(ended.code, 65, ended.everything);
    assert.match(ended.error?.message ?? '', /no profile/);
  }
});

test('a report escapes whatever a table holds', async ({ server }) => {
  const table = `"<script>alert(1)</script>",k\n"""><img src=x onerror=alert(1)>",<b>\n1,<b>\n`;
  const profile = await run(server, 'csv_profile', { inputs: { table } });
  const note = JSON.stringify({ message: '</p><script>alert(2)</script>' });
  const report = await run(server, 'report_html', { inputs: { profile: text(profile.outputs, 'profile.json'), note } });
  assert.is(report.code, 0, report.everything);
  const page = text(report.outputs, 'report.html');
  assert.not.match(page, /<script|<img|<b>(?=[<&]b)/);
  assert.match(page, /&lt;script&gt;alert\(1\)&lt;\/script&gt;/);
  assert.match(page, /&lt;script&gt;alert\(2\)/);
});

test('demo/flaky fails as often as it was told, then succeeds', async ({ server }) => {
  const params = { fail_attempts: 2 };
  for (const attempt of [1, 2]) {
    const ended = await run(server, 'demo_flaky', { params, attempt });
    assert.is(ended.code, 75);
    assert.is(ended.error?.retryable, true);
    assert.match(ended.error?.message ?? '', new RegExp(`on purpose: attempt ${attempt} of 2`));
  }
  const done = await run(server, 'demo_flaky', { params, attempt: 3 });
  assert.is(done.code, 0, done.everything);
  assert.is(JSON.parse(text(done.outputs, 'note.json')).fail_attempts, 2);
});

test('the examples of the contract count alike, in Python and TypeScript', async ({ server }) => {
  const outputs = { 'counts.json': { type: 'application/json', maxBytes: 100 } };
  const programs = ['examples/contract-python/processor.py', 'examples/contract-typescript/processor.ts'].map(file);
  for (const program of programs) {
    const done = await runJob(program, jobFor(server, { inputs: { text: 'Grüße an\nalle 🐧\n' }, outputs }));
    assert.is(done.code, 0, done.everything);
    assert.is(server.uploads.get('counts.json')?.body.toString(), '{"characters":16,"lines":2,"words":4}');
    assert.is(done.reports.length, 2);
    const bad = await runJob(program, jobFor(server, { inputs: { text: Uint8Array.of(0x61, 0xff) }, outputs }));
    assert.is(bad.code, 65, bad.everything);
    const job = jobFor(server, { inputs: { text: 'a' }, outputs });
    server.accept('counts.json', 'image/png', 100);
    const refused = await runJob(program, job);
    assert.is(refused.code, 1, refused.everything);
    assert.is(refused.error?.code, 'ERR_URL_REFUSED');
    server.accept('counts.json', 'application/json', 100);
    server.failNext('text', 503, 503, 503);
    assert.is((await runJob(program, job)).code, 75);
    const once = jobFor(server, { inputs: { text: 'a' }, outputs, version: 2 });
    // Both stopped asking at different points; nothing may wait for the next program.
    server.failNext('text');
    const sent = await runJob(program, once);
    assert.is(sent.code, 0, sent.everything);
  }
});

test.run();
