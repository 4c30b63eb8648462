// uses packed.js
// uses credit_kernel.js
// The playground's network, forward and backward, written for this one architecture (BurntSnacksSmallNet): three
// convolutions on a 25 x 25 grid, evidence that adds up, and a term of the mean features. `SIDE` is in scene_maths.js.
//
// Channels lie innermost, so that one place's features are neighbours in memory; every table has a rim of zeros, so that
// no convolution asks where the picture ends.

const GRID = 25, PLACES = GRID * GRID;

function grown([top, left, bottom, right], by) {
  return [Math.max(0, top - by), Math.max(0, left - by), Math.min(GRID, bottom + by), Math.min(GRID, right + by)];
}

function openCredit(packed, inPlainScript) {
  const EVERYWHERE = [0, 0, GRID, GRID], kernel = openKernel(1 << 20, inPlainScript);
  const numbers = (length) => kernel.room(Float32Array, length), kept = (values) => { const room = numbers(values.length); room.set(values); return room; };

  // A table of GRID x GRID places with a rim; `at` is where a place begins.
  function table(channels, rim) {
    const wide = GRID + 2 * rim;
    return { channels, rim, wide, values: numbers(wide * wide * channels), at: (r, q) => ((r + rim) * wide + q + rim) * channels };
  }
  // y = weights * (what stands around each place of x) + bias, for the places of a box [top, left, bottom, right].
  function convolve(x, y, { taps, weights, bias, stride, floor }, [top, left, bottom, right]) {
    const sweep = kernel.sweep(y.channels), from = x.values.byteOffset, to = y.values.byteOffset;
    for (let r = top; r < bottom; r++) {
      sweep(from + 4 * (stride === 2 ? 2 * (r * x.wide + left) * x.channels : x.at(r, left)), taps.byteOffset, taps.byteOffset + 4 * taps.length, 4 * x.channels,
        weights.byteOffset, bias.byteOffset, to + 4 * y.at(r, left), to + 4 * y.at(r, right), 4 * stride * x.channels, floor);
    }
  }
  const plain = (layer) => { // 16-bit whole numbers, with a unit for each row
    const whole = new Int16Array(unpack(layer.weights, 2 * layer.columns * layer.bias.length).buffer);
    return { weights: Float64Array.from(whole, (w, i) => w * layer.units[Math.floor(i / layer.columns)]), bias: Float64Array.from(layer.bias) };
  };
  const [front, middle, back, evidence, hidden, last] = packed.map(plain);
  const widths = [front, middle, back].map(({ bias }) => bias.length), [A, B, C] = widths, D = hidden.bias.length;

  // PyTorch keeps weights as (out, in, row, column); `turned` is the way back: out and in change places, taps the sign.
  function shaped({ weights, bias }, n, side, turned) {
    const m = bias.length, taps = side * side, found = new Float32Array(weights.length);
    for (let o = 0, at = 0; o < m; o++) for (let i = 0; i < n; i++) for (let t = 0; t < taps; t++, at++) {
      found[turned ? ((taps - 1 - t) * m + o) * n + i : (t * n + i) * m + o] = weights[at];
    }
    return kept(found);
  }
  const offsets = (list) => { const room = kernel.room(Int32Array, list.length); room.set(list.map((v) => 4 * v)); return room; }; // in bytes
  const around = (x, by) => offsets([-1, -1, -1, 0, 0, 0, 1, 1, 1].map((r, i) => by * (r * x.wide + i % 3 - 1) * x.channels));

  // ---- forward: input (values times certainty, certainty) -> h1 -> h2 -> h3 -> evidence e, and two sums --------------

  const WIDE = SIDE + 2; // with a rim of one pixel
  const x = { channels: 2, wide: WIDE, values: numbers(WIDE * WIDE * 2) };
  const [h1, h2, h3] = [table(A, 1), table(B, 2), table(C, 0)];
  const layer1 = { taps: offsets(Array.from({ length: 16 }, (_, t) => 2 * (Math.floor(t / 4) * WIDE + t % 4))), weights: shaped(front, 2, 4), bias: kept(front.bias), stride: 2, floor: 0 };
  const layer2 = { taps: around(h1, 1), weights: shaped(middle, A, 3), bias: kept(middle.bias), stride: 1, floor: 0 };
  const layer3 = { taps: around(h2, 2), weights: shaped(back, B, 3), bias: kept(back.bias), stride: 1, floor: 0 };
  const e = new Float64Array(PLACES), soft = new Float64Array(PLACES), sums = new Float64Array(C);
  let s = 0;

  // Sums over places are kept up to date: what a box held is taken away before it is asked again.
  function features(box, sign) {
    for (let r = box[0]; r < box[2]; r++) for (let q = box[1]; q < box[3]; q++) {
      const first = h3.at(r, q), place = r * GRID + q;
      if (sign > 0) {
        let v = evidence.bias[0];
        for (let k = 0; k < C; k++) v += evidence.weights[k] * h3.values[first + k];
        e[place] = v;
        soft[place] = v > 20 ? v : Math.log1p(Math.exp(v));
      }
      for (let k = 0; k < C; k++) sums[k] += sign * h3.values[first + k];
      s += sign * soft[place];
    }
  }
  const unit = new Float64Array(D);
  function odds() {
    const total = Math.max(s, 1e-6);
    let whole = last.bias[0];
    for (let d = 0; d < D; d++) {
      let v = hidden.bias[d];
      for (let k = 0; k < C; k++) v += hidden.weights[d * C + k] * sums[k] / PLACES;
      unit[d] = v;
      if (v > 0) whole += last.weights[d] * v;
    }
    return total + Math.log(-Math.expm1(-total)) + whole;
  }
  // Behind the first convolution, in a box; all of it by default.
  function onward(box) {
    const wide = box ? grown(box, 1) : EVERYWHERE, wider = box ? grown(box, 3) : EVERYWHERE;
    if (box) features(wider, -1);
    else { sums.fill(0); s = 0; }
    convolve(h1, h2, layer2, wide);
    convolve(h2, h3, layer3, wider);
    features(wider, 1);
    return 1 / (1 + Math.exp(-odds()));
  }
  function put(values, certainty) {
    for (let i = 0; i < PLANE; i++) {
      const at = 2 * ((Math.floor(i / SIDE) + 1) * WIDE + i % SIDE + 1), known = typeof certainty === "number" ? certainty : certainty[i];
      x.values[at] = values[i] * known;
      x.values[at + 1] = known;
    }
  }
  function probability(values, certainty) {
    put(values, certainty);
    convolve(x, h1, layer1, EVERYWHERE);
    return onward();
  }

  // ---- backward: the derivative of the probability, by what the first convolution gives out --------------------------

  const [d1, d2, d3] = [table(A, 0), table(B, 1), table(C, 2)];
  const zeros = numbers(64);
  const back3 = { taps: around(d3, 2), weights: shaped(back, B, 3, true), bias: zeros, stride: 1, floor: -Infinity };
  const back2 = { taps: around(d2, 1), weights: shaped(middle, A, 3, true), bias: zeros, stride: 1, floor: -Infinity };
  function masked(d, h) { // nothing comes back through a ReLU that was shut
    for (let r = 0; r < GRID; r++) for (let q = 0; q < GRID; q++) {
      for (let k = 0, i = d.at(r, q), j = h.at(r, q); k < d.channels; k++) if (h.values[j + k] === 0) d.values[i + k] = 0;
    }
  }
  function slope(p) {
    const byOdds = p * (1 - p), byEvidence = s > 1e-6 ? byOdds / -Math.expm1(-s) : 0, byMean = new Float64Array(C);
    for (let d = 0; d < D; d++) if (unit[d] > 0) for (let k = 0; k < C; k++) byMean[k] += byOdds * last.weights[d] * hidden.weights[d * C + k] / PLACES;
    for (let r = 0; r < GRID; r++) for (let q = 0; q < GRID; q++) {
      const i = d3.at(r, q), j = h3.at(r, q), ours = byEvidence / (1 + Math.exp(-e[r * GRID + q]));
      for (let k = 0; k < C; k++) d3.values[i + k] = h3.values[j + k] > 0 ? ours * evidence.weights[k] + byMean[k] : 0;
    }
    convolve(d3, d2, back3, EVERYWHERE);
    masked(d2, h2);
    convolve(d2, d1, back2, EVERYWHERE);
    masked(d1, h1);
    return d1.values;
  }

  // ---- straight paths: behind the first convolution, before its ReLU, they are straight still ------------------------

  const raw = table(A, 0), rawLayer = { ...layer1, floor: -Infinity };
  function ahead(values, certainty) { // what the first convolution makes of an input, before its ReLU
    put(values, certainty);
    convolve(x, raw, rawLayer, EVERYWHERE);
    return raw.values.slice();
  }
  // Probability at a share of the way; slope(p) then is the gradient there.
  function along(from, to, share) {
    for (let r = 0, i = 0; r < GRID; r++) for (let q = 0; q < GRID; q++) {
      for (let k = 0, j = h1.at(r, q); k < A; k++, i++, j++) {
        const v = from[i] + share * (to[i] - from[i]);
        h1.values[j] = v > 0 ? v : 0;
      }
    }
    return onward();
  }
  // A gradient behind the first convolution, brought back to the pixels: [by values times certainty, by certainty].
  function toPixels(gradient) {
    const wide = new Float64Array(WIDE * WIDE * 2), found = [new Float64Array(PLANE), new Float64Array(PLANE)];
    for (let r = 0, i = 0; r < GRID; r++) for (let q = 0; q < GRID; q++, i += A) {
      const base = (2 * r * WIDE + 2 * q) * 2;
      for (let t = 0, at = 0; t < 16; t++) for (let c = 0; c < 2; c++, at += A) {
        let v = 0;
        for (let k = 0; k < A; k++) v += gradient[i + k] * layer1.weights[at + k];
        wide[base + (layer1.taps[t] >> 2) + c] += v;
      }
    }
    for (let y = 0, i = 0; y < SIDE; y++) for (let u = 0; u < SIDE; u++, i++) {
      const at = 2 * ((y + 1) * WIDE + u + 1);
      found[0][i] = wide[at];
      found[1][i] = wide[at + 1];
    }
    return found;
  }

  // ---- coalitions: in an order in which neighbours differ by one player (Gray code), and only its surroundings are asked

  // The game at hand: reset, then toggle players one by one.
  function game(values, groups, n) {
    const boxes = Array.from({ length: n }, () => [SIDE, SIDE, 0, 0]), pixels = Array.from({ length: n }, () => []);
    groups.forEach((player, i) => {
      const y = Math.floor(i / SIDE), u = i % SIDE, box = boxes[player];
      boxes[player] = [Math.min(box[0], y), Math.min(box[1], u), Math.max(box[2], y), Math.max(box[3], u)];
      pixels[player].push(i);
    });
    // Place r of the grid sees the rows 2 r - 1 to 2 r + 2.
    const places = boxes.map(([top, left, bottom, right]) => [Math.max(0, Math.ceil((top - 2) / 2)), Math.max(0, Math.ceil((left - 2) / 2)),
      Math.min(GRID, Math.floor((bottom + 1) / 2) + 1), Math.min(GRID, Math.floor((right + 1) / 2) + 1)]);
    const known = new Uint8Array(n);
    return {
      empty: () => { known.fill(0); return probability(values, 0); },
      toggle(player) {
        const now = (known[player] = 1 - known[player]);
        for (const i of pixels[player]) {
          const at = 2 * ((Math.floor(i / SIDE) + 1) * WIDE + i % SIDE + 1);
          x.values[at] = now * values[i];
          x.values[at + 1] = now;
        }
        convolve(x, h1, layer1, places[player]);
        return onward(places[player]);
      },
    };
  }

  return { probability, ahead, along, slope, toPixels, game, wasm: kernel.wasm };
}
