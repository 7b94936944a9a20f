import type Docker from 'dockerode';
import { IsomorphError } from '../../errors/isomorph-error.ts';
import { answeringEngine } from './engine-client.ts';

/** Images of the container engine that `DOCKER_HOST` names, else of the machine's own; for tools and commands. */
export class EngineImages {
  readonly #docker: Docker;

  private constructor(docker: Docker) {
    this.#docker = docker;
  }

  /**
   * @param dockerHost as in `DOCKER_HOST`; undefined or empty is the engine at its usual socket
   * @throws ERR_UNAVAILABLE when no engine answers
   */
  static async connect(dockerHost: string | undefined): Promise<EngineImages> {
    return new EngineImages(await answeringEngine(dockerHost));
  }

  /**
   * @param name with a tag, or by digest, or an image id
   * @returns undefined when the engine has no such image
   */
  async inspect(name: string): Promise<Docker.ImageInspectInfo | undefined> {
    try {
      return await this.#docker.getImage(name).inspect();
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode === 404) return undefined;
      throw new IsomorphError('ERR_UNAVAILABLE', `the engine does not tell about ${name}`, {}, error);
    }
  }

  /**
   * Loads every image of an archive as `docker save` writes it.
   * @throws ERR_UNAVAILABLE with what the engine said when it refuses the archive
   */
  async load(archive: NodeJS.ReadableStream): Promise<void> {
    const answer = await this.#docker.loadImage(archive, { quiet: true });
    let said = '';
    for await (const chunk of answer) said += String(chunk);
    // A refusal comes as a line of the answer, whose status is 200 all the same.
    const refused = said.split(/\r?\n/).find((line) => line.includes('"error"'));
    if (refused !== undefined) throw new IsomorphError('ERR_UNAVAILABLE', `the engine refused the images: ${refused}`);
  }
}
