import { createHash } from 'node:crypto';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import { environmentOf } from '../../../providers/modal/account.ts';

/** Where in a Modal account executions run. */
export interface ModalPlace {
  /** '' is the default one of the token. */
  readonly environment: string;
  /** Modal App of this deployment: names of sandboxes are unique within it, so two deployments need two. */
  readonly app: string;
  /** Modal's region names, any of which will do; empty: wherever Modal likes. */
  readonly regions: readonly string[];
}

export const DEFAULT_APP = 'isomorph';

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const PARAMETERS = ['app', 'region'];

/**
 * The place that `modal:<environment>?app=<name>&region=<name>,<name>` names; all of it may be left out.
 * @throws IsomorphError ERR_CONFIG
 */
export function placeOf(url: string): ModalPlace {
  const [address = '', query = ''] = url.split('?', 2);
  const parameters = new URLSearchParams(query);
  const app = parameters.get('app') ?? DEFAULT_APP;
  const regions = parameters.get('region')?.split(',') ?? [];
  const isKnown = [...parameters.keys()].every((name) => PARAMETERS.includes(name));
  if (URL.canParse(address) && isKnown && [app, ...regions].every((name) => NAME.test(name))) {
    return { environment: environmentOf(new URL(address)), app, regions };
  }
  const expected = 'modal:<environment>?app=<name>&region=<name>,<name>, each part optional';
  throw new IsomorphError('ERR_CONFIG', 'no usable modal: URL of a runtime', { expected });
}

const MAX_NAME = 64;
const HASH_DIGITS = 32;

/**
 * What the sandbox of an execution, and its volume, are called. Modal has one running sandbox of a name in an App: the name is
 * the lock that keeps an execution from running twice. A hash stands for an id that is too long for a name.
 */
export function objectNameOf(executionId: string): string {
  const name = `iso-${executionId}`;
  if (name.length <= MAX_NAME) return name;
  return `iso.${createHash('sha256').update(executionId).digest('hex').slice(0, HASH_DIGITS)}`;
}
