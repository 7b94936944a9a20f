import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { keyedName } from '../../shared/scratch/names.ts';
import type { Context } from '../context.ts';
import { checkPlanArgument } from '../load-plan.ts';

export interface HashOptions {
  /** File with the gateway's key. Default: that of this place. */
  readonly key?: string;
}

function keyFileOf({ terminal, place }: Context): string {
  const file = place.artifacts?.gatewayKeyFile ?? terminal.env.ARTIFACTS_GATEWAY_KEY_FILE;
  if (file) return file;
  throw new IsomorphError('ERR_CONFIG', 'the key of the gateway is not known here', {
    expected: '--key <file>, or ARTIFACTS_GATEWAY_KEY_FILE, or a running stack',
  });
}

/** `isomorph ledger hash <plan> <names…>`: how the ledger tells keys and topics that it does not tell as they are. */
export async function hashNames(context: Context, planId: string, names: string[], options: HashOptions) {
  checkPlanArgument(planId);
  const file = path.resolve(context.terminal.cwd, options.key ?? keyFileOf(context));
  const secret = await readFile(file).catch((cause: unknown) => {
    throw new IsomorphError('ERR_CONFIG', `the key of the gateway cannot be read: ${file}`, {}, cause);
  });
  const hashes = names.map((name) => ({ name, hash: keyedName(planId, name, secret) }));
  context.out.lines(...hashes.map(({ name, hash }) => `${hash}  ${name}`));
  context.out.document({ plan_id: planId, names: hashes });
  return 0;
}
