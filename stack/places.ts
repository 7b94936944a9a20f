import path from 'node:path';
import { pathToFileURL } from 'node:url';

/** Where the parts of a stack keep what they keep. */
export interface Places {
  readonly home: string;
  /** Of nats-server: the disk of the streams. */
  readonly natsDir: string;
  readonly artifactsUrl: string;
  readonly keyFile: string;
  readonly secretsFile: string;
  readonly logs: string;
}

export function placesOf(home: string): Places {
  return {
    home,
    natsDir: path.join(home, 'nats'),
    artifactsUrl: pathToFileURL(path.join(home, 'world')).href,
    keyFile: path.join(home, 'gateway.key'),
    secretsFile: path.join(home, 'secrets.env'),
    logs: path.join(home, 'logs'),
  };
}
