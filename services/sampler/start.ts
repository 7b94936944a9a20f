import type { Opened, Opening } from '../common/opening.ts';
import { startSampler } from './service.ts';

/** The sampler as its configuration says. */
export const start = ({ deps, config, tellLimit }: Opening): Promise<Opened> =>
  startSampler({ ...deps, tellLimit, mostFacts: config.factsOfPlan });
