import { isCore } from '../mutate/subjects.ts';
import { BUFFER, impureUses } from './globals.ts';
import { importsOf, target } from './graph.ts';
import type { Finding, Rule, SourceFile } from './rule.ts';

/** Files whose results depend on their arguments alone, beside the core, which is mutated too. */
const PURE: readonly RegExp[] = [
  /^shared\/(errors|schema|text|wire)\//,
  /^shared\/hash\/(blake3|blake3-browser|blake3-engine|blake3-node|canonical|cid|signature)\.ts$/,
  /^shared\/projection\/(columns|rows|tables)\.ts$/,
  /^shared\/providers\/aws\/location\.ts$/,
  /^shared\/scratch\/(capabilities|checks|facts|names|token)\.ts$/,
  /^shared\/scratch\/kv\/integer\.ts$/,
  /^shared\/scratch\/queue\/(backlog|topic)\.ts$/,
  /^shared\/runtime\/(capabilities|contract|fingerprint|image-identity|reports)\.ts$/,
  /^shared\/secrets\/(resolve|secret-value|values)\.ts$/,
  /^shared\/secrets\/drivers\/aws\/(faults|location)\.ts$/,
  /^services\/common\/(stream-limits|config\/limits|config\/variable)\.ts$/,
];

export const isPure = (path: string): boolean => isCore(path) || PURE.some((pattern) => pattern.test(path));

const IMPURE_PACKAGES = /^(@nats-io\/|@aws-sdk\/|@electric-sql\/|pg$|pino$|ioredis$|modal$|dockerode$|p-limit$|node:)/;

/** Hashing and comparing are functions of their arguments; the hash engine is chosen by what the platform has. */
const PURE_MODULES: Readonly<Record<string, RegExp>> = {
  'node:crypto': /^import \{ (?:createHash|createHmac|timingSafeEqual|, )+ \} from 'node:crypto';$/m,
  'node:module': /const require = createRequire\(import\.meta\.url\);/,
};

/** Code without comments and texts: what is said is not done. What a template computes is kept. */
export const codeOf = (text: string): string =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|[^:'"`\\])\/\/.*$/gm, '$1')
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''");

/** Imports of types alone are gone at run time. */
export const withoutTypes = (text: string): string => text.replace(/^(import|export) type [^;]*;/gm, '');

/** Parsed once, however often it is asked of a file. */
const known = new WeakMap<SourceFile, readonly string[]>();

function usesOf(file: SourceFile): readonly string[] {
  const uses = known.get(file) ?? impureUses(file.text);
  known.set(file, uses);
  return uses;
}

/** Why a file is not pure, given which other files of ours are. */
export function impurities(file: SourceFile, isPureFile: (path: string) => boolean): string[] {
  const imports = importsOf(withoutTypes(file.text)).flatMap((specifier) => {
    const to = target(file.path, specifier);
    if (PURE_MODULES[to]?.test(file.text)) return [];
    const isWrong = to.startsWith('shared/') || to.startsWith('services/') ? !isPureFile(to) : IMPURE_PACKAGES.test(to);
    return isWrong ? [`imports ${specifier}, which is not pure`] : [];
  });
  const isEngine = PURE_MODULES['node:module']?.test(file.text) === true;
  const globals = isEngine ? [] : usesOf(file).map((what) => `uses ${what}: make it an argument`);
  return [...imports, ...globals];
}

export const pureCore: Rule = {
  name: 'the pure core reads no clock, draws no lots and does no I/O',
  check(file) {
    if (!isPure(file.path)) return [];
    return impurities(file, isPure).map((message): Finding => ({ rule: this.name, path: file.path, message }));
  },
};

/** Rooms that run in a browser too. */
export const browserCore: Rule = {
  name: 'what a browser runs uses nothing of Node',
  check(file) {
    if (!/^shared\/(errors|ids|ledger|plan|schema)\//.test(file.path)) return [];
    const wrong = [
      ...importsOf(withoutTypes(file.text)).filter((to) => to.startsWith('node:')),
      ...impureUses(file.text, BUFFER),
    ];
    return wrong.map((one): Finding => ({ rule: this.name, path: file.path, message: `uses ${one}` }));
  },
};
