import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { parse, stringify } from 'yaml';
import type { Processor } from '../../shared/plan/registry.ts';
import type { TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { file } from './run-processor.ts';
import {
  type Call,
  failuresOf,
  registered,
  runExample,
  runRegistered,
  startRepositoryStack,
} from './run-registered.ts';

const test = suite('media/multitalk');
const REF = 'media/multitalk@1';

const python = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']);
test.skipUnless(python.status === 0, 'there is no python3 of version 3.9 or later');

/** Stands where model.py does: tells what it was asked, and fails as the prompt says. */
const FAKE_MODEL = `
import json, os
from failures import transient, unable

def prepare():
    return {"code": "fake@1", "weights": {}}

def generate(request, folder):
    prompt = request["params"]["prompt"]
    if prompt == "lose the device":
        raise transient("the GPU failed: CUDA error: device-side assert", "ERR_EXIT")
    if prompt == "break":
        raise ValueError("shapes do not match")
    if prompt == "wait":
        print("waiting", flush=True)
        import time
        time.sleep(600)
    sizes = [os.path.getsize(voice) for voice in request["voices"]]
    asked = {"image": os.path.basename(request["image"]), "voices": sizes, "params": request["params"]}
    path = os.path.join(folder, "video.mp4")
    with open(path, "w") as file:
        json.dump(asked, file, sort_keys=True)
        file.write("\\n" * (300 if prompt == "be long" else 0))
    return path
`;
/** What a machine without PyTorch says, also on one that has it. */
const NO_TORCH = `raise ModuleNotFoundError("No module named 'torch'", name="torch")\n`;
const NO_GPU = `
class cuda:
    is_available = staticmethod(lambda: False)
`;

let folder: string;
/** Folders of processors, with the fake model or with another torch. */
const programs = { fake: '', withoutTorch: '', withoutGpu: '' };

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'isomorph-multitalk-'));
  const variant = async (name: string, module: string, text: string): Promise<string> => {
    const home = join(folder, name, 'media_multitalk');
    await cp(file('processors/media_multitalk'), home, { recursive: true });
    await writeFile(join(home, module), text);
    return join(home, 'processor.py');
  };
  programs.fake = await variant('fake', 'model.py', FAKE_MODEL);
  programs.withoutTorch = await variant('without-torch', 'torch.py', NO_TORCH);
  programs.withoutGpu = await variant('without-gpu', 'torch.py', NO_GPU);
});
test.after(() => rm(folder, { recursive: true, force: true }));

/** Silence as a WAV of 8 kHz, 16 bits, mono. */
function wav(seconds: number): Buffer {
  const data = Buffer.alloc(Math.round(seconds * 8000) * 2);
  const head = Buffer.alloc(44);
  head.write('RIFF', 0, 'latin1');
  head.writeUInt32LE(36 + data.length, 4);
  head.write('WAVEfmt ', 8, 'latin1');
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(8000, 24);
  head.writeUInt32LE(16_000, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36, 'latin1');
  head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
}

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const INPUTS = { image: PNG, voice_1: wav(4) };

const run = (call: Call = {}) =>
  runRegistered(REF, { program: programs.fake, inputs: INPUTS, ...call, params: { prompt: 'speak', ...call.params } });

test('it hands checked inputs to the model, and its video and what it was made of to the store', async () => {
  const { code, outputs, reports, everything } = await run({
    inputs: { ...INPUTS, voice_2: wav(5.5) },
    params: { steps: 8, seed: 7, voices: 'in_turn', teacache: false },
  });
  assert.is(code, 0, everything);
  const params = {
    audio_guide: 4,
    length: 'whole',
    prompt: 'speak',
    seed: 7,
    steps: 8,
    teacache: false,
    text_guide: 5,
    voices: 'in_turn',
  };
  assert.equal(JSON.parse(outputs.get('video.mp4')?.toString() ?? ''), {
    image: 'image.png',
    voices: [64_044, 88_044],
    params,
  });
  const cid = `blake3:${'ab'.repeat(32)}`;
  assert.equal(JSON.parse(outputs.get('about.json')?.toString() ?? ''), {
    frames_per_s: 25,
    input_cids: { image: cid, voice_1: cid, voice_2: cid },
    model: { code: 'fake@1', weights: {} },
    params,
    seconds: 9.5,
  });
  assert.equal(
    reports.map((report) => report.isomorph === 'progress' && report.fraction),
    [0.02, 0.05, 0.95, 1],
  );
});

test('the same job gives the same record', async () => {
  const [first, second] = [await run(), await run()];
  assert.ok(first.outputs.get('about.json')?.equals(second.outputs.get('about.json') ?? Buffer.alloc(0)));
});

test('without a GPU it says that it needs one, and is not tried again', async () => {
  for (const [program, expected] of [
    [programs.withoutTorch, /needs an NVIDIA GPU and its own image: there is no PyTorch/],
    [programs.withoutGpu, /needs an NVIDIA GPU, and there is none here: run it on the adapter modal/],
  ] as const) {
    const { code, error, outputs } = await run({ program });
    assert.equal([code, error?.code, error?.retryable], [65, 'ERR_CAPABILITY', false]);
    assert.match(error?.message ?? '', expected);
    assert.is(outputs.size, 0);
  }
});

test('bad inputs are told before a GPU is looked for', async () => {
  const { voice_1, image } = INPUTS;
  for (const [inputs, code, expected] of [
    [{ image: 'GIF89a', voice_1 }, 'ERR_EXIT', /"image" is neither a PNG nor a JPEG/],
    [{ image, voice_1: 'no sound' }, 'ERR_EXIT', /"voice_1" is no WAV of PCM/],
    [{ image, voice_1: voice_1.subarray(0, 5000) }, 'ERR_EXIT', /"voice_1" is cut short/],
    [{ image, voice_1: wav(3.2) }, 'ERR_EXIT', /last 3\.20 s; the model needs at least 3\.28 s/],
    [{ image, voice_1: wav(41) }, 'ERR_EXIT', /last 41\.00 s; at most 40 s/],
    [{ image }, 'ERR_INPUT_MISSING', /no input "voice_1"/],
  ] as const) {
    const ended = await run({ inputs, program: programs.withoutGpu });
    assert.equal([ended.code, ended.error?.code], [65, code], ended.everything);
    assert.match(ended.error?.message ?? '', expected);
  }
  const clip = await run({ inputs: { image, voice_1: wav(41) }, params: { length: 'clip' } });
  assert.is(clip.code, 0, clip.everything);
});

test('faults of device, model and store end as what they are', async () => {
  const device = await run({ params: { prompt: 'lose the device' } });
  assert.equal([device.code, device.error?.retryable], [75, true]);
  const model = await run({ params: { prompt: 'break' } });
  assert.is(model.code, 1);
  assert.is(model.error?.message, 'the model failed: ValueError: shapes do not match');
  assert.match(model.everything, /Traceback/);
  const borne = await run({
    prepare: (server) => {
      server.failNext('voice_1', 503, 502);
      server.failNext('video.mp4', 500);
    },
  });
  assert.is(borne.code, 0, borne.everything);
  const lasting = await run({ prepare: (server) => server.failNext('image', 503, 503, 503) });
  assert.equal([lasting.code, lasting.error?.code], [75, 'ERR_UNAVAILABLE']);
  const refused = await run({ prepare: (server) => server.accept('video.mp4', 'video/webm', 1000) });
  assert.equal([refused.code, refused.error?.code], [1, 'ERR_URL_REFUSED']);
  const long = await run({
    params: { prompt: 'be long' },
    prepare: (server) => server.accept('video.mp4', 'video/mp4', 100),
  });
  assert.equal([long.code, long.error?.code], [1, 'ERR_OUTPUT_TOO_LARGE']);
});

test('it ends at once when it is asked to', async () => {
  const ended = await run({
    params: { prompt: 'wait' },
    onStart: (child) => {
      const { stdout } = child;
      if (stdout === null) throw new Error('no standard output');
      void (async () => {
        let seen = '';
        while (!seen.includes('waiting')) seen += String((await once(stdout, 'data'))[0]);
        child.kill('SIGTERM');
      })();
    },
  });
  assert.is(ended.signal, 'SIGTERM', ended.everything);
});

test('the registry file says what Modal has to provide', async () => {
  const { runtime, adapters, secrets } = await registered(REF);
  assert.equal(runtime.gpu, { model: 'A100', count: 1, mem_gb: 80 });
  assert.equal([adapters, secrets.required, runtime.network], [['modal'], [], 'artifacts']);
  const dockerfile = await readFile(file('processors/media_multitalk/Dockerfile'), 'utf8');
  for (const [, name = ''] of (await readFile(file('processors/media_multitalk/processor.py'), 'utf8')).matchAll(
    /^from (contract|failures|request) import/gm,
  )) {
    assert.ok(dockerfile.includes(`processors/media_multitalk/${name}.py`), name);
  }
});

let its: TestStack;
let registry: string;
test.before(async () => {
  // The mock adapter has no GPU; with the model out of the way its way through a plan can be tried on it.
  registry = await mkdtemp(join(tmpdir(), 'isomorph-registry-'));
  await cp(file('registry'), registry, { recursive: true });
  const path = join(registry, 'processors/media_multitalk.yaml');
  const processor: Processor = parse(await readFile(path, 'utf8'));
  await writeFile(path, stringify({ ...processor, adapters: ['mock', 'modal'] }));
  its = await startRepositoryStack({ registry, processors: join(folder, 'fake') });
});
test.after(async () => {
  await its.stop();
  await rm(registry, { recursive: true, force: true });
});

test('the example plan runs to its end, here on the mock adapter with the fake model', async () => {
  const { state, bytes } = await runExample(
    its,
    'talk',
    { '/artifacts/inputs/talk/person.png': PNG, '/artifacts/inputs/talk/voice.wav': wav(4) },
    (plan) => ({ ...plan, adapter: 'mock' }),
  );
  assert.is(state.settled?.status, 'succeeded', `${failuresOf(state)} ${JSON.stringify(state.rejected)}`);
  const about = JSON.parse(Buffer.from(await bytes('video/about.json')).toString());
  assert.is(about.input_cids.image, state.executions.get('talk.video.1')?.started?.inputs.image?.cid);
});

test.run();
