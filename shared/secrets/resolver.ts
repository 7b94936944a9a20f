/** Where secret values come from. Only names ever appear in events, receipts and logs. */
export interface SecretResolver {
  /** @throws ERR_MISSING_SECRET naming the secret. */
  get(name: string): Promise<string>;
  /** Whether `get` would find it; undefined when this resolver cannot tell without using it. */
  has(name: string): boolean | undefined;
}
