import type { Finding, Rule, SourceFile } from './rule.ts';

const isCode = ({ path }: SourceFile): boolean => /\.(ts|mjs)$/.test(path);
const isProduct = (file: SourceFile): boolean =>
  isCode(file) && /^(shared|services|stack|cli|processors)\//.test(file.path);

/** A rule that looks at one line at a time. */
const lineRule = (
  name: string,
  applies: (file: SourceFile) => boolean,
  check: (line: string) => string | undefined,
): Rule => ({
  name,
  check: (file) =>
    applies(file)
      ? file.text.split('\n').flatMap((line, index): Finding[] => {
          const message = check(line);
          return message === undefined ? [] : [{ rule: name, path: `${file.path}:${index + 1}`, message }];
        })
      : [],
});

export const MAX_LINES = 300;

/** Generated from a provider's definitions or plain data: not read as prose. */
const LONG_BY_NATURE = /(^shared\/errors\/codes\.ts$|\.test\.ts$|^shared\/ledger\/events\.ts$)/;

export const shortFiles: Rule = {
  name: `a file is one room: at most ${MAX_LINES} lines`,
  check(file) {
    const lines = file.text.split('\n').length - 1;
    if (!isCode(file) || LONG_BY_NATURE.test(file.path) || lines <= MAX_LINES) return [];
    return [{ rule: this.name, path: file.path, message: `${lines} lines` }];
  },
};

export const noLooseEnds = lineRule('a loose end names its ADR', isCode, (line) =>
  /\b(TODO|FIXME|XXX|HACK)\b/.test(line) && !/ADR[ -]?\d{4}/.test(line) ? line.trim() : undefined,
);

export const noAny = lineRule('no any', isProduct, (line) =>
  /(:|<|\bas)\s*any\b(?!\w)/.test(line.replace(/\/\/.*$|\/?\*.*$/, '').replace(/'[^']*'|`[^`]*`/g, "''"))
    ? line.trim()
    : undefined,
);

export const noConsole = lineRule(
  'libraries and services do not print',
  (file) => /^(shared|services)\//.test(file.path) && isCode(file),
  (line) => (/\bconsole\.\w+\(/.test(line) ? line.trim() : undefined),
);

export const noMachinePaths = lineRule(
  'only the paths of the project appear in it',
  () => true,
  (line) => (/(^|[\s"'`(=])\/(work|root|home\/[a-z]+)\/[\w.]/.test(line) ? line.trim() : undefined),
);

export const noSilentCatch: Rule = {
  name: 'no silent catch',
  check(file) {
    if (!isProduct(file)) return [];
    return [...file.text.matchAll(/catch\s*(\([^)]*\))?\s*\{\s*\}/g)].map(({ index }) => ({
      rule: this.name,
      path: `${file.path}:${file.text.slice(0, index).split('\n').length}`,
      message: 'an empty catch: say why in a comment, or let it through',
    }));
  },
};

export const suitesRun: Rule = {
  name: 'every suite runs',
  check(file) {
    if (!file.path.endsWith('.test.ts')) return [];
    const problems = [
      /\.run\(\)|Conformance\(/.test(file.text)
        ? undefined
        : 'it never calls run(): uvu would pass it with no test run',
      /\.only\(/.test(file.text) ? 'it keeps an only()' : undefined,
      /from 'uvu'/.test(file.text) ? 'it takes uvu itself: use test/harness/suite.ts, which has a timeout' : undefined,
    ];
    return problems.flatMap((message) =>
      message === undefined ? [] : [{ rule: this.name, path: file.path, message }],
    );
  },
};

/** A literal that spells one of our subjects. Kinds of events look like some: those name no place to publish on. */
const SUBJECT = /[`'}](?:committed\.ledger|ledger|plans|work|facts|dead|images|streams|scratch)\.(?:[*>$a-z])[^'`]*/g;
const EVENT_KIND =
  /^.(?:scratch\.(?:queue\.(?:published|retry|deadletter)|kv\.changed|sampled|\$\{string\})|streams\.sampled)$/;

export const subjectsOnce = lineRule(
  'subjects are spelled in shared/wire',
  (file) =>
    isCode(file) && /^(shared|services|stack|cli|bench|bin)\//.test(file.path) && !file.path.startsWith('shared/wire/'),
  (line) =>
    line.trim().startsWith('*') || line.trim().startsWith('/')
      ? undefined
      : [...line.matchAll(SUBJECT)].map(([text]) => text).find((text) => !EVENT_KIND.test(text)),
);

export const TEXT_RULES: readonly Rule[] = [
  shortFiles,
  noLooseEnds,
  noAny,
  noConsole,
  noMachinePaths,
  noSilentCatch,
  suitesRun,
  subjectsOnce,
];
