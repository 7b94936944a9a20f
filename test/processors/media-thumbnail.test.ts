import sharp from 'sharp';
import * as assert from 'uvu/assert';
import type { TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { failuresOf, runExample, runRegistered, startRepositoryStack } from './run-registered.ts';

const test = suite('media/thumbnail');
const REF = 'media/thumbnail@1';

type Rgb = readonly [number, number, number];
const RED: Rgb = [220, 40, 40];
const GREEN: Rgb = [30, 160, 70];
const BLUE: Rgb = [40, 70, 200];
const YELLOW: Rgb = [240, 200, 30];

/** A picture of four coloured quarters, from the top left in the order of reading: shows turns and mirrors. */
async function quarters(width: number, height: number): Promise<Buffer> {
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const upper = x * 2 < width ? RED : GREEN;
      const lower = x * 2 < width ? BLUE : YELLOW;
      pixels.set(y * 2 < height ? upper : lower, (y * width + x) * 3);
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

const noise = (width: number, height: number): Promise<Buffer> => {
  let state = 1;
  const pixels = Buffer.alloc(width * height * 3);
  for (let index = 0; index < pixels.length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    pixels[index] = state >>> 24;
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 90 })
    .toBuffer();
};

/** The colour at a place of a picture, told as fractions of its width and height. */
async function colourAt(picture: Uint8Array, across: number, down: number): Promise<number[]> {
  const { data, info } = await sharp(picture).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const at = (Math.floor(down * info.height) * info.width + Math.floor(across * info.width)) * info.channels;
  return [...data.subarray(at, at + 3)];
}

function near(actual: readonly number[], expected: Rgb, message: string): void {
  const distance = Math.max(...expected.map((value, index) => Math.abs(value - (actual[index] ?? 0))));
  assert.ok(distance <= 12, `${message}: ${actual.join(',')} is not ${expected.join(',')}`);
}

const output = (outputs: ReadonlyMap<string, Buffer>, path: string): Buffer => {
  const body = outputs.get(path);
  if (body === undefined) throw new Error(`no ${path} among ${[...outputs.keys()].join(', ')}`);
  return body;
};

test('pictures of three formats become upright thumbnails, a sheet and an index', async () => {
  const upright = await quarters(640, 400);
  // Stored lying on its side, with the orientation that says so, a place, and an author.
  const turned = await sharp(upright)
    .rotate(270)
    .withExif({ IFD0: { Artist: 'canary-artist' }, IFD3: { GPSLatitude: '52/1 31/1 0/1' } })
    .withMetadata({ orientation: 6 })
    .jpeg({ quality: 95 })
    .toBuffer();
  assert.equal((await sharp(turned).metadata()).orientation, 6);
  const small = await sharp(await quarters(60, 90))
    .webp({ lossless: true })
    .toBuffer();
  const { code, outputs, everything, reports } = await runRegistered(REF, {
    inputs: { image_2: upright, image_1: turned, image_10: small },
    params: { width: 160, height: 160, columns: 2 },
  });
  assert.is(code, 0, everything);
  assert.is(reports.length, 4);
  assert.equal(
    [...outputs.keys()],
    ['thumb_1.webp', 'thumb_2.webp', 'thumb_10.webp', 'contact_sheet.png', 'index.json'],
  );
  for (const path of ['thumb_1.webp', 'thumb_2.webp']) {
    const thumbnail = output(outputs, path);
    const { format, width, height, exif, icc, xmp, orientation } = await sharp(thumbnail).metadata();
    assert.equal([format, width, height], ['webp', 160, 100]);
    assert.equal([exif, icc, xmp, orientation], [undefined, undefined, undefined, undefined]);
    assert.not.match(thumbnail.toString('latin1'), /canary|Exif/);
    near(await colourAt(thumbnail, 0.25, 0.25), RED, `${path} top left`);
    near(await colourAt(thumbnail, 0.75, 0.25), GREEN, `${path} top right`);
    near(await colourAt(thumbnail, 0.25, 0.75), BLUE, `${path} bottom left`);
    near(await colourAt(thumbnail, 0.75, 0.75), YELLOW, `${path} bottom right`);
  }
  const third = await sharp(output(outputs, 'thumb_10.webp')).metadata();
  assert.equal([third.width, third.height], [60, 90], 'a small picture is not enlarged');
  const { pictures } = JSON.parse(output(outputs, 'index.json').toString());
  assert.equal(
    pictures.map((entry: Record<string, unknown>) => [entry.input, entry.format, entry.width, entry.height]),
    [
      ['image_1', 'jpeg', 640, 400],
      ['image_2', 'png', 640, 400],
      ['image_10', 'webp', 60, 90],
    ],
  );
});

test('the contact sheet shows the pictures in order, each on a card', async () => {
  const plain = (colour: Rgb, width: number, height: number): Promise<Buffer> =>
    sharp({ create: { width, height, channels: 3, background: { r: colour[0], g: colour[1], b: colour[2] } } })
      .png()
      .toBuffer();
  const { outputs, everything } = await runRegistered(REF, {
    inputs: {
      image_1: await plain(RED, 200, 100),
      image_2: await plain(GREEN, 100, 200),
      image_3: await plain(BLUE, 200, 200),
    },
    params: { width: 100, height: 100, columns: 2, background: '#102030' },
  });
  const sheet = output(outputs, 'contact_sheet.png');
  const { width = 0, height = 0, hasAlpha } = await sharp(sheet).metadata();
  // Two cards of 100 + 2 x 10 pixels and three gaps of 16, each way.
  assert.equal([width, height, hasAlpha], [288, 288, false], everything);
  const at = (x: number, y: number): Promise<number[]> => colourAt(sheet, (x + 0.5) / width, (y + 0.5) / height);
  assert.equal(await at(2, 2), [16, 32, 48], 'the background of params');
  near(await at(76, 76), RED, 'first card');
  assert.equal(await at(76, 30), [255, 255, 255], 'paper above a wide picture');
  near(await at(212, 76), GREEN, 'second card');
  assert.equal(await at(170, 76), [255, 255, 255], 'paper beside a tall picture');
  near(await at(76, 212), BLUE, 'third card, in the second row');
  assert.equal(await at(212, 212), [16, 32, 48], 'no fourth card');
});

test('the same pictures give the same bytes', async () => {
  const inputs = { image_1: await noise(700, 500), image_2: await quarters(300, 300) };
  const first = await runRegistered(REF, { inputs });
  const second = await runRegistered(REF, { inputs });
  assert.is(first.code, 0, first.everything);
  assert.is(first.outputs.size, 4);
  for (const [path, body] of first.outputs) assert.ok(second.outputs.get(path)?.equals(body), `${path} differs`);
});

test('cover fills the box; transparency stays in the thumbnail and shows paper on the sheet', async () => {
  const clear = await sharp({
    create: { width: 90, height: 90, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } },
  })
    .png()
    .toBuffer();
  const { outputs, everything } = await runRegistered(REF, {
    inputs: { image_1: await quarters(300, 60), image_2: clear },
    params: { width: 80, height: 64, fit: 'cover' },
  });
  const first = await sharp(output(outputs, 'thumb_1.webp')).metadata();
  assert.equal([first.width, first.height, first.hasAlpha], [80, 64, false], everything);
  const second = await sharp(output(outputs, 'thumb_2.webp')).metadata();
  assert.equal([second.width, second.height, second.hasAlpha], [80, 64, true]);
  // Two cards of 100 by 84 side by side; the middle of the second.
  assert.equal(await colourAt(output(outputs, 'contact_sheet.png'), (132 + 50) / 248, 0.5), [255, 255, 255]);
});

test('a colour profile is applied, not dropped', async () => {
  // The full green of sRGB is 117, 251, 76 in Display P3, and that is what the file holds.
  const p3 = await sharp({ create: { width: 64, height: 64, channels: 3, background: { r: 0, g: 255, b: 0 } } })
    .withIccProfile('p3')
    .png()
    .toBuffer();
  const { outputs, everything } = await runRegistered(REF, { inputs: { image_1: p3 } });
  near(await colourAt(output(outputs, 'thumb_1.webp'), 0.5, 0.5), [0, 255, 0], everything);
});

test('what is no picture is bad input, by its name', async () => {
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>';
  const gif = Buffer.from('R0lGODlhAQABAIAAAAUEBAAAACwAAAAAAQABAAACAkQBADs=', 'base64');
  const good = await quarters(20, 20);
  for (const bytes of ['just text', '', svg, gif]) {
    const { code, error, outputs } = await runRegistered(REF, { inputs: { image_1: good, image_3: bytes } });
    assert.is(code, 65, error?.message);
    assert.is(error?.retryable, false);
    assert.match(error?.message ?? '', bytes === '' ? /"image_3" is empty/ : /"image_3" is no JPEG, PNG or WebP/);
    assert.not.ok(outputs.has('contact_sheet.png'));
  }
});

test('a picture cut short is bad input', async () => {
  const whole = await noise(400, 300);
  const { code, error } = await runRegistered(REF, { inputs: { image_1: whole.subarray(0, whole.length / 2) } });
  assert.is(code, 65);
  assert.match(error?.message ?? '', /"image_1" is a damaged jpeg picture/);
});

test('a decompression bomb is refused by its header', async () => {
  // 12000 x 12000 pixels of one colour: 144 megapixels in some hundred kilobytes.
  const bomb = await sharp({ create: { width: 12_000, height: 12_000, channels: 3, background: '#000' } })
    .png({ compressionLevel: 9 })
    .toBuffer();
  assert.ok(bomb.byteLength < 1_000_000);
  const { code, error } = await runRegistered(REF, { inputs: { image_1: bomb } });
  assert.is(code, 65);
  assert.is(error?.code, 'ERR_TOO_LARGE');
  assert.match(error?.message ?? '', /12000 x 12000 pixels, 144\.0 megapixels; at most 64/);
  const small = await runRegistered(REF, {
    inputs: { image_1: await quarters(1001, 1000) },
    params: { max_megapixels: 1 },
  });
  assert.is(small.error?.code, 'ERR_TOO_LARGE');
});

let its: TestStack;
test.before(async () => {
  its = await startRepositoryStack();
});
test.after(() => its.stop());

test('the example plan runs on the mock adapter', async () => {
  const upright = await quarters(320, 200);
  const { state, bytes } = await runExample(its, 'pictures', {
    '/artifacts/inputs/pictures/1.jpg': await sharp(upright).jpeg().toBuffer(),
    '/artifacts/inputs/pictures/2.png': upright,
    '/artifacts/inputs/pictures/3.webp': await sharp(upright).webp().toBuffer(),
  });
  assert.is(state.settled?.status, 'succeeded', failuresOf(state));
  const { width } = await sharp(await bytes('thumbnails/contact_sheet.png')).metadata();
  assert.is(width, 3 * 260 + 4 * 16);
});

test.run();
