import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** What the server answers; it may also say nothing, or hang up. */
export type Answer = { readonly status: number; readonly body: string } | 'silence' | 'cut';

export interface Call {
  /** `GetSecretValue`, `DescribeSecret`. */
  readonly operation: string;
  /** Of the secret that is asked for, with its prefix. */
  readonly name: string;
  /** From 1. */
  readonly count: number;
}

export interface FakeAws {
  readonly url: string;
  readonly calls: readonly Call[];
  stop(): Promise<void>;
}

/** As some servers do, it repeats more than it should: none of it may come through. */
export const refusal = (type: string, status = 400, spoken = ''): Answer => ({
  status,
  body: JSON.stringify({ __type: type, message: `no: ${spoken}` }),
});

export const given = (value: string): Answer => ({
  status: 200,
  body: JSON.stringify({ Name: 'X', SecretString: value }),
});

/** A Secrets Manager that answers as a test wants it, on loopback. */
export async function startFakeAws(answerTo: (call: Call) => Answer): Promise<FakeAws> {
  const calls: Call[] = [];
  const server = createServer(async (request, response) => {
    const operation = String(request.headers['x-amz-target']).split('.')[1] ?? '';
    const { SecretId: name } = JSON.parse(await text(request)) as { SecretId: string };
    const call = { operation, name, count: calls.length + 1 };
    calls.push(call);
    const answer = answerTo(call);
    if (answer === 'cut') request.socket.destroy();
    else if (answer !== 'silence') {
      response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.1' }).end(answer.body);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
