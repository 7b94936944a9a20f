/** From this much of a limit on whoever operates it is told, while there is time to raise it. */
export const TOLD_SHARE = 0.8;

/** How much of a limit is used, for whoever tells an operator of it. */
export interface LimitNotice {
  /** What is limited, in words of one line of the log. */
  readonly limit: string;
  /** Whose use it is: an execution, a plan, or `all`. */
  readonly of: string;
  readonly used: number;
  readonly most: number;
}

/** Returns at once and never throws: it is called for every use, and judges itself what is worth telling. */
export type TellLimit = (notice: LimitNotice) => void;
