import { whyNot } from './floors.ts';
import { importsOf, target } from './graph.ts';
import type { Finding, Rule, SourceFile } from './rule.ts';

type Check = (file: SourceFile, to: string) => string | undefined;

const importRule = (name: string, check: Check): Rule => ({
  name,
  check: (file) =>
    importsOf(file.text).flatMap((specifier): Finding[] => {
      const reason = check(file, target(file.path, specifier));
      return reason === undefined ? [] : [{ rule: name, path: file.path, message: `imports ${specifier}: ${reason}` }];
    }),
});

export const under = (file: string, ...folders: readonly string[]): boolean =>
  folders.some((folder) => file === folder || file.startsWith(`${folder}/`));

const isOurs = (to: string): boolean => /\.(ts|mjs)$/.test(to) && to.includes('/') && !to.startsWith('..');
const isCode = ({ path }: SourceFile): boolean => /^\w+\/.*\.(ts|mjs)$/.test(path);

export const direction = importRule('arrows run down the floors', (file, to) =>
  isCode(file) && isOurs(to) ? whyNot(file.path, to) : undefined,
);

export const servicesApart = importRule('services never import each other', (file, to) => {
  const from = /^services\/([^/]+)\//.exec(file.path)?.[1];
  const into = /^services\/([^/]+)\//.exec(to)?.[1];
  return from !== undefined && into !== undefined && from !== into && into !== 'common'
    ? 'they meet on JetStream subjects only'
    : undefined;
});

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
  [/^@electric-sql\//, ['stack/postgres']],
  [/^dotenv$/, ['shared/secrets/drivers']],
  [/^esbuild$/, ['shared/runtime/bundle.ts', 'bin/build']],
];

/** The places of the provider that a package belongs to; undefined for any other package. */
export const providerOf = (name: string): readonly string[] | undefined =>
  PROVIDERS.find(([packages]) => packages.test(name))?.[1];

export const providersInDrivers = importRule('provider SDKs are imported in drivers only', (file, to) => {
  if (under(file.path, 'test', 'bench')) return undefined;
  const places = providerOf(to);
  return places === undefined || under(file.path, ...places) ? undefined : `only ${places.join(', ')} may`;
});

export const IMPORT_RULES: readonly Rule[] = [direction, servicesApart, providersInDrivers];
