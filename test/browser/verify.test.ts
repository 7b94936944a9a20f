import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import * as assert from 'uvu/assert';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import { available, openInChromium } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { bundleForBrowser } from './bundle.ts';
import { type Export, judge, judgePredicates } from './judge.ts';

const chromium = await available('chromium');
const test = suite('verify in Chromium');
test.skipUnless(chromium.ok, chromium.ok ? '' : chromium.reason);

const GOLDEN = new URL('../ledger/golden/', import.meta.url);

/** Golden ledgers of every version, and for each a copy in which one digit was changed. */
async function readExports(): Promise<Export[]> {
  const files = (await readdir(GOLDEN, { recursive: true })).map(String);
  const whole = files
    .filter((file) => file.endsWith('.ndjson'))
    .map(async (file): Promise<Export> => {
      const admitted = file.replace(/\.ndjson$/, '.admitted.json');
      return {
        name: file,
        text: await readFile(new URL(file, GOLDEN), 'utf8'),
        admitted: files.includes(admitted)
          ? (JSON.parse(await readFile(new URL(admitted, GOLDEN), 'utf8')) as AdmittedPlan)
          : undefined,
      };
    });
  return (await Promise.all(whole)).flatMap((one) => [
    one,
    { ...one, name: `${one.name}, changed`, text: changed(one) },
  ]);
}

const changed = (one: Export): string => one.text.replace(/"ts":"(\d{3})\d/, '"ts":"$19');

/** The page judges what it fetches and posts what came out, or what was thrown. */
const PAGE = `<!doctype html><script type="module">
const outcome = await (async () => {
  const { blake3EngineName, judge, judgePredicates } = await import('/test/browser/judge.js');
  const exports = await (await fetch('/exports')).json();
  return { engine: blake3EngineName, predicates: judgePredicates(), judged: exports.map(judge) };
})().catch((thrown) => ({ thrown: String(thrown?.stack ?? thrown) }));
await fetch('/outcome', { method: 'POST', body: JSON.stringify(outcome) });
</script>`;

interface Answer {
  readonly type: string;
  readonly body: string | Uint8Array;
}

/** Serves the page, its modules and the exports on loopback, and hands over what the page posts. */
async function outcomeOf(exports: readonly Export[], modules: ReadonlyMap<string, Uint8Array>): Promise<unknown> {
  const answers = new Map<string, Answer>([
    ['/', { type: 'text/html', body: PAGE }],
    ['/exports', { type: 'application/json', body: JSON.stringify(exports) }],
    ...[...modules].map(([name, body]): [string, Answer] => [`/${name}`, { type: 'text/javascript', body }]),
  ]);
  const server = createServer();
  const posted = new Promise<unknown>((resolve, reject) => {
    server.on('request', (request, response) => {
      const answer = answers.get(request.url ?? '');
      response.writeHead(answer === undefined ? 404 : 200, { 'content-type': answer?.type ?? 'text/plain' });
      response.end(answer?.body);
      if (request.method === 'POST')
        text(request)
          .then((body) => JSON.parse(body))
          .then(resolve, reject);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    const page = await openInChromium(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    return await Promise.race([posted, page.failed]).finally(page.stop);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('a browser tells of every golden ledger, whole and changed, what Node tells', async () => {
  const exports = await readExports();
  const { modules } = await bundleForBrowser(['test/browser/judge.ts']);
  const expected = { engine: 'script', predicates: judgePredicates(), judged: exports.map(judge) };
  const outcome = await outcomeOf(exports, modules);
  assert.equal(outcome, JSON.parse(JSON.stringify(expected)));
  const { judged } = outcome as { readonly judged: readonly { readonly findings: readonly unknown[] }[] };
  const sound = judged.map(({ findings }) => findings.length === 0);
  assert.equal(
    sound,
    exports.map(({ name }) => !name.endsWith('changed')),
  );
});

test.run();
