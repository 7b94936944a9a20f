import path from 'node:path';
import type { Finding, Rule, SourceFile } from './rule.ts';

/** Every module specifier of a file: static, re-exported, dynamic and required. */
export const importsOf = (text: string): string[] =>
  [...text.matchAll(/(?:\bfrom\s+|\bimport\s+|\bimport\(\s*|\brequire\(\s*|\bresolve\(\s*)'([^'\n]+)'/g)].map(
    (match) => match[1] ?? '',
  );

/** A relative specifier as a path from the root of the project; packages stay as they are. */
const target = (file: SourceFile, specifier: string): string =>
  specifier.startsWith('.')
    ? path.posix.normalize(path.posix.join(path.posix.dirname(file.path), specifier))
    : specifier;

type Check = (file: SourceFile, to: string) => string | undefined;

/** Imports of types alone are gone at run time. */
const withoutTypes = (text: string): string => text.replace(/\b(import|export) type [^;]*;/g, '');

const importRule = (name: string, check: Check, read = (text: string): string => text): Rule => ({
  name,
  check: (file) =>
    importsOf(read(file.text)).flatMap((specifier): Finding[] => {
      const reason = check(file, target(file, specifier));
      return reason === undefined ? [] : [{ rule: name, path: file.path, message: `imports ${specifier}: ${reason}` }];
    }),
});

const under = (file: string, ...folders: readonly string[]): boolean =>
  folders.some((folder) => file === folder || file.startsWith(`${folder}/`));

/** What each top folder may import of the others; what is not named may import everything. */
const REACH: Readonly<Record<string, readonly string[]>> = {
  shared: ['shared'],
  services: ['shared', 'services'],
  stack: ['shared', 'services', 'stack'],
  processors: ['processors'],
};

export const direction = importRule('dependencies point one way', (file, to) => {
  const [from = ''] = file.path.split('/');
  const [into = ''] = to.split('/');
  const reach = REACH[from];
  const isOurs = ['shared', 'services', 'stack', 'cli', 'processors', 'test', 'bench', 'examples'].includes(into);
  if (reach === undefined || !isOurs || reach.includes(into)) return undefined;
  return `${from} may import only ${reach.join(', ')}`;
});

export const servicesApart = importRule('services never import each other', (file, to) => {
  const from = /^services\/([^/]+)\//.exec(file.path)?.[1];
  const into = /^services\/([^/]+)\//.exec(to)?.[1];
  return from !== undefined && into !== undefined && from !== into && into !== 'common'
    ? 'they meet on JetStream subjects only'
    : undefined;
});

/** Files whose results depend on their arguments alone. */
const PURE: readonly RegExp[] = [
  /^shared\/(errors|plan|schema|text)\//,
  /^shared\/ledger\/[^/]+\.ts$/,
  /^shared\/projection\/rows\.ts$/,
  /^shared\/world\/(world-path|selector|cid|percent|characters|redact|store)\.ts$/,
  /^services\/[^/]+\/decide\.ts$/,
  /^services\/admission\/(command|needs-graph|resolve-plan|resolve-step|secrets)\.ts$/,
  /^services\/dispatcher\/(outcome|scrub)\.ts$/,
  /^shared\/runtime\/(scrub|scrub-views)\.ts$/,
  /^shared\/secrets\/(aws\/\w+|grant|resolve|values)\.ts$/,
  /^services\/settler\/receipt\.ts$/,
];

const IO_PACKAGES = /^(@nats-io\/|@aws-sdk\/|@electric-sql\/|pg$|pino$|ioredis$|modal$|dockerode$|node:)/;
const IO_FOLDERS = /^shared\/(nats|service|ledger\/journal|runtime\/drivers|world\/drivers|secrets\/drivers|config)\//;

export const pureCore = importRule(
  'the functional core does no I/O',
  (file, to) =>
    PURE.some((pattern) => pattern.test(file.path)) && (IO_PACKAGES.test(to) || IO_FOLDERS.test(to))
      ? 'this file is part of the pure core'
      : undefined,
  withoutTypes,
);

/** Packages of providers, and the only places that may import them. */
const KV_AND_QUEUE = ['shared/scratch/kv/drivers', 'shared/scratch/queue/drivers'];
const PROVIDERS: readonly [packages: RegExp, places: readonly string[]][] = [
  [/^@aws-sdk\/client-s3$|^@aws-sdk\/s3-|^@smithy\/|^lean-s3$/, ['shared/world/drivers']],
  [/^@aws-sdk\/client-sqs$/, ['shared/scratch/queue/drivers']],
  [/^@aws-sdk\/client-secrets-manager$/, ['shared/secrets/drivers']],
  // KV and queue of one backend share its connection, which stands in a folder of its own.
  [/^ioredis$/, ['shared/providers/redis', ...KV_AND_QUEUE]],
  [/^modal$/, ['shared/providers/modal', 'shared/runtime/drivers', 'shared/secrets/drivers', ...KV_AND_QUEUE]],
  [/^dockerode$/, ['shared/providers/docker', 'shared/runtime/drivers']],
  [/^esbuild$/, ['shared/runtime', 'bin']],
  [/^@electric-sql\//, ['stack/postgres']],
  [/^dotenv$/, ['shared/secrets/drivers']],
];

export const providersInDrivers = importRule('provider SDKs are imported in drivers only', (file, to) => {
  if (under(file.path, 'test', 'bench')) return undefined;
  const provider = PROVIDERS.find(([packages]) => packages.test(to));
  if (provider === undefined || under(file.path, ...provider[1])) return undefined;
  return `only ${provider[1].join(', ')} may`;
});

export const IMPORT_RULES: readonly Rule[] = [direction, servicesApart, pureCore, providersInDrivers];
