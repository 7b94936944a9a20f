import { type Fault, fault } from '../../shared/errors/isomorph-error.ts';
import type { PlanStep } from '../../shared/plan/plan.ts';
import type { Processor } from '../../shared/plan/registry.ts';
import { type Capabilities, unmet } from '../../shared/plan/requirements.ts';

/** What the configured scratch can do; undefined where there is none. */
export interface ConfiguredScratch {
  readonly kv: Capabilities | undefined;
  readonly queue: Capabilities | undefined;
}

const VARIABLE = { kv: 'KV_URL', queue: 'QUEUE_URL' } as const;
const PRIMITIVES = ['kv', 'queue'] as const;

/** What the processor uses must be there, and offer what the step asks of it. */
export function scratchFaults(
  configured: ConfiguredScratch,
  step: PlanStep,
  processor: Processor,
  pointer: string,
): Fault[] {
  return PRIMITIVES.flatMap((primitive): Fault[] => {
    const wanted = step.requires?.[primitive];
    if (wanted === undefined && !processor.scratch.includes(primitive)) return [];
    const offered = configured[primitive];
    const place = `${pointer}/requires/${primitive}`;
    if (offered === undefined) {
      const expected = `a deployment with ${VARIABLE[primitive]}`;
      const at = wanted === undefined ? `${pointer}/processor` : place;
      return [fault('ERR_CAPABILITY', `no ${primitive} is configured`, { pointer: at, expected })];
    }
    return unmet(wanted ?? {}, offered).map(({ name, wanted: value, offered: had }) =>
      fault('ERR_CAPABILITY', `the configured ${primitive} has ${name} ${JSON.stringify(had)}`, {
        pointer: `${place}/${name}`,
        expected: typeof value === 'number' ? `at least ${value}` : JSON.stringify(value),
      }),
    );
  });
}
