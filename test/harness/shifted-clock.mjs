/** Preloaded into a process: its clock is off by ISOMORPH_TEST_CLOCK_SHIFT_MS, as that of a machine that is set wrong. */
const shiftMs = Number(process.env.ISOMORPH_TEST_CLOCK_SHIFT_MS);

globalThis.Date = new Proxy(Date, {
  construct: (real, given) => Reflect.construct(real, given.length === 0 ? [real.now() + shiftMs] : given),
  get: (real, name) => (name === 'now' ? () => real.now() + shiftMs : Reflect.get(real, name)),
});
