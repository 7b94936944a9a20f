import { type Env, isSet } from '../../services/common/config/variable.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { ANONYMOUS } from '../../shared/ledger/events.ts';
import { isPrincipal, PRINCIPAL_FORM } from '../../shared/wire/commands.ts';
import { loginName, NATS_USERS } from './server-config.ts';

/** Who commands under a name of its own on the embedded server, beside the operator. @throws ERR_CONFIG */
export function principalsOf({ ISOMORPH_PRINCIPALS: text }: Env): readonly string[] {
  if (!isSet(text)) return [];
  const names = text.split(',').map((name) => name.trim());
  const taken: readonly string[] = [ANONYMOUS, ...NATS_USERS.map(loginName)];
  if (names.every((name) => isPrincipal(name) && !taken.includes(name))) return names;
  const place = {
    pointer: 'ISOMORPH_PRINCIPALS',
    expected: `a comma-separated list, each ${PRINCIPAL_FORM}; none of ${taken.join(', ')}`,
  };
  throw new IsomorphError('ERR_CONFIG', 'ISOMORPH_PRINCIPALS is not usable', place);
}
