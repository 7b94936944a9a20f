/** The World against what a chain says of it: admitted document, artifacts, receipts, costs. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { canonical, cid, cidOfText, type Json, sha256Hex } from './canonical.ts';
import type { Folded, Run } from './fold.ts';

interface Admitted {
  readonly steps: readonly {
    readonly id: string;
    readonly processor: string;
    readonly params: Json;
    readonly needs: readonly string[];
  }[];
  readonly predicates: readonly Json[];
  readonly processors: Readonly<
    Record<string, { readonly cost: { readonly usd_micro_fixed: number; readonly usd_micro_per_s: number } }>
  >;
}

type Read = (worldPath: string) => Promise<Uint8Array | undefined>;

/** Reads the folder of a `file:` store as anybody can. */
export const folderReader =
  (folder: string): Read =>
  (worldPath) =>
    readFile(path.join(folder, worldPath)).catch(() => undefined);

async function artifactFindings(plan: Folded, read: Read): Promise<string[]> {
  const findings: string[] = [];
  for (const { path: where, cid: told, sha256, size } of plan.written.values()) {
    const bytes = await read(where);
    if (bytes === undefined) findings.push(`${where} is named and not there`);
    else if (cid(bytes) !== told) findings.push(`${where} has other bytes than the ledger names`);
    else if (sha256Hex(bytes) !== sha256 || bytes.byteLength !== size)
      findings.push(`${where}: SHA-256 or size differ`);
  }
  return findings;
}

async function receiptFindings(plan: Folded, run: Run, admitted: Admitted, read: Read): Promise<string[]> {
  const bytes = await read(run.receipt?.path ?? '/');
  if (bytes === undefined) return run.receipt?.isStored === false ? [] : [`${run.id} has no receipt in the World`];
  const text = Buffer.from(bytes).toString('utf8');
  const receipt = JSON.parse(text) as Readonly<Record<string, Json>>;
  const step = admitted.steps.find(({ id }) => id === run.step);
  const folder = `/artifacts/executions/`;
  const outputs = [...plan.written.values()].filter((one) => one.run === run.id && !one.path.startsWith(folder));
  const inputs = Object.values((run.started?.data.inputs ?? {}) as Record<string, { path: string; cid: string }>);
  const environment = run.end?.data.environment ?? null;
  const expected: Readonly<Record<string, Json>> = {
    execution_id: run.id,
    attempt: run.attempt,
    outcome: run.end?.kind.split('.')[1] ?? '',
    params_cid: cidOfText(canonical(step?.params ?? null)),
    input_cids: Object.fromEntries(inputs.map((one) => [one.path, one.cid])),
    output_cids: Object.fromEntries(outputs.map((one) => [one.path, one.cid])),
    env_fingerprint: environment,
    env_fingerprint_hash: environment === null ? null : cidOfText(canonical(environment)),
  };
  const findings = Object.entries(expected).flatMap(([name, value]) =>
    canonical(receipt[name] ?? null) === canonical(value) ? [] : [`the receipt of ${run.id} has another ${name}`],
  );
  return canonical(receipt) === text ? findings : [...findings, `the receipt of ${run.id} is not canonical`];
}

/** What a run cost, as the registry entry in the admitted document prices it. */
function costFindings(run: Run, admitted: Admitted): string[] {
  const step = admitted.steps.find(({ id }) => id === run.step);
  const cost = admitted.processors[step?.processor ?? '']?.cost;
  if (cost === undefined) return [`${run.id} is of no step of the admitted plan`];
  const ms = run.end?.data.duration_ms;
  const used = cost.usd_micro_fixed + Math.ceil((cost.usd_micro_per_s * Number(ms ?? 0)) / 1_000);
  const known = run.started === undefined ? 0 : ms === null ? run.reserved : Math.min(run.reserved, used);
  return run.actual === known ? [] : [`${run.id} cost ${run.actual}, and should have cost ${known}`];
}

function endFindings(plan: Folded, admitted: Admitted): string[] {
  const runs = [...plan.runs.values()];
  const succeeded = (id: string): boolean =>
    runs.some((run) => run.step === id && run.end?.kind === 'execution.succeeded');
  const early = runs.flatMap((run) => {
    const needs = admitted.steps.find(({ id }) => id === run.step)?.needs ?? [];
    const isEarly = needs.some((need) => {
      const end = runs.find((one) => one.step === need && one.end?.kind === 'execution.succeeded')?.end;
      return end === undefined || (run.started !== undefined && end.seq > run.started.seq);
    });
    return isEarly ? [`${run.id} ran before what it needs`] : [];
  });
  const holds = admitted.steps.every(({ id }) => succeeded(id)) && plan.checks.every(({ ok }) => ok);
  const isWhole = holds && plan.checks.length === admitted.predicates.length;
  if ((plan.settled?.data.status === 'succeeded') !== isWhole)
    early.push('its end is not that of its steps and predicates');
  return early;
}

/** Everything of a settled plan that the World tells otherwise than its chain. */
export async function documentFindings(plan: Folded, read: Read): Promise<string[]> {
  const [body, document] = await Promise.all([read(plan.planPath), read(plan.admittedPath)]);
  if (body === undefined || cid(body) !== plan.planCid) return ['the submitted plan is not in the World'];
  if (document === undefined || cid(document) !== plan.admittedCid) return ['the admitted plan is not in the World'];
  const admitted = JSON.parse(Buffer.from(document).toString('utf8')) as Admitted;
  const runs = [...plan.runs.values()];
  const receipts = await Promise.all(runs.map((run) => receiptFindings(plan, run, admitted, read)));
  return [
    ...(await artifactFindings(plan, read)),
    ...receipts.flat(),
    ...runs.flatMap((run) => costFindings(run, admitted)),
    ...endFindings(plan, admitted),
  ];
}
