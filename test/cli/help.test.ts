import { readFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.ts';
import { runCli } from './run-cli.ts';

const test = suite('help and its page');

const PAGE = await readFile(new URL('../../docs/cli.md', import.meta.url), 'utf8');

interface Leaf {
  readonly name: string;
  readonly options: readonly string[];
}

/** The first words of what stands below a heading of a help text. */
function below(help: string, heading: string, word: RegExp): string[] {
  const lines = new RegExp(`^${heading}:\\n((?: .*\\n)*)`, 'm').exec(help)?.[1] ?? '';
  return [...lines.matchAll(word)].map(([, found = '']) => found);
}

/** Every command that does something, as help tells of it, with its long options. */
async function leavesOf(words: readonly string[] = []): Promise<Leaf[]> {
  const { stdout: help } = await runCli([...words, '--help']);
  const commands = below(help, 'Commands', /^ {2}([\w-]+)/gm).filter((name) => name !== 'help');
  if (commands.length > 0) return (await Promise.all(commands.map((name) => leavesOf([...words, name])))).flat();
  return [{ name: words.join(' '), options: below(help, 'Options', /^ {2}(?:-\w, )?--([\w-]+)/gm) }];
}

/** `artifact get` may stand as `get` in a section of its own. */
const inPage = (name: string, option: string | undefined): boolean => {
  const [group, command] = name.split(' ');
  const names = command === undefined ? name : `(?:${group} )?${command}`;
  const end = option === undefined ? '[` ]' : ` [^\`\\n]*--${option}\\b`;
  return new RegExp(`\`${names}${end}`).test(PAGE);
};

test('every command and option stands in docs/cli.md', async () => {
  const leaves = await leavesOf();
  assert.ok(leaves.length >= 20);
  const missing = leaves.flatMap(({ name, options }) => [
    ...(inPage(name, undefined) ? [] : [name]),
    ...options
      .filter((one) => !/^(help|json|output)$/.test(one) && !inPage(name, one))
      .map((one) => `${name} --${one}`),
  ]);
  assert.equal(missing, []);
});

test('every command of docs/cli.md exists', async () => {
  const names = new Set((await leavesOf()).map(({ name }) => name));
  const told = [...PAGE.matchAll(/^### (.+)$/gm)].flatMap(([, heading = '']) =>
    [...heading.matchAll(/`([a-z]+(?: [a-z]+)?)/g)].map(([, name = '']) => name),
  );
  assert.ok(told.length > 10);
  assert.equal(
    told.filter((name) => !names.has(name)),
    [],
  );
});

test('help keeps to the width of the terminal', async () => {
  for (const { name } of await leavesOf()) {
    const { stdout } = await runCli([...name.split(' '), '--help'], { columns: 80 });
    assert.equal(
      stdout.split('\n').filter((line) => line.length > 80),
      [],
      name,
    );
  }
});

test.run();
