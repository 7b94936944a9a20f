import { status } from '@grpc/grpc-js';
import type { ObjectRequest } from './objects.ts';
import { type Handlers, RpcError } from './rpc.ts';
import type { World } from './world.ts';

interface SecretRequest extends ObjectRequest {
  readonly env_dict: Readonly<Record<string, string>>;
  readonly required_keys: readonly string[];
}

const LOOKUP = 0;

/** Secrets: values go in, and only into sandboxes do they come out. */
export const secretHandlers = ({ secrets }: World): Handlers => ({
  SecretGetOrCreate: (request: SecretRequest) => {
    const id = secrets.getOrCreate(request);
    const secret = secrets.get(id);
    if (request.object_creation_type !== LOOKUP) secret.env = request.env_dict;
    const missing = request.required_keys.filter((key) => !Object.hasOwn(secret.env, key));
    if (missing.length > 0) {
      throw new RpcError(status.FAILED_PRECONDITION, `Secret is missing key(s): ${missing.join(', ')}`);
    }
    return { secret_id: id, metadata: { name: request.deployment_name, keys: Object.keys(secret.env) } };
  },
  SecretDelete: ({ secret_id }: { readonly secret_id: string }) => {
    secrets.delete(secret_id);
    return {};
  },
});

export const volumeHandlers = ({ volumes }: World): Handlers => ({
  VolumeGetOrCreate: (request: ObjectRequest) => ({
    volume_id: volumes.getOrCreate(request),
    metadata: { version: 1, name: request.deployment_name },
  }),
  VolumeDelete: ({ volume_id }: { readonly volume_id: string }) => {
    volumes.delete(volume_id);
    return {};
  },
});
