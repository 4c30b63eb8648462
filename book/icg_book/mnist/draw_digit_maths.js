// uses networks.js
// The maths of "draw a digit": strokes and what MNIST would have made of them, and maps of what the network goes by.

// `data` is what draw_digit.py gives to the page.
function drawDigitMaths(data) {
  const n = data.size, plane = n * n, network = openNetwork(data.network, n);
  const FINEST = 0.35, SLACK = 0.06, ERASER = 1.7; // units of the drawing: between points; of a stroke's shape; radius
  const GOOD = 4e-4; // error of a map, as a share of all of it

  // ---- drawings: strokes of points [x, y] in a square of n x n, in whole units of a code -----------------------------

  const whole = (v) => Math.round(Math.min(n, Math.max(0, v)) * data.perUnit) / data.perUnit;
  const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

  // Leave out the points that lie on the line between others (Douglas and Peucker), so that codes stay short.
  function simplify(stroke) {
    if (stroke.length < 3) return stroke;
    const a = stroke[0], b = stroke[stroke.length - 1];
    let far = 0, where = 0;
    for (let i = 1; i < stroke.length - 1; i++) {
      const d = distance(stroke[i][0], stroke[i][1], a, b);
      if (d > far) { far = d; where = i; }
    }
    if (far <= SLACK) return [a, b];
    return [...simplify(stroke.slice(0, where + 1)).slice(0, -1), ...simplify(stroke.slice(where))];
  }
  function distance(x, y, a, b) { // of a point to the line from a to b
    const u = b[0] - a[0], v = b[1] - a[1];
    const t = Math.min(1, Math.max(0, ((x - a[0]) * u + (y - a[1]) * v) / Math.max(u * u + v * v, 1e-12)));
    return Math.hypot(x - a[0] - t * u, y - a[1] - t * v);
  }
  function erase(strokes, at) { // a stroke that is cut in the middle becomes two
    const kept = [];
    for (const stroke of strokes) {
      const close = stroke.length === 1 ? apart(stroke[0], at) < ERASER : stroke.some((p, i) => i && distance(at[0], at[1], stroke[i - 1], p) < ERASER);
      if (!close) { kept.push(stroke); continue; }
      let piece = [];
      stroke.forEach((p, i) => {
        const parts = i ? Math.ceil(apart(stroke[i - 1], p) / FINEST) : 1;
        for (let k = 1; k <= parts; k++) {
          const q = i ? [0, 1].map((d) => whole(stroke[i - 1][d] + (p[d] - stroke[i - 1][d]) * k / parts)) : p;
          if (apart(q, at) >= ERASER) piece.push(q);
          else { if (piece.length > 1) kept.push(simplify(piece)); piece = []; }
        }
      });
      if (piece.length > 1) kept.push(simplify(piece));
    }
    return kept;
  }

  const lengthOf = (strokes) => strokes.flatMap((s) => s.slice(1).map((p, i) => apart(s[i], p))).reduce((a, b) => a + b, 0);
  function beginning(strokes, length) { // as far as a pen has come that has drawn this much
    const drawn = [];
    for (const stroke of strokes) {
      if (length <= 0) break;
      const part = [stroke[0]];
      for (let i = 1; i < stroke.length && length > 0; i++) {
        const d = apart(stroke[i - 1], stroke[i]), t = Math.min(1, length / d);
        part.push([0, 1].map((k) => stroke[i - 1][k] + t * (stroke[i][k] - stroke[i - 1][k])));
        length -= d;
      }
      drawn.push(part);
    }
    return drawn;
  }

  // What MNIST would have made of it: rasterise() of icg.scenarios.drawn_digits.
  function ink(lines) {
    const values = new Float64Array(plane).fill(Infinity), reach = data.radius + data.edge / 2;
    for (const [a, b] of lines) {
      const from = (d) => Math.max(0, Math.floor(Math.min(a[d], b[d]) - reach)), to = (d) => Math.min(n - 1, Math.ceil(Math.max(a[d], b[d]) + reach));
      for (let y = from(1); y <= to(1); y++) for (let x = from(0); x <= to(0); x++) {
        values[y * n + x] = Math.min(values[y * n + x], distance(x + 0.5, y + 0.5, a, b));
      }
    }
    return values.map((d) => Math.min(1, Math.max(0, (data.radius - d) / data.edge + 0.5)));
  }
  function rasterise(strokes) {
    const points = strokes.flat();
    if (!points.length) return { values: new Float64Array(plane), place: (p) => p };
    const low = [0, 1].map((d) => Math.min(...points.map((p) => p[d]))), high = [0, 1].map((d) => Math.max(...points.map((p) => p[d])));
    const scale = Math.min(data.largest, (data.box - 2 * data.radius - data.edge) / Math.max(high[0] - low[0], high[1] - low[1], 1e-9));
    const move = [0, 1].map((d) => data.centre - scale * (low[d] + high[d]) / 2), place = (p) => [p[0] * scale + move[0], p[1] * scale + move[1]];
    const lines = () => strokes.flatMap((stroke) => {
      const placed = stroke.map(place);
      return placed.length === 1 ? [[placed[0], placed[0]]] : placed.slice(1).map((p, i) => [placed[i], p]);
    });
    const mass = [0, 0, 0];
    ink(lines()).forEach((v, i) => { mass[0] += v * (i % n + 0.5); mass[1] += v * (Math.floor(i / n) + 0.5); mass[2] += v; });
    move[0] += data.centre - mass[0] / mass[2];
    move[1] += data.centre - mass[1] / mass[2];
    // As float32, like the tensor in Python.
    return { values: Float64Array.from(new Float32Array(ink(lines()))), place, scale };
  }

  // ---- the map -------------------------------------------------------------------------------------------------------

  const input = (values, certainty) => {
    const joined = new Float64Array(2 * plane);
    joined.set(values);
    return joined.fill(certainty, plane);
  };
  const read = (values, certainty) => softmax(network.forward(input(values, certainty === undefined ? 1 : certainty)));

  const GAUSS = [[0.0694318442029737, 0.1739274225687269], [0.3300094782075719, 0.3260725774312731],
    [0.6699905217924281, 0.3260725774312731], [0.9305681557970263, 0.1739274225687269]];

  // Gradients along the path of a method, collected behind the layers that are straight along it: what those make of a
  // point of the path lies between what they make of its ends. So they are asked twice, and once on the way back.
  // refine() cuts the piece of the path that is worst integrated, until all are good or the time is over.
  function attribute(values, method, target) {
    const start = method === 0 ? input(values, 0) : input(new Float64Array(plane), 1), end = input(values, 1);
    const here = network.forward(start, 0, network.straight).slice(), there = network.forward(end, 0, network.straight).slice();
    const way = there.map((v, i) => v - here[i]), point = new Float64Array(way.length);
    const job = { from: 0, to: 0, gradients: 0, done: false, map: null, sum: 0 };
    const at = (share) => {
      for (let i = 0; i < point.length; i++) point[i] = here[i] + share * way[i];
      return softmax(network.forward(point, network.straight));
    };
    function measure(a, b, pa, pb) {
      const sum = new Float64Array(way.length);
      for (const [node, weight] of GAUSS) {
        const p = at(a + node * (b - a)), seed = p.map((v, k) => p[target] * ((k === target ? 1 : 0) - v));
        const slope = network.backward(seed, network.straight);
        for (let i = 0; i < sum.length; i++) sum[i] += weight * (b - a) * slope[i];
      }
      job.gradients += GAUSS.length;
      let change = 0;
      for (let i = 0; i < sum.length; i++) change += sum[i] * way[i];
      return { a, b, pa, pb, sum, change, error: Math.abs(change - (pb - pa)) };
    }
    function collect() {
      const total = new Float64Array(way.length);
      for (const { sum } of pieces) for (let i = 0; i < total.length; i++) total[i] += sum[i];
      const slope = network.backward(total, 0, network.straight);
      job.map = new Float64Array(plane);
      for (let i = 0; i < 2 * plane; i++) job.map[i % plane] += (end[i] - start[i]) * slope[i];
      job.sum = job.map.reduce((a, b) => a + b, 0);
    }
    const cuts = method === 0 ? [0, 0.5, 1] : [0, 0.1, 0.3, 1], p = cuts.map((share) => at(share)[target]);
    const pieces = cuts.slice(1).map((b, i) => measure(cuts[i], b, p[i], p[i + 1]));
    // Error that nothing is known of yet: a gap may be small by chance, so every first piece is cut at least once.
    for (const piece of pieces) piece.error += 0.01;
    job.from = p[0];
    job.to = p[p.length - 1];
    job.refine = (until) => {
      while (!job.done && performance.now() < until) {
        const worst = pieces.reduce((a, b) => (a.error > b.error ? a : b)), { a, b, pa, pb } = worst;
        if (worst.error < GOOD || b - a < 1e-4 || pieces.length > 300) { job.done = true; break; }
        const middle = (a + b) / 2, pm = at(middle)[target], halves = [measure(a, middle, pa, pm), measure(middle, b, pm, pb)];
        let off = 0;
        for (let i = 0; i < way.length; i++) off += Math.abs((worst.sum[i] - halves[0].sum[i] - halves[1].sum[i]) * way[i]);
        for (const half of halves) half.error = Math.max(half.error, off / 32); // Gauss: halves are far better than that
        pieces.splice(pieces.indexOf(worst), 1, ...halves);
      }
      collect();
      return job;
    };
    return job;
  }

  // Sums of the positive and the negative part, and the share of the map that lies where there is no ink.
  function split(values, picture) {
    const parts = { plus: 0, minus: 0, empty: 0 };
    values.forEach((v, i) => {
      parts[v > 0 ? "plus" : "minus"] += Math.abs(v);
      if (!picture[i]) parts.empty += Math.abs(v);
    });
    parts.empty /= Math.max(parts.plus + parts.minus, 1e-12);
    return parts;
  }

  return { network, whole, apart, simplify, erase, lengthOf, beginning, rasterise, read, attribute, split, FINEST, ERASER };
}
