import { under } from './imports.ts';
import type { Finding, SourceFile } from './rule.ts';

export const ONE_MEANING = 'an exported type has a name of its own';

const exported = /^export (?:declare )?(?:abstract )?(?:type|interface|class) (\w+)/gm;

/** One word for one thing: who reads a name in another file knows which is meant. */
export function namedTwice(files: readonly SourceFile[]): Finding[] {
  const places = new Map<string, string[]>();
  for (const { path, text } of files) {
    if (!under(path, 'shared', 'services', 'cli', 'stack')) continue;
    for (const [, name = ''] of text.matchAll(exported)) places.set(name, [...(places.get(name) ?? []), path]);
  }
  return [...places].flatMap(([name, [first, ...others]]) =>
    others.map((path) => ({ rule: ONE_MEANING, path, message: `exports ${name}, as ${first} does` })),
  );
}
