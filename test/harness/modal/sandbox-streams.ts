import { status } from '@grpc/grpc-js';
import { type CallContext, type Handlers, RpcError } from './rpc.ts';
import type { Sandbox } from './sandbox.ts';
import type { SandboxOutput } from './sandbox-output.ts';
import type { World } from './world.ts';

const STDOUT = 1;
const STDERR = 2;

interface StdinWrite {
  readonly sandbox_id: string;
  readonly input: Buffer;
  readonly index: number;
  readonly eof: boolean;
}
interface LogsRequest {
  readonly sandbox_id: string;
  readonly file_descriptor: number;
  readonly last_entry_id: string;
}
interface FetchRequest {
  readonly task_id: string;
  readonly limit: number;
}
interface RouterStdinWrite {
  readonly task_id: string;
  readonly offset: number;
  readonly data: Buffer;
  readonly eof: boolean;
}
interface RouterRead {
  readonly task_id: string;
  readonly offset: number;
  /** `SandboxStdioFileDescriptor`. */
  readonly file_descriptor: number;
}

/** Standard output of a V1 sandbox: batches, each under an id from which a reader may go on. */
async function* batches(output: SandboxOutput, { file_descriptor, last_entry_id }: LogsRequest, signal: AbortSignal) {
  const from = Number(last_entry_id.split('-')[0]);
  const decoder = new TextDecoder();
  for await (const { offset, bytes } of output.read(from, signal)) {
    const data = decoder.decode(bytes, { stream: true });
    yield { entry_id: `${offset + bytes.length}-0`, items: [{ data, file_descriptor }] };
  }
  yield { eof: true };
}

async function* chunks(output: SandboxOutput, offset: number, signal: AbortSignal) {
  for await (const chunk of output.read(offset, signal)) yield { data: chunk.bytes, starting_offset: chunk.offset };
}

/** What Modal keeps of a sandbox that has ended: an entry a line. */
function kept({ spec, stdout, stderr }: Sandbox, limit: number): object {
  const items = [
    { output: stderr, file_descriptor: STDERR },
    { output: stdout, file_descriptor: STDOUT },
  ].flatMap(({ output, file_descriptor }) =>
    output
      .all()
      .toString('utf8')
      .split(/(?<=\n)/)
      .filter((data) => data !== '')
      .map((data) => ({ data, file_descriptor, timestamp: spec.createdMs / 1_000 })),
  );
  return { task_id: spec.taskId, items: items.slice(-limit) };
}

export const sandboxStreamHandlers = ({ sandboxes }: World): Handlers => ({
  SandboxStdinWrite: ({ sandbox_id, input, index, eof }: StdinWrite) => {
    const sandbox = sandboxes.get(sandbox_id);
    // Chunks are numbered from 1; one that was taken before is taken for a repetition.
    if (index === 1) sandbox.writeStdin(0, input, eof);
    else sandbox.writeStdin(sandbox.stdinBytes, input, eof);
    return {};
  },
  SandboxGetLogs: (request: LogsRequest, { signal }: CallContext) => {
    const { stdout, stderr } = sandboxes.get(request.sandbox_id);
    return batches(request.file_descriptor === STDERR ? stderr : stdout, request, signal);
  },
  AppFetchLogs: ({ task_id, limit }: FetchRequest) => ({ batches: [kept(sandboxes.ofTask(task_id), limit)] }),
});

/** What a V2 sandbox's worker answers. */
export const routerHandlers = ({ sandboxes }: World): Handlers => ({
  SandboxStdinWriteV2: ({ task_id, offset, data, eof }: RouterStdinWrite) => {
    const sandbox = sandboxes.ofTask(task_id);
    if (sandbox.result !== undefined) throw new RpcError(status.FAILED_PRECONDITION, `${task_id} has ended`);
    sandbox.writeStdin(offset, data, eof);
    return {};
  },
  SandboxStdioReadV2: ({ task_id, offset, file_descriptor }: RouterRead, { signal }: CallContext) => {
    const { stdout, stderr } = sandboxes.ofTask(task_id);
    return chunks(file_descriptor === 0 ? stdout : stderr, offset, signal);
  },
});
