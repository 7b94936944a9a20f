import { ADAPTERS, type Adapter } from '../../../shared/ids/adapter.ts';
import type { Backends } from '../../../shared/providers/backends.ts';
import { KV_BACKENDS } from '../../../shared/scratch/kv/open.ts';
import { QUEUE_BACKENDS } from '../../../shared/scratch/queue/open.ts';
import { SECRETS_BACKENDS } from '../../../shared/secrets/open.ts';
import { isPrincipal } from '../../../shared/wire/commands.ts';
import { STORE_BACKENDS } from '../../../shared/world/open.ts';
import { PROCESSES, type ProcessName } from '../services.ts';
import { LIMITS } from './limits.ts';
import { type Condition, defaulted, integer, isSet, variable } from './variable.ts';

const WITH_STORE: readonly ProcessName[] = ['admission', 'dispatcher', 'settler', 'projector'];

const WITH_SCRATCH: Condition = {
  by: 'dispatcher',
  when: 'with KV_URL or QUEUE_URL',
  holds: ({ KV_URL, QUEUE_URL }) => isSet(KV_URL) || isSet(QUEUE_URL),
};
const ON_FILES: Condition = {
  by: 'dispatcher',
  when: 'on a file: store',
  holds: ({ ARTIFACTS_URL }) => ARTIFACTS_URL?.startsWith('file:') ?? false,
};

const urlOf =
  (...schemes: string[]) =>
  (text: string): string | undefined =>
    schemes.some((scheme) => text.startsWith(`${scheme}:`)) ? text : undefined;

const backendOf =
  (backends: Backends<unknown>) =>
  (text: string): string | undefined =>
    backends.accepts(text) ? text : undefined;

const formOf = (backends: Backends<unknown>): string => backends.examples.join(' or ');

const isAdapter = (text: string): text is Adapter => ADAPTERS.some((adapter) => adapter === text);

function adapters(text: string): readonly Adapter[] | undefined {
  const names = text.split(',').map((name) => name.trim());
  return names.length > 0 && names.every(isAdapter) ? names : undefined;
}

function principals(text: string): readonly string[] | undefined {
  const names = text.split(',').map((name) => name.trim());
  return names.every(isPrincipal) ? names : undefined;
}

/** Every variable of every service; `docs/configuration.md` is this table. */
export const VARIABLES = {
  natsUrl: variable({
    name: 'NATS_URL',
    meaning: 'NATS server with JetStream, with the credentials of a service',
    neededBy: PROCESSES,
    expected: 'nats://[user:password@]host:port',
    parse: urlOf('nats', 'tls'),
  }),
  databaseUrl: variable({
    name: 'DATABASE_URL',
    meaning: 'Postgres 15 or later, for the projection',
    neededBy: ['projector'],
    expected: 'postgres://user:password@host:port/database',
    parse: urlOf('postgres', 'postgresql'),
  }),
  artifactsUrl: variable({
    name: 'ARTIFACTS_URL',
    meaning: 'artifact store',
    neededBy: WITH_STORE,
    expected: `${formOf(STORE_BACKENDS)}; see docs/artifact-stores.md`,
    parse: backendOf(STORE_BACKENDS),
  }),
  gatewayUrl: variable({
    name: 'ARTIFACTS_GATEWAY_URL',
    meaning: 'where signed URLs of a file: store are served',
    neededBy: [],
    neededWhen: [ON_FILES],
    expected: 'http://host:port',
    parse: urlOf('http', 'https'),
  }),
  gatewayKeyFile: variable({
    name: 'ARTIFACTS_GATEWAY_KEY_FILE',
    meaning: 'file with the key that signs those URLs, and the tokens of scratch',
    neededBy: ['gateway'],
    neededWhen: [ON_FILES, WITH_SCRATCH],
    expected: 'the path of a file of at least 16 bytes',
    parse: (text: string) => text,
  }),
  kvUrl: variable({
    name: 'KV_URL',
    meaning: 'where KV of plans is; without it plans that need KV are refused',
    neededBy: [],
    expected: `${formOf(KV_BACKENDS)}; see docs/scratch.md; nats: is the server of NATS_URL`,
    parse: backendOf(KV_BACKENDS),
  }),
  queueUrl: variable({
    name: 'QUEUE_URL',
    meaning: 'where queues of plans are; without it plans that need queues are refused',
    neededBy: [],
    expected: `${formOf(QUEUE_BACKENDS)}; see docs/scratch.md; nats: is the server of NATS_URL`,
    parse: backendOf(QUEUE_BACKENDS),
  }),
  scratchGatewayUrl: variable({
    name: 'SCRATCH_GATEWAY_URL',
    meaning: 'where processors reach KV and queues',
    neededBy: [],
    neededWhen: [WITH_SCRATCH],
    expected: 'http://host:port',
    parse: urlOf('http', 'https'),
  }),
  scratchRetentionS: defaulted<number>({
    name: 'SCRATCH_RETENTION_S',
    meaning: 'seconds for which the scratch of a settled plan is kept',
    neededBy: [],
    fallback: 3_600,
    expected: 'an integer from 0 to 31536000',
    parse: integer(0, 31_536_000),
  }),
  gatewayListen: defaulted<string>({
    name: 'GATEWAY_LISTEN',
    meaning: 'where the gateway listens; port 0 is any free one',
    neededBy: [],
    fallback: '127.0.0.1:0',
    expected: 'host:port',
    parse: (text: string) => (/^.+:\d{1,5}$/.test(text) && URL.canParse(`tcp://${text}`) ? text : undefined),
  }),
  secretsUrl: defaulted<string>({
    name: 'SECRETS_URL',
    meaning: 'where secret values come from',
    neededBy: [],
    fallback: 'env:',
    expected: `${formOf(SECRETS_BACKENDS)}; see docs/secrets.md`,
    parse: backendOf(SECRETS_BACKENDS),
  }),
  adapters: defaulted<readonly Adapter[]>({
    name: 'ISOMORPH_ADAPTERS',
    meaning: 'runtimes of this deployment; admission admits them, the dispatcher serves them',
    neededBy: [],
    fallback: ['mock'],
    expected: `a comma-separated list of ${ADAPTERS.join(', ')}`,
    parse: adapters,
  }),
  relayImage: defaulted<string>({
    name: 'ISOMORPH_RELAY_IMAGE',
    meaning: 'image with Node, for the network of `local` containers whose own image has no boot module of ours',
    neededBy: [],
    fallback: 'isomorph/base-node:offline',
    expected: 'an image on the engine',
    parse: (text: string) => text,
  }),
  modalUrl: defaulted<string>({
    name: 'ISOMORPH_MODAL_URL',
    meaning: 'where the `modal` runtime runs (docs/modal.md)',
    neededBy: [],
    fallback: 'modal:',
    expected: 'modal: or modal:<environment>',
    parse: urlOf('modal'),
  }),
  registryDir: defaulted<string>({
    name: 'ISOMORPH_REGISTRY',
    meaning: 'folder of processors and policies',
    neededBy: [],
    fallback: 'registry',
    expected: 'a folder',
    parse: (text: string) => text,
  }),
  processorsDir: defaulted<string>({
    name: 'ISOMORPH_PROCESSORS',
    meaning: 'folder of the processors’ folders, for the mock runtime',
    neededBy: [],
    fallback: 'processors',
    expected: 'a folder',
    parse: (text: string) => text,
  }),
  homeDir: defaulted<string>({
    name: 'ISOMORPH_HOME',
    meaning: 'folder for state: runs of the mock runtime, and all of the embedded stack',
    neededBy: [],
    fallback: '.isomorph',
    expected: 'a folder',
    parse: (text: string) => text,
  }),
  slots: defaulted<number>({
    name: 'ISOMORPH_SLOTS',
    meaning: 'executions at once on each runtime of one dispatcher',
    neededBy: [],
    fallback: 4,
    expected: 'an integer from 1 to 1000',
    parse: integer(1, 1000),
  }),
  operators: defaulted<readonly string[]>({
    name: 'ISOMORPH_OPERATORS',
    meaning: 'principals who may cancel plans of others (docs/principals.md)',
    neededBy: [],
    fallback: ['operator'],
    expected: 'a comma-separated list of principals',
    parse: principals,
  }),
  declareLeases: defaulted<boolean>({
    name: 'ISOMORPH_LEASES',
    meaning: 'whether leases of plans are recorded (they are never enforced)',
    neededBy: [],
    fallback: false,
    expected: 'declare or off',
    parse: (text: string) => (text === 'declare' ? true : text === 'off' ? false : undefined),
  }),
  logLevel: defaulted<string>({
    name: 'LOG_LEVEL',
    meaning: 'least severity that is logged',
    neededBy: [],
    fallback: 'info',
    expected: 'fatal, error, warn, info, debug or silent',
    parse: (text: string) => (/^(fatal|error|warn|info|debug|silent)$/.test(text) ? text : undefined),
  }),
  ...LIMITS,
} as const;
