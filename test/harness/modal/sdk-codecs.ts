import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { compileFunction } from 'node:vm';

/** One message type as the SDK has it. */
export interface SdkCodec {
  encode(message: unknown): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
  fromPartial(part: object): object;
}
export interface SdkMethod {
  readonly name: string;
  readonly requestType: SdkCodec;
  readonly responseType: SdkCodec;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

/** Services that the SDK speaks to: the control plane, and the worker that a sandbox runs on. */
export type SdkService = 'ModalClient' | 'TaskCommandRouter';

/**
 * The SDK's own definition of a service, by method name. It exports none, so its published file is evaluated once more, with
 * one line after its last that hands the definition out.
 */
export function sdkMethods(service: SdkService): ReadonlyMap<string, SdkMethod> {
  const require = createRequire(import.meta.url);
  const file = require.resolve('modal');
  const source = `${readFileSync(file, 'utf8')}\nreturn ${service}Definition;`;
  const run = compileFunction(source, ['exports', 'require', 'module', '__filename', '__dirname'], { filename: file });
  const module = { exports: {} };
  const definition = run(module.exports, createRequire(file), module, file, path.dirname(file)) as {
    readonly methods: Readonly<Record<string, SdkMethod>>;
  };
  return new Map(Object.values(definition.methods).map((method) => [method.name, method]));
}
