export interface Group {
  readonly label: string;
  readonly color: string;
}

/** Which rows share a colour. */
export interface Grouping {
  readonly name: string;
  readonly groups: readonly Group[];
  /** Index into `groups`, one a row. */
  readonly groupOfRow: readonly number[];
}
