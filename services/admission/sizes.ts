import { type Fault, IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { joinWorldPath } from '../../shared/ids/world-path.ts';
import type { AdmittedStep } from '../../shared/plan/admitted.ts';
import { startFaults } from '../../shared/plan/largest.ts';
import type { Processor } from '../../shared/plan/registry.ts';

/** Why an output has no path below this prefix: it would be too long. */
function outputFaults(prefix: string, { path }: Processor['outputs'][number], pointer: string): Fault[] {
  try {
    joinWorldPath(prefix, path);
    return [];
  } catch (error) {
    if (!(error instanceof IsomorphError)) throw error;
    return [{ ...error.toFault(), pointer }];
  }
}

/** Why what a step does could not be written: its outputs would have no paths, or its inputs do not fit the event of its start. */
export const stepSizeFaults = (step: AdmittedStep, { outputs }: Processor, pointer: string): Fault[] => [
  ...outputs.flatMap((output) => outputFaults(step.write_prefix, output, `${pointer}/write_prefix`)).slice(0, 1),
  ...startFaults(step, `${pointer}/inputs`),
];
