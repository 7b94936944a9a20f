import type { Opened, Opening } from '../common/opening.ts';
import { MOST_SLOW, startSettler } from './service.ts';

/** The settler as its configuration says. */
export const start = async (opening: Opening): Promise<Opened> =>
  startSettler({ ...opening.deps, judge: opening.judge({ mostSlow: MOST_SLOW }), store: await opening.store() });
