// The one loop that takes nearly all the time, twice: as a WebAssembly module that is put together here, byte by byte, and
// asks four outputs at once; and in plain JavaScript, for where that may not run (three to four times slower).
//
// sweep(from, taps, tapsEnd, n, weights, bias, to, toEnd, step, floor): for places in a row, `step` bytes apart in `from`
// and `m` numbers in `to`, the outputs bias + weights * (the `n` bytes of channels at each tap), at least `floor`. All are
// addresses in bytes; the weights are (tap, channel in, channel out).

function assembleSweep(m) {
  const leb = (n) => (n < 128 ? [n] : [n & 127 | 128, ...leb(n >>> 7)]), sleb = (n) => (n >= -64 && n < 64 ? [n & 127] : [n & 127 | 128, ...sleb(n >> 7)]);
  const list = (items) => [...leb(items.length), ...items.flat()], section = (id, bytes) => [id, ...leb(bytes.length), ...bytes];
  const I32 = 0x7f, F32 = 0x7d, V128 = 0x7b, vectors = m / 4;
  const [FROM, TAPS, TAPS_END, N, WEIGHTS, BIAS, TO, TO_END, STEP, FLOOR, AT, END, W, TAP, V] = Array.from({ length: 15 }, (_, i) => i), ACC = 15;
  const get = (i) => [0x20, i], set = (i) => [0x21, i], add = [0x6a], constant = (n) => [0x41, ...sleb(n)];
  const simd = (op, ...rest) => [0xfd, ...leb(op), ...rest], load = (offset) => simd(0, 2, ...leb(offset)), store = (offset) => simd(11, 2, ...leb(offset));
  const splatLoad = simd(9, 2, 0), splat = simd(0x13), plus = simd(0xe4), times = simd(0xe6), most = simd(0xe9);
  const each = (code) => Array.from({ length: vectors }, (_, k) => code(k)).flat();
  const forward = (i, by) => [...get(i), ...by, ...add, ...set(i)];
  const loop = (body, i, end) => [0x03, 0x40, ...body, ...get(i), ...get(end), 0x49, 0x0d, 0, 0x0b]; // do … while (i < end)
  const channel = [...get(AT), ...splatLoad, ...set(V),
    ...each((k) => [...get(ACC + k), ...get(V), ...get(W), ...load(16 * k), ...times, ...plus, ...set(ACC + k)]),
    ...forward(W, constant(4 * m)), ...forward(AT, constant(4))];
  const tap = [...get(FROM), ...get(TAP), 0x28, 2, 0, ...add, ...set(AT), ...get(AT), ...get(N), ...add, ...set(END),
    ...loop(channel, AT, END), ...forward(TAP, constant(4))];
  const place = [...each((k) => [...get(BIAS), ...load(16 * k), ...set(ACC + k)]), ...get(WEIGHTS), ...set(W), ...get(TAPS), ...set(TAP),
    ...loop(tap, TAP, TAPS_END),
    ...get(FLOOR), ...splat, ...set(V), ...each((k) => [...get(TO), ...get(ACC + k), ...get(V), ...most, ...store(16 * k)]),
    ...forward(FROM, get(STEP)), ...forward(TO, constant(4 * m))];
  const locals = list([[4, I32], [...leb(1 + vectors), V128]]), code = [...locals, ...loop(place, TO, TO_END), 0x0b];
  const name = (text) => list(Array.from(text, (c) => [c.charCodeAt(0)]));
  return Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, list([[0x60, ...list([...Array(9).fill([I32]), [F32]]), 0]])), // one type
    ...section(2, list([[...name("page"), ...name("memory"), 2, 0, 1]])),
    ...section(3, list([[0]])),
    ...section(7, list([[...name("sweep"), 0, 0]])),
    ...section(10, list([[...leb(code.length), ...code]]))]);
}

// The same in plain JavaScript, on views of the same memory; eight outputs at a time stay in registers.
function plainSweep(m, buffer) {
  const numbers = new Float32Array(buffer), whole = new Int32Array(buffer);
  return (from, taps, tapsEnd, n, weights, bias, to, toEnd, step, floor) => {
    for (from >>= 2, to >>= 2, bias >>= 2; to < toEnd >> 2; from += step >> 2, to += m) for (let j = 0; j < m; j += 8) {
      let a = numbers[bias + j], b = numbers[bias + j + 1], c = numbers[bias + j + 2], d = numbers[bias + j + 3];
      let e = numbers[bias + j + 4], f = numbers[bias + j + 5], g = numbers[bias + j + 6], h = numbers[bias + j + 7];
      let k = (weights >> 2) + j;
      for (let t = taps >> 2; t < tapsEnd >> 2; t++) {
        const first = from + (whole[t] >> 2);
        for (let i = first; i < first + (n >> 2); i++, k += m) {
          const v = numbers[i];
          if (v === 0) continue; // half of all features are zero behind a ReLU
          a += v * numbers[k]; b += v * numbers[k + 1]; c += v * numbers[k + 2]; d += v * numbers[k + 3];
          e += v * numbers[k + 4]; f += v * numbers[k + 5]; g += v * numbers[k + 6]; h += v * numbers[k + 7];
        }
      }
      [a, b, c, d, e, f, g, h].forEach((v, k) => { numbers[to + j + k] = Math.max(v, floor); });
    }
  };
}

// A memory of so many bytes, room in it, and `sweep(m)`. `plain` asks for plain JavaScript.
function openKernel(bytes, plain) {
  let memory = null, used = 16;
  const sweeps = new Map();
  try {
    if (!plain) {
      memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536) });
      new WebAssembly.Module(assembleSweep(8)); // refused where SIMD is not known, or by a page's rules
    }
  } catch (error) { memory = null; }
  const buffer = memory ? memory.buffer : new ArrayBuffer(bytes);
  return {
    wasm: memory !== null,
    room(Kind, length) { // of 32-bit numbers
      const at = used;
      used += 16 * Math.ceil(length / 4);
      return new Kind(buffer, at, length);
    },
    sweep(m) {
      if (!sweeps.has(m)) sweeps.set(m, memory ? new WebAssembly.Instance(new WebAssembly.Module(assembleSweep(m)), { page: { memory } }).exports.sweep : plainSweep(m, buffer));
      return sweeps.get(m);
    },
  };
}
