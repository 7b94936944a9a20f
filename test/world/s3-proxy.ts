/** A proxy before an S3 server that can be told to misbehave, as networks and servers do. */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What to do with one request: `pass` it; forward it and `lose` its answer; `cut` its answer; or answer oneself. */
export type ProxyAction = 'pass' | 'lose' | 'cut' | { readonly status: number; readonly body: string };

export interface S3Proxy {
  readonly url: string;
  /** Asked for every request; may change its headers. */
  decide: (request: IncomingMessage) => ProxyAction;
  /** `METHOD path` of every request so far. */
  readonly seen: string[];
  close(): Promise<void>;
}

/** As much of an answer as gets through before it is cut. */
const CUT_AFTER_BYTES = 1000;

function forward(target: URL, incoming: IncomingMessage, verdict: ProxyAction, response: ServerResponse): void {
  const { method, url: path, headers } = incoming;
  // The Host header stays as it was signed.
  const onward = request({ host: target.hostname, port: target.port, method, path, headers }, (answer) => {
    if (verdict === 'lose') {
      answer.resume();
      answer.once('end', () => incoming.socket.destroy());
      return;
    }
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    if (verdict === 'pass') {
      answer.pipe(response);
      return;
    }
    answer.once('data', (chunk: Buffer) => {
      response.write(chunk.subarray(0, CUT_AFTER_BYTES), () => incoming.socket.destroy());
      answer.destroy();
    });
  });
  onward.once('error', () => incoming.socket.destroy());
  incoming.pipe(onward);
}

export async function startS3Proxy(targetUrl: string): Promise<S3Proxy> {
  const seen: string[] = [];
  const server = createServer((incoming, response) => {
    seen.push(`${incoming.method} ${incoming.url}`);
    const verdict = proxy.decide(incoming);
    if (typeof verdict === 'string') {
      forward(new URL(targetUrl), incoming, verdict, response);
      return;
    }
    incoming.resume();
    incoming.once('end', () => response.writeHead(verdict.status).end(verdict.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const proxy: S3Proxy = {
    url: `http://127.0.0.1:${port}`,
    decide: () => 'pass',
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return proxy;
}
