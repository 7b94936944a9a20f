export async function runPatches(_: { only: readonly string[]; seed: number; minutes: number }): Promise<boolean> {
  return false;
}
