import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { workerPermissions } from '../../shared/wire/workers.ts';
import type { Context } from '../context.ts';

const NAMESPACE = /^[a-z0-9][a-z0-9-]{0,31}$/;

/** `isomorph nats config <namespace>`: a worker's user of the account WORKERS, as nats-server reads it. Its password is a variable there. */
export async function natsConfig({ out }: Context, namespace: string): Promise<number> {
  if (!NAMESPACE.test(namespace)) {
    throw new IsomorphError('ERR_USAGE', `${namespace} is no namespace`, {
      expected: 'what stands before the / of a processor',
    });
  }
  const user = `worker-${namespace}`;
  const password = `$NATS_${user.toUpperCase().replaceAll('-', '_')}_PASSWORD`;
  const permissions = workerPermissions(namespace);
  out.lines(`{ user: ${user}, password: ${password}, permissions: ${JSON.stringify(permissions)} }`);
  out.document({ user, password, permissions });
  return 0;
}
