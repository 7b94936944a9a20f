/** Where a nats-server can be obtained once, when the machine has none that is new enough. */
export interface NatsSource {
  /** For messages: "Debian package", "official release". */
  readonly name: string;
  /**
   * Downloads, checks and unpacks into `workDir`; touches nothing else.
   * @returns the binary and, for the record, where it came from.
   * @throws Error saying in one sentence why this source did not serve.
   */
  obtain(job: { workDir: string; onProgress: (message: string) => void }): Promise<{ binary: string; origin: string }>;
}
