// uses packed.js
// Small networks in the page, forward and backward; networks.py packs them. Layers come one after the other, on `channels`
// square maps of `side` each. Every layer keeps what comes in (x) and goes out (y) and the derivatives by both (dx, dy).

// (n, k) times the transpose of (m, k), both row by row: (n, m). Four rows by two at a time keep the processor busy; at the
// edge the last one is done again.
function multiply(a, b, out, n, m, k) {
  for (let i = 0; i < n; i += 4) {
    const i1 = Math.min(i + 1, n - 1), i2 = Math.min(i + 2, n - 1), i3 = Math.min(i + 3, n - 1), r0 = i * k, r1 = i1 * k, r2 = i2 * k, r3 = i3 * k;
    for (let j = 0; j < m; j += 2) {
      const j1 = Math.min(j + 1, m - 1), c0 = j * k, c1 = j1 * k;
      let s00 = 0, s10 = 0, s20 = 0, s30 = 0, s01 = 0, s11 = 0, s21 = 0, s31 = 0;
      for (let l = 0; l < k; l++) {
        const u = b[c0 + l], v = b[c1 + l], a0 = a[r0 + l], a1 = a[r1 + l], a2 = a[r2 + l], a3 = a[r3 + l];
        s00 += a0 * u; s10 += a1 * u; s20 += a2 * u; s30 += a3 * u;
        s01 += a0 * v; s11 += a1 * v; s21 += a2 * v; s31 += a3 * v;
      }
      out[i * m + j] = s00; out[i1 * m + j] = s10; out[i2 * m + j] = s20; out[i3 * m + j] = s30;
      out[i * m + j1] = s01; out[i1 * m + j1] = s11; out[i2 * m + j1] = s21; out[i3 * m + j1] = s31;
    }
  }
}
function transposed(values, n, m, out) { // (n, m) to (m, n)
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) out[j * n + i] = values[i * m + j];
  return out;
}

const LAYERS = {
  gate: { // values times certainty, and certainty
    size: (from) => from,
    forward({ x, y }) { const n = x.length / 2; for (let i = 0; i < n; i++) { y[i] = x[i] * x[n + i]; y[n + i] = x[n + i]; } },
    backward({ x, dx, dy }) { const n = x.length / 2; for (let i = 0; i < n; i++) { dx[i] = dy[i] * x[n + i]; dx[n + i] = dy[n + i] + dy[i] * x[i]; } },
  },
  relu: {
    size: (from) => from,
    forward({ x, y }) { for (let i = 0; i < x.length; i++) y[i] = x[i] > 0 ? x[i] : 0; },
    backward({ x, dx, dy }) { for (let i = 0; i < x.length; i++) dx[i] = x[i] > 0 ? dy[i] : 0; },
  },
  tanh: {
    size: (from) => from,
    forward({ x, y }) { for (let i = 0; i < x.length; i++) y[i] = Math.tanh(x[i]); },
    backward({ y, dx, dy }) { for (let i = 0; i < y.length; i++) dx[i] = dy[i] * (1 - y[i] * y[i]); },
  },
  silu: { // x times the logistic function of x, which is kept for the way back
    size: (from) => from,
    open(layer) { layer.logistic = new Float64Array(layer.x.length); },
    forward({ x, y, logistic: s }) { for (let i = 0; i < x.length; i++) y[i] = x[i] * (s[i] = 1 / (1 + Math.exp(-x[i]))); },
    backward({ x, dx, dy, logistic: s }) { for (let i = 0; i < x.length; i++) dx[i] = dy[i] * s[i] * (1 + x[i] * (1 - s[i])); },
  },
  linear: {
    size: (from, { bias }) => ({ channels: bias.length, side: 1 }),
    forward({ x, y, weights, bias }) {
      for (let j = 0, at = 0; j < y.length; j++) {
        let sum = bias[j];
        for (let i = 0; i < x.length; i++, at++) sum += weights[at] * x[i];
        y[j] = sum;
      }
    },
    backward({ dx, dy, weights }) {
      dx.fill(0);
      for (let j = 0, at = 0; j < dy.length; j++) for (let i = 0; i < dx.length; i++, at++) dx[i] += weights[at] * dy[j];
    },
  },
  pad: { // zeros around
    size: ({ channels, side }, { before, after }) => ({ channels, side: before + side + after }),
    forward(layer) { inside(layer, (from, to) => { layer.y[to] = layer.x[from]; }); },
    backward(layer) { inside(layer, (from, to) => { layer.dx[from] = layer.dy[to]; }); },
  },
  conv: {
    size: ({ side }, { bias, size }) => ({ channels: bias.length, side: side - size + 1 }),
    // Every place of the window as a row of its pixels: then a convolution is one product of two tables.
    open(layer) {
      const { from, to, size, columns, bias } = layer, places = to.side ** 2;
      layer.rows = new Float64Array(places * columns);
      layer.places = new Float64Array(places * bias.length);
      layer.across = transposed(layer.weights, bias.length, columns, new Float64Array(layer.weights.length));
      layer.seen = new Int32Array(places * columns); // which pixel stands where in the rows
      for (let y = 0, at = 0; y < to.side; y++) for (let x = 0; x < to.side; x++) for (let c = 0; c < from.channels; c++) {
        for (let dy = 0; dy < size; dy++) for (let dx = 0; dx < size; dx++) layer.seen[at++] = (c * from.side + y + dy) * from.side + x + dx;
      }
    },
    forward({ x, y, weights, bias, columns, rows, seen }) {
      for (let i = 0; i < rows.length; i++) rows[i] = x[seen[i]];
      const places = rows.length / columns;
      multiply(weights, rows, y, bias.length, places, columns);
      for (let o = 0, at = 0; o < bias.length; o++) for (let i = 0; i < places; i++) y[at++] += bias[o];
    },
    backward({ dx, dy, across, bias, columns, rows, places, seen }) {
      const n = rows.length / columns;
      multiply(transposed(dy, bias.length, n, places), across, rows, n, columns, bias.length);
      dx.fill(0);
      for (let i = 0; i < rows.length; i++) dx[seen[i]] += rows[i];
    },
  },
  pool: { // the largest, or the mean, of each block; what is left over at the edge is not seen
    size: ({ channels, side }, { size }) => ({ channels, side: Math.floor(side / size) }),
    open(layer) { layer.chosen = new Int32Array(layer.y.length); },
    forward({ x, y, from, to, size, mean, chosen }) {
      for (let c = 0, at = 0; c < to.channels; c++) for (let v = 0; v < to.side; v++) for (let u = 0; u < to.side; u++, at++) {
        let most = -Infinity, sum = 0;
        for (let dv = 0; dv < size; dv++) for (let du = 0; du < size; du++) {
          const i = (c * from.side + v * size + dv) * from.side + u * size + du;
          sum += x[i];
          if (x[i] > most) { most = x[i]; chosen[at] = i; }
        }
        y[at] = mean ? sum / (size * size) : most;
      }
    },
    backward({ dx, dy, from, to, size, mean, chosen }) {
      dx.fill(0);
      if (!mean) { for (let at = 0; at < dy.length; at++) dx[chosen[at]] += dy[at]; return; }
      for (let c = 0, at = 0; c < to.channels; c++) for (let v = 0; v < to.side; v++) for (let u = 0; u < to.side; u++, at++) {
        const share = dy[at] / (size * size);
        for (let dv = 0; dv < size; dv++) for (let du = 0; du < size; du++) dx[(c * from.side + v * size + dv) * from.side + u * size + du] = share;
      }
    },
  },
};
function inside({ from, to, before }, copy) {
  for (let c = 0; c < from.channels; c++) for (let y = 0; y < from.side; y++) for (let x = 0; x < from.side; x++) {
    copy((c * from.side + y) * from.side + x, (c * to.side + y + before) * to.side + x + before);
  }
}

// A packed network for square inputs of `side`. What it gives out stays in its buffers: copy what is to be kept.
// `straight` is the number of layers at the front along which a straight path of values, or of certainties, stays straight.
function openNetwork(packed, side) {
  let from = { channels: packed.channels, side }, x = new Float64Array(from.channels * side * side), dx = x.slice();
  const layers = packed.layers.map((plain) => {
    const kind = LAYERS[plain.kind], layer = { ...plain, from, x, dx };
    if (plain.weights) { // 16-bit whole numbers, with a unit for each row
      const whole = new Int16Array(unpack(plain.weights, 2 * plain.columns * plain.bias.length).buffer);
      layer.weights = new Float64Array(whole.length);
      for (let i = 0; i < whole.length; i++) layer.weights[i] = whole[i] * plain.units[Math.floor(i / plain.columns)];
    }
    layer.to = from = kind.size(from, plain);
    layer.y = x = new Float64Array(from.channels * from.side * from.side);
    layer.dy = dx = x.slice();
    if (kind.open) kind.open(layer);
    return layer;
  });
  const curved = layers.findIndex((l) => ["relu", "tanh", "silu"].includes(l.kind) || (l.kind === "pool" && !l.mean));
  const network = {
    ...packed, layers, straight: curved < 0 ? layers.length : curved,
    // From the input of layer `first` to the output of layer `last` - 1.
    forward(input, first = 0, last = layers.length) {
      if (first === last) return input;
      layers[first].x.set(input);
      for (let k = first; k < last; k++) LAYERS[layers[k].kind].forward(layers[k]);
      return layers[last - 1].y;
    },
    // The derivative by the input of layer `first`, from the one by the output of layer `last` - 1, after `forward`.
    backward(derivative, first = 0, last = layers.length) {
      if (first === last) return derivative;
      layers[last - 1].dy.set(derivative);
      for (let k = last - 1; k >= first; k--) LAYERS[layers[k].kind].backward(layers[k]);
      return layers[first].dx;
    },
  };
  return network;
}

function softmax(logits) {
  const most = Math.max(...logits), exp = Array.from(logits, (v) => Math.exp(v - most));
  const total = exp.reduce((a, b) => a + b);
  return exp.map((e) => e / total);
}
