import { under } from './imports.ts';
import type { Finding, SourceFile } from './rule.ts';

export const ONE_MEANING = 'an exported type or function has a name of its own';

const EXPORTED = [
  /^export (?:declare )?(?:abstract )?(?:type|interface|class) (\w+)/gm,
  /^export (?:async )?function\*? (\w+)/gm,
  // An arrow function: its parameters, or the type that says that it is one, follow the name.
  /^export const (\w+)(?:: [^=\n]*=>[^=\n]*)? =\s+(?:async )?(?:<[^\n]*>)?\((?:$|[^\n]*(?:=>|: |,$))/gm,
];

/** One part that each of several siblings plays: whoever reads it there knows whose it is by its folder. */
const PARTS: readonly RegExp[] = [
  // What each backend answers, or how it fails.
  /^shared\/(?:.*\/drivers|providers)\//,
  // How each service is started.
  /^services\/\w+\/start\.ts$/,
];

const partOf = (path: string): string | undefined => PARTS.find((part) => part.test(path))?.source;

/** One word for one thing: who reads a name in another file knows which is meant. */
export function namedTwice(files: readonly SourceFile[]): Finding[] {
  const places = new Map<string, string[]>();
  for (const { path, text } of files) {
    if (!under(path, 'shared', 'services', 'cli', 'stack')) continue;
    for (const [, name = ''] of EXPORTED.flatMap((pattern) => [...text.matchAll(pattern)])) {
      places.set(name, [...(places.get(name) ?? []), path]);
    }
  }
  return [...places].flatMap(([name, [first = '', ...others]]) =>
    others
      .filter((path) => partOf(first) === undefined || partOf(path) !== partOf(first))
      .map((path) => ({ rule: ONE_MEANING, path, message: `exports ${name}, as ${first} does` })),
  );
}
