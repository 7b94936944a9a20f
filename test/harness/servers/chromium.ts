import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adopt } from '../../../stack/process.ts';
import { scaledMs } from '../slowness.ts';
import { available } from './detect.ts';

const STOP_GRACE_MS = scaledMs(10_000);
const SAID_MAX = 4000;

/** Nothing of it leaves the machine, and nothing of it stays: a browser that opens one page of a test. */
const FLAGS = [
  '--headless',
  // Its own sandbox refuses to work for root; the page is ours.
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface OpenPage {
  /** Rejects, with what it said, when the browser ends before `stop`. Never resolves. */
  readonly failed: Promise<never>;
  /** Ends the browser and removes its folder. */
  stop(): Promise<void>;
}

/**
 * A headless Chromium with a profile of its own, on one page.
 * @throws Error when there is none; ask `available('chromium')` first.
 */
export async function openInChromium(url: string): Promise<OpenPage> {
  const found = await available('chromium');
  if (!found.ok) throw new Error(found.reason);
  const dir = await mkdtemp(join(tmpdir(), 'isomorph-chromium-'));
  const removeDir = (): Promise<void> => rm(dir, { recursive: true, force: true });
  try {
    const spawned = spawn(found.path, [...FLAGS, `--user-data-dir=${dir}`, url], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    spawned.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-SAID_MAX);
    });
    const child = await adopt(spawned);
    let isWanted = true;
    const failed = new Promise<never>((_, reject) => {
      child.ended.then(() => {
        if (isWanted) reject(new Error(`chromium ended: ${said}`));
      });
    });
    const stop = async (): Promise<void> => {
      isWanted = false;
      await child.stop({ graceMs: STOP_GRACE_MS });
      await removeDir();
    };
    return { failed, stop };
  } catch (thrown) {
    await removeDir();
    throw thrown;
  }
}
