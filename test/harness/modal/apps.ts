import type { Handlers } from './rpc.ts';
import type { World } from './world.ts';

interface AppRequest {
  readonly app_name: string;
  readonly environment_name: string;
  readonly object_creation_type: number;
}

export const appHandlers = ({ apps }: World): Handlers => ({
  AppGetOrCreate: ({ app_name, environment_name, object_creation_type }: AppRequest) => ({
    app_id: apps.getOrCreate({ deployment_name: app_name, environment_name, object_creation_type }),
    handle_metadata: { description: app_name, environment_name: environment_name || 'main' },
  }),
});
