import type { NatsConnection } from '@nats-io/transport-node';
import { IsomorphError } from '../shared/errors/isomorph-error.ts';
import { ANONYMOUS } from '../shared/ledger/events.ts';
import { isPrincipal, PRINCIPAL_FORM } from '../shared/wire/commands.ts';
import type { Context } from './context.ts';

/** Who commands, and the connection that may. */
export interface Commander {
  readonly principal: string;
  readonly connection: NatsConnection;
}

/** @throws ERR_PRINCIPAL for a name that nobody can have */
export function checkPrincipal(name: string): string {
  if (isPrincipal(name)) return name;
  throw new IsomorphError('ERR_PRINCIPAL', `nobody can be called ${JSON.stringify(name)}`, {
    expected: PRINCIPAL_FORM,
  });
}

/**
 * By `--principal`, else by ISOMORPH_PRINCIPAL, else without a name.
 * @throws ERR_PRINCIPAL for one that the running stack does not know; ERR_UNAVAILABLE when nothing runs here
 */
export async function commanderOf(context: Context, named: string | undefined): Promise<Commander> {
  const principal = checkPrincipal(named ?? context.place.principal ?? ANONYMOUS);
  const { principals } = context.place;
  if (principal === ANONYMOUS || principals === undefined) {
    return { principal, connection: await context.connection('client') };
  }
  const url = Object.hasOwn(principals, principal) ? principals[principal] : undefined;
  if (url === undefined) {
    throw new IsomorphError('ERR_PRINCIPAL', `the stack that runs here knows no principal ${principal}`, {
      expected: `${Object.keys(principals).join(' or ')}; \`ISOMORPH_PRINCIPALS=${principal} npm run dev\` starts one that does`,
    });
  }
  return { principal, connection: await context.connectTo(url) };
}

/** Whose refusals are to be heard; undefined where those of everybody may be. */
export const heardPrincipal = ({ place }: Context): string | undefined =>
  place.source === 'stack.json' ? undefined : (place.principal ?? ANONYMOUS);
