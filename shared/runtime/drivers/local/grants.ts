import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { connect, createServer, isIP, type Server } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import { bundle } from '../../bundle.ts';
import { Relayed, type RelayedOptions } from './relayed.ts';

/**
 * The outer end of the network grant (ADR 13): a folder of unix sockets, one for each granted endpoint, that containers
 * get bound read-only. Whoever connects to a socket is connected to its endpoint, and to nothing else.
 */
export interface GrantedSockets {
  /** Folder to bind into containers. */
  readonly folder: string;
  /** `name:address` for the hosts file of the container. */
  readonly hosts: readonly string[];
}

interface Endpoint {
  /** As the URLs of a job have it. */
  readonly host: string;
  readonly port: number;
  /** Where this process connects to. */
  readonly target: { readonly host: string; readonly port: number };
  /** The loopback address that stands for it in a container. */
  readonly address: string;
  /** File name of its socket. */
  readonly socket: string;
}

const RELAY_MAIN = fileURLToPath(new URL('../../../../processors/sdk/relay-main.ts', import.meta.url));
/** As containers see it; the folder also holds the relay, for images that bring none. */
export const RELAY_FILE = 'relay.mjs';
const MAX_ENDPOINTS = 200;
export const RELAY_CONNECTIONS = 512;
const UNTOLD: RelayedOptions = { most: RELAY_CONNECTIONS, tell: () => undefined };

const isLoopback = (host: string): boolean => host === 'localhost' || /^127\./.test(host);

function hostAndPort(text: string): { readonly host: string; readonly port: number } {
  const [, host = '', port = ''] = /^([^:=\s]+):(\d{1,5})$/.exec(text) ?? [];
  if (host !== '' && Number(port) >= 1 && Number(port) <= 65_535) return { host, port: Number(port) };
  throw new IsomorphError('ERR_CONFIG', `containers cannot be granted ${text}`, { expected: 'host:port' });
}

function endpointOf(text: string, index: number): Endpoint {
  const [inner = '', outer = inner] = text.split('=');
  const { host, port } = hostAndPort(inner);
  if (isIP(host) !== 0 && !isLoopback(host)) {
    // In a container without rights to its network only loopback addresses can be taken.
    const expected = 'a loopback address or a name, with its port';
    throw new IsomorphError('ERR_CONFIG', `containers cannot be granted ${text}`, { expected });
  }
  const address = host === 'localhost' ? '127.0.0.1' : isLoopback(host) ? host : `127.1.0.${index + 1}`;
  return { host, port, target: hostAndPort(outer), address, socket: `${index}.sock` };
}

function endpointsOf(texts: readonly string[]): Endpoint[] {
  if (texts.length > MAX_ENDPOINTS)
    throw new IsomorphError('ERR_CONFIG', `more than ${MAX_ENDPOINTS} endpoints are granted`);
  const byPlace = new Map<string, Endpoint>();
  // `localhost` and 127.0.0.1 are one.
  for (const endpoint of [...new Set(texts)].sort().map(endpointOf)) {
    byPlace.set(`${endpoint.address}:${endpoint.port}`, endpoint);
  }
  return [...byPlace.values()];
}

interface Served {
  readonly server: Server;
  /** Of the socket file, which another process may have put its own in the place of. */
  readonly inode: number;
}

export class Grants {
  readonly #folder: string;
  readonly #endpoints: readonly Endpoint[];
  readonly #relayed: Relayed;
  readonly #served = new Map<string, Served>();
  /** Of this object alone: names of drafts. */
  readonly #own = randomBytes(6).toString('hex');
  #prepared: Promise<void> | undefined;
  #ensured: Promise<void> = Promise.resolve();

  /**
   * @param endpoints `host:port` each, of a loopback address or a name; `host:port=host:port` where this process finds it
   * elsewhere than the URLs of jobs say
   * @throws ERR_CONFIG for an endpoint that cannot be granted
   */
  constructor(stateDir: string, endpoints: readonly string[], relayed: RelayedOptions = UNTOLD) {
    this.#relayed = new Relayed(relayed);
    // Only we and the engine come to the sockets; in the container anyone may use what is bound there.
    this.#folder = path.join(path.resolve(stateDir), 'grant', 'sockets');
    this.#endpoints = endpointsOf(endpoints);
  }

  /** Nothing is granted at all. */
  get isEmpty(): boolean {
    return this.#endpoints.length === 0;
  }

  /** The folder, every socket of which is served by a living process. */
  async ensure(): Promise<GrantedSockets> {
    await this.#prepare();
    const ensure = async (): Promise<void> => {
      for (const endpoint of this.#endpoints) if (!(await this.#isServed(endpoint))) await this.#serve(endpoint);
    };
    this.#ensured = this.#ensured.then(ensure, ensure);
    await this.#ensured;
    const named = this.#endpoints.filter(({ host }) => !isLoopback(host));
    return { folder: this.#folder, hosts: named.map(({ host, address }) => `${host}:${address}`) };
  }

  /** Running containers lose their connections; the next process that ensures the grant serves them again. */
  async close(): Promise<void> {
    for (const { server } of this.#served.values()) server.close();
    this.#served.clear();
  }

  #prepare(): Promise<void> {
    const prepared = this.#prepared ?? this.#writeFolder();
    this.#prepared = prepared;
    prepared.catch(() => {
      this.#prepared = undefined;
    });
    return prepared;
  }

  async #writeFolder(): Promise<void> {
    await mkdir(path.dirname(this.#folder), { recursive: true, mode: 0o700 });
    await mkdir(this.#folder, { recursive: true });
    await chmod(this.#folder, 0o755);
    const told = this.#endpoints.map(({ address, port, socket }) => ({ address, port, socket }));
    await this.#write('endpoints.json', JSON.stringify(told));
    await this.#write(RELAY_FILE, await bundle(RELAY_MAIN));
  }

  async #write(name: string, content: string | Uint8Array): Promise<void> {
    const file = path.join(this.#folder, name);
    const draft = `${file}.${this.#own}`;
    await writeFile(draft, content);
    await chmod(draft, 0o644);
    await rename(draft, file);
  }

  async #isServed({ socket }: Endpoint): Promise<boolean> {
    const file = path.join(this.#folder, socket);
    const inode = (await stat(file).catch(() => undefined))?.ino;
    if (inode === undefined) return false;
    if (inode === this.#served.get(socket)?.inode) return true;
    return this.#shortly((folder) => answers(path.join(folder, socket)));
  }

  async #serve({ target, socket }: Endpoint): Promise<void> {
    this.#served.get(socket)?.server.close();
    const server = createServer({ allowHalfOpen: true }, (inner) => {
      this.#relayed.join(inner, connect({ ...target, allowHalfOpen: true }));
    });
    const draft = `${socket}.${this.#own}`;
    const file = path.join(this.#folder, draft);
    await this.#shortly(
      (folder) =>
        new Promise<void>((resolve, reject) => {
          server.once('error', reject).listen(path.join(folder, draft), resolve);
        }),
    );
    server.unref();
    await chmod(file, 0o666);
    const { ino } = await stat(file);
    // In one step: a container never finds no socket, and another process that served it keeps its connections.
    await rename(file, path.join(this.#folder, socket));
    this.#served.set(socket, { server, inode: ino });
  }

  /** The path of a socket may have about 100 bytes: it is reached through a short one. */
  async #shortly<T>(use: (folder: string) => Promise<T>): Promise<T> {
    const short = await mkdtemp(path.join(os.tmpdir(), 'iso-'));
    const link = path.join(short, 's');
    try {
      await symlink(this.#folder, link);
      return await use(link);
    } finally {
      await rm(short, { recursive: true, force: true });
    }
  }
}

/** Whether somebody listens on the socket. */
function answers(file: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(file);
    const tell = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', tell(true)).once('error', tell(false));
  });
}
