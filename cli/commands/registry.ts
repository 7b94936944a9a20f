import { loadRegistry, readRegistry } from '../../shared/registry/registry.ts';
import { plural } from '../../shared/text/plural.ts';
import type { Context } from '../context.ts';
import { homeOf, registryOf, runningStack } from '../place.ts';
import { faultLines } from '../render/error.ts';
import { table } from '../render/table.ts';
import { fit, money, wrap } from '../render/text.ts';
import { GLYPH } from '../render/theme.ts';

/** Works without a stack; with one it shows what that stack admits. */
const folderOf = ({ terminal }: Context): string => registryOf(terminal, runningStack(homeOf(terminal)));

/** `isomorph registry list`. */
export async function list(context: Context): Promise<number> {
  const { out } = context;
  const { processors, policies } = await loadRegistry(folderOf(context));
  const columns = [
    { title: 'processor' },
    { title: 'adapters' },
    { title: 'timeout', align: 'right' },
    { title: 'cost' },
  ] as const;
  const rows = [...processors.values()].map(({ ref, adapters, runtime, read_only: readOnly, cost }) => [
    { text: ref, paint: out.theme.bold },
    adapters.join(' '),
    `${runtime.timeout_s} s`,
    readOnly ? 'free' : `${money(cost.usd_micro_fixed)} + ${money(cost.usd_micro_per_s)}/s`,
  ]);
  out.lines(...table(columns, rows, out.theme), '');
  for (const { ref, description, inputs, outputs, secrets } of processors.values()) {
    const needs = secrets.required.length === 0 ? '' : `; secrets ${secrets.required.join(', ')}`;
    const flow = `${Object.keys(inputs.artifacts).join(', ') || 'no inputs'} → ${outputs.map((one) => one.path).join(', ')}${needs}`;
    out.lines(`  ${out.theme.bold(ref)}`, ...wrap(description, out.theme.columns - 4).map((line) => `    ${line}`));
    out.lines(out.theme.dim(`    ${fit(flow, out.theme.columns - 4)}`));
  }
  out.lines('', `  ${plural(policies.size, 'policy', 'policies')}: ${[...policies.keys()].join(', ')}`);
  out.document({ processors: [...processors.values()], policies: [...policies.values()] });
  return 0;
}

/** `isomorph registry validate`. */
export async function validate(context: Context, folder: string | undefined): Promise<number> {
  const { out } = context;
  const { registry, faults } = await readRegistry(folder ?? folderOf(context));
  const [processors, policies] = [registry.processors.size, registry.policies.size];
  const what = `${plural(processors, 'processor')} and ${plural(policies, 'policy', 'policies')}`;
  if (faults.length === 0) out.lines(`${out.theme.good(GLYPH.good)} ${what} are valid`);
  else out.lines(`${out.theme.bad(GLYPH.bad)} ${plural(faults.length, 'fault')} beside ${what} that are valid`);
  for (const one of faults) {
    out.lines(
      `  ${out.theme.bold(one.file)}`,
      ...faultLines(one, out.theme, out.theme.columns - 4).map((line) => `    ${line}`),
    );
  }
  out.document({ ok: faults.length === 0, processors, policies, faults });
  return faults.length === 0 ? 0 : 1;
}

/** `isomorph registry pin`. */
export const pinImages = async (context: Context, refs: readonly string[]): Promise<number> =>
  (await import('./registry-pin.ts')).pin(context, folderOf(context), refs);
