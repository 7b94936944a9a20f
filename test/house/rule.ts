/** A file of the project: its path from the root with `/`, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

export interface Finding {
  readonly rule: string;
  readonly path: string;
  readonly message: string;
}

/** One rule of the house. Pure: what it says of a file depends on the file alone. */
export interface Rule {
  readonly name: string;
  check(file: SourceFile): readonly Finding[];
}
