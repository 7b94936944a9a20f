import { BadInputError } from '../sdk/index.ts';

/** What is sent as it is named, when the plan gives it. */
export interface Sampling {
  readonly temperature?: number;
  readonly top_p?: number;
  readonly max_tokens?: number;
  readonly max_completion_tokens?: number;
  readonly seed?: number;
  readonly stop?: readonly string[];
}

export interface ChatParams {
  /** Address of the API, without a slash at the end. */
  readonly baseUrl: string;
  readonly model: string;
  readonly system: string | undefined;
  readonly prompt: string | undefined;
  readonly sampling: Sampling;
  /** Asks for JSON as the answer. */
  readonly json: boolean;
  readonly stream: boolean;
  /** For the whole exchange, in milliseconds. */
  readonly timeoutMs: number;
}

type Params = Readonly<Record<string, unknown>>;

const wrong = (name: string, expected: string): BadInputError =>
  new BadInputError(`params.${name} is no ${expected}`, { code: 'ERR_PARAMS' });

function text(params: Params, name: string): string | undefined {
  const value = params[name];
  if (value === undefined || typeof value === 'string') return value;
  throw wrong(name, 'text');
}

function number(params: Params, name: string, from: number, to: number, integer: boolean): number | undefined {
  const value = params[name];
  if (value === undefined) return undefined;
  const fits = typeof value === 'number' && value >= from && value <= to && (!integer || Number.isInteger(value));
  if (fits) return value;
  throw wrong(name, `${integer ? 'whole ' : ''}number from ${from} to ${to}`);
}

function flag(params: Params, name: string, fallback: boolean): boolean {
  const value = params[name] ?? fallback;
  if (typeof value === 'boolean') return value;
  throw wrong(name, 'true or false');
}

function stopOf(params: Params): readonly string[] | undefined {
  const { stop } = params;
  if (stop === undefined) return undefined;
  if (Array.isArray(stop) && stop.every((entry): entry is string => typeof entry === 'string')) return stop;
  throw wrong('stop', 'list of texts');
}

const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost']);

/** Which addresses are allowed is for the registry file to say; this keeps the key off an open line whatever it says. */
function baseUrlOf(params: Params): string {
  const value = text(params, 'base_url') ?? 'https://api.openai.com/v1';
  if (!URL.canParse(value)) throw wrong('base_url', 'URL');
  const { protocol, hostname, username, password, search, hash } = new URL(value);
  if (protocol !== 'https:' && !(protocol === 'http:' && LOOPBACK.has(hostname))) {
    throw wrong('base_url', 'https address: the key would travel in the open');
  }
  if (`${username}${password}${search}${hash}` !== '') throw wrong('base_url', 'address of host and path alone');
  return value.replace(/(?<!\/)\/+$/, '');
}

function defined(entries: Record<string, unknown>): Sampling {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined));
}

/** Checks the params as the registry file does, for who runs the program without admission, and fills in defaults. */
export function readParams(params: Params): ChatParams {
  const model = text(params, 'model');
  if (model === undefined || model === '') throw wrong('model', 'name of a model');
  return {
    baseUrl: baseUrlOf(params),
    model,
    system: text(params, 'system'),
    prompt: text(params, 'prompt'),
    sampling: defined({
      temperature: number(params, 'temperature', 0, 2, false),
      top_p: number(params, 'top_p', 0, 1, false),
      max_tokens: number(params, 'max_tokens', 1, 1_000_000, true),
      max_completion_tokens: number(params, 'max_completion_tokens', 1, 1_000_000, true),
      seed: number(params, 'seed', 0, Number.MAX_SAFE_INTEGER, true),
      stop: stopOf(params),
    }),
    json: flag(params, 'json', false),
    stream: flag(params, 'stream', true),
    timeoutMs: (number(params, 'timeout_s', 0.1, 3600, false) ?? 120) * 1000,
  };
}
