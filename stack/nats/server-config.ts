/**
 * The configuration of the embedded nats-server as data: accounts, users and what each may do. nats-server reads JSON.
 *
 * Services live in the account CORE. Clients live in EDGE, which sees of CORE only what CORE exports: commands to send
 * and subject trees to follow; each user there commands under one name. The auditor lives in AUDIT, which may read the ledger instead of commanding. Workers live in
 * WORKERS, which is asked by CORE and tells it of runs. Permissions alone would not do, because a server does not check the reply subject of a
 * message: inside CORE anyone could have an answer written to a ledger subject. ADR 0030.
 */
import { ANONYMOUS } from '../../shared/ledger/events.ts';
import { ALARMS_STREAM } from '../../shared/wire/alarms.ts';
import { ANONYMOUS_SUBJECTS, COMMAND_SUBJECTS, COMMANDS, commandSubject } from '../../shared/wire/commands.ts';
import { inEdition } from '../../shared/wire/consumers.ts';
import { ALL_DEAD, DEAD_KEPT_STREAM, DEAD_STREAM, deadOf } from '../../shared/wire/dead.ts';
import { COMMITTED_LEDGER, LEDGER_STREAM, WHOLE_LEDGER } from '../../shared/wire/ledger.ts';
import { ALL_LIVE } from '../../shared/wire/progress.ts';
import { STREAMS } from '../../shared/wire/streams.ts';
import { ALL_WORKERS, FROM_WORKERS, TO_WORKERS, workerPermissions } from '../../shared/wire/workers.ts';

/** Subjects on which clients command; a request is answered with the stream's acknowledgement. */
const EDGE_SERVICES = COMMAND_SUBJECTS;
/**
 * Subject trees that clients may follow live, by the subject that CORE publishes them on. The ledger comes from
 * what its stream stored: a plain subscription inside CORE also hears commits that lost their race. ADR 0005.
 */
const EDGE_STREAMS: Readonly<Record<string, string>> = {
  [WHOLE_LEDGER]: COMMITTED_LEDGER,
  [ALL_DEAD]: ALL_DEAD,
  [ALL_LIVE]: ALL_LIVE,
};

/**
 * What would unmake recorded facts, or the limits that keep them: an admin's task, never a service's. The alarm of a plan goes
 * with the plan, and is made anew where it is missing: ALARMS alone may be purged.
 */
const SERVICE_DENIED = [
  ...['CREATE', 'UPDATE', 'DELETE', 'RESTORE'].map((verb) => `$JS.API.STREAM.${verb}.>`),
  ...STREAMS.filter(({ name }) => name !== ALARMS_STREAM).map(({ name }) => `$JS.API.STREAM.PURGE.${name}`),
  '$JS.API.STREAM.MSG.DELETE.>',
];

/** Direct reads only: who may create a consumer can have a stream's messages delivered to any subject of CORE. */
const AUDITOR_REQUESTS = [LEDGER_STREAM, DEAD_STREAM, DEAD_KEPT_STREAM].flatMap((stream) => [
  `$JS.API.DIRECT.GET.${stream}`,
  `$JS.API.DIRECT.GET.${stream}.>`,
]);

/** Who may cancel the plans of others and hears of all refusals, unless ISOMORPH_OPERATORS names another. */
export const OPERATOR = 'operator';

export interface Principal {
  /** The user of NATS, and the token in its subjects. */
  readonly name: string;
  readonly password: string;
}

/** What a client may: command under its one name, follow the ledger, hear of its own refusals. Narrow inside EDGE too: what it could publish on ledger.> here every other client would hear. */
const clientPermissions = (publish: readonly string[], dead: string) => ({
  publish: { allow: publish },
  subscribe: { allow: [WHOLE_LEDGER, dead, ALL_LIVE, '_INBOX.>'] },
});

const principalUser = ({ name, password }: Principal) => ({
  user: name,
  password,
  permissions: clientPermissions(
    COMMANDS.map((command) => commandSubject(command, name)),
    name === OPERATOR ? ALL_DEAD : deadOf(name),
  ),
});

export const NATS_USERS = ['admin', 'service', 'auditor', 'edge', 'worker'] as const;
export type NatsUser = (typeof NATS_USERS)[number];

/** What a user is called in NATS. Services of an earlier edition, with the name of theirs, are refused. */
export const loginName = (user: NatsUser): string => (user === 'service' ? inEdition(user) : user);

export type Passwords = Readonly<Record<NatsUser, string>>;

export interface ServerConfigOptions {
  readonly passwords: Passwords;
  /** Who commands under a name of its own; {@link OPERATOR} too. */
  readonly principals: readonly Principal[];
  /** -1 lets the server choose a free one. */
  readonly port: number;
  readonly monitorPort: number;
  /** The server makes `jetstream/` in it. */
  readonly storeDir: string;
  readonly logFile: string;
  /** Where the server writes the ports it listens on. */
  readonly portsDir: string;
}

/** What CORE asks of workers. Of every worker at once there are many answers. */
const WORKER_SERVICES: readonly { readonly service: string; readonly response?: 'stream' }[] = [
  { service: TO_WORKERS },
  { service: ALL_WORKERS, response: 'stream' },
  { service: '$SRV.>', response: 'stream' },
];

const importsOfCore = (services: readonly string[]): object[] => [
  ...services.map((subject) => ({ service: { account: 'CORE', subject } })),
  ...Object.entries(EDGE_STREAMS).map(([to, subject]) => ({
    stream: { account: 'CORE', subject },
    ...(to === subject ? {} : { to }),
  })),
];

/**
 * What the server promises to streams is not to bound what they get: it would refuse to bring a store up to date whose disk has
 * shrunk. Setup fits the limits to the disk (ADR 92).
 */
const MAX_FILE_STORE_BYTES = 2 ** 50;
const LOG_LIMIT_BYTES = 10 * 1024 * 1024;
const MAX_PAYLOAD_BYTES = 1024 * 1024;

/** The text of server.conf. It holds the passwords: whoever writes it keeps it from other users. */
export function serverConfig(options: ServerConfigOptions): string {
  const { passwords } = options;
  const user = (name: NatsUser, permissions?: object) => ({
    user: loginName(name),
    password: passwords[name],
    permissions,
  });
  const config = {
    server_name: 'isomorph-embedded',
    host: '127.0.0.1',
    port: options.port,
    http: `127.0.0.1:${options.monitorPort}`,
    ports_file_dir: options.portsDir,
    max_payload: MAX_PAYLOAD_BYTES,
    log_file: options.logFile,
    logfile_size_limit: LOG_LIMIT_BYTES,
    logfile_max_num: 3,
    // An acknowledged event is on the disk: the default would acknowledge up to two minutes before that.
    jetstream: { store_dir: options.storeDir, sync_interval: 'always', max_file_store: MAX_FILE_STORE_BYTES },
    no_auth_user: 'edge',
    accounts: {
      CORE: {
        jetstream: 'enabled',
        users: [
          user('admin'),
          user('service', { publish: { allow: ['>'], deny: SERVICE_DENIED }, subscribe: { allow: ['>'] } }),
        ],
        exports: [
          ...EDGE_SERVICES.map((service) => ({ service, accounts: ['EDGE'] })),
          ...Object.values(EDGE_STREAMS).map((stream) => ({ stream, accounts: ['EDGE', 'AUDIT'] })),
          // One read request has many answers.
          ...AUDITOR_REQUESTS.map((service) => ({ service, response: 'stream', accounts: ['AUDIT'] })),
        ],
        imports: [
          ...WORKER_SERVICES.map(({ service }) => ({ service: { account: 'WORKERS', subject: service } })),
          { stream: { account: 'WORKERS', subject: FROM_WORKERS } },
        ],
      },
      WORKERS: {
        // Of every namespace: a deployment has one user for each (docs/worker-contract.md).
        users: [user('worker', workerPermissions('*'))],
        exports: [
          ...WORKER_SERVICES.map((service) => ({ ...service, accounts: ['CORE'] })),
          { stream: FROM_WORKERS, accounts: ['CORE'] },
        ],
      },
      AUDIT: {
        users: [
          user('auditor', {
            publish: { allow: AUDITOR_REQUESTS },
            subscribe: { allow: [...Object.keys(EDGE_STREAMS), '_INBOX.>', '_INBOX_auditor.>'] },
          }),
        ],
        imports: importsOfCore(AUDITOR_REQUESTS),
      },
      EDGE: {
        users: [
          user('edge', clientPermissions(ANONYMOUS_SUBJECTS, deadOf(ANONYMOUS))),
          ...options.principals.map(principalUser),
        ],
        imports: importsOfCore(EDGE_SERVICES),
      },
    },
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
