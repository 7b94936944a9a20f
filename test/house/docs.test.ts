import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { PAGES } from '../../tools/docs.ts';
import { type Lock, missingPlatforms, withoutIntegrity } from '../../tools/lock-platforms.ts';
import { suite } from '../harness/suite.ts';

const test = suite('docs and lock');

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): Promise<string> => readFile(`${ROOT}${path}`, 'utf8');

for (const [page, render] of Object.entries(PAGES)) {
  test(`${page} says what the code says (npm run docs)`, async () => {
    assert.fixture(await read(page), render());
  });
}

test('every dependency is named with its reason', async () => {
  const { dependencies, devDependencies } = JSON.parse(await read('package.json'));
  const page = await read('docs/dependencies.md');
  const missing = Object.keys({ ...dependencies, ...devDependencies }).filter((name) => !page.includes(`\`${name}\``));
  assert.equal(missing, []);
});

test('the lock serves every platform (npm run lock)', async () => {
  const lock = JSON.parse(await read('package-lock.json')) as Lock;
  assert.equal([...missingPlatforms(lock).keys()], []);
});

test('the lock names the bytes of every package (npm run lock)', async () => {
  assert.equal(withoutIntegrity(JSON.parse(await read('package-lock.json')) as Lock), []);
});

test('every ADR has a number of its own, a decision and what would reopen it', async () => {
  const files = (await readdir(`${ROOT}docs/adr`)).filter((file) => file.endsWith('.md'));
  assert.is(new Set(files.map((file) => file.slice(0, 4))).size, files.length);
  for (const file of files) {
    const text = (await read(`docs/adr/${file}`)).toLowerCase();
    for (const part of ['decision', 'reopen']) assert.ok(text.includes(part), `${file}: ${part}`);
  }
});

/** `# 7. Title`, then `Status: accepted, 2026-11-22`: one form, so that a reader and a program find it. */
const ADR_HEAD = /^# (\d+)\. [^\n]+\n\nStatus: (?:accepted|superseded by ADR \d+), \d{4}-\d\d-\d\d\n\n/;

test('every ADR begins with its number, its title, its status and the date of that', async () => {
  const files = (await readdir(`${ROOT}docs/adr`)).filter((file) => file.endsWith('.md'));
  for (const file of files) {
    const number = ADR_HEAD.exec(await read(`docs/adr/${file}`))?.[1];
    assert.is(Number(number), Number(file.slice(0, 4)), `${file} does not begin like the others`);
  }
});

test('links between pages lead somewhere', async () => {
  const pages = [
    'README.md',
    ...(await readdir(`${ROOT}docs`)).filter((file) => file.endsWith('.md')).map((file) => `docs/${file}`),
  ];
  const broken: string[] = [];
  for (const page of pages) {
    for (const [, link = ''] of (await read(page)).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)) {
      const target = new URL(link, `file://${ROOT}${page}`);
      await readFile(target).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EISDIR') broken.push(`${page}: ${link}`);
      });
    }
  }
  assert.equal(broken, []);
});

test.run();
