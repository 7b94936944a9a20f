/** Amounts of bytes as people write and read them: `64MiB`. Pure. */
const KIB = 1024;
const UNITS: readonly (string | undefined)[] = ['KiB', 'MiB', 'GiB', 'TiB'];

const FORM = /^(\d{1,12})(?: ?([KMGT]iB))?$/;

/** `64MiB` → 67108864; bytes without a unit. Undefined for other text, and beyond 2^53. */
export function parseAmount(text: string): number | undefined {
  const [, digits, unit] = FORM.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const power = UNITS.indexOf(unit) + 1;
  const bytes = Number(digits) * KIB ** power;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** 67108864 → `64MiB`; with one digit behind the point where it is not whole. */
export function formatAmount(bytes: number): string {
  const power = Math.min(UNITS.length, Math.floor(Math.log(Math.max(1, bytes)) / Math.log(KIB)));
  const value = bytes / KIB ** power;
  return `${Number.isInteger(value) ? value : value.toFixed(1)}${power === 0 ? 'B' : UNITS[power - 1]}`;
}
