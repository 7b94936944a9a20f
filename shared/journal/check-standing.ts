import { IsomorphError, unreachable } from '../errors/isomorph-error.ts';
import type { Standing } from '../ledger/reading.ts';

/**
 * What a plan is not to be acted on for.
 * @throws ERR_VERSION when a later version has written to it: it may be tried again, by a later version;
 * ERR_QUARANTINED when an event of its chain is illegal
 */
export function checkStanding(planId: string, standing: Standing): void {
  switch (standing.kind) {
    case 'known':
      return;
    case 'newer': {
      const { seq, why } = standing;
      throw new IsomorphError('ERR_VERSION', `${planId} is newer than this version from seq ${seq} on: ${why}`);
    }
    case 'quarantined': {
      const { seq, error } = standing;
      throw new IsomorphError(
        'ERR_QUARANTINED',
        `${planId} is quarantined at seq ${seq}: ${error.message}`,
        error.place,
      );
    }
    default:
      unreachable(standing);
  }
}
