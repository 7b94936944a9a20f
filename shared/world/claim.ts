/** What a claim says, as the drivers keep it. */
import { IsomorphError } from '../errors/isomorph-error.ts';

export const textOfClaim = (path: string, owner: string): string => `${JSON.stringify({ path, owner })}\n`;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Refused below, as what it is.
    return undefined;
  }
}

/** @throws IsomorphError ERR_INTERNAL for a damaged claim: nobody may have a path whose owner is not known */
export function ownerOfClaim(path: string, text: string): string {
  const claim = parsed(text);
  const owner = typeof claim === 'object' && claim !== null && 'owner' in claim ? claim.owner : undefined;
  if (typeof owner === 'string') return owner;
  throw new IsomorphError('ERR_INTERNAL', `the claim of ${path} is damaged`, { pointer: path });
}
