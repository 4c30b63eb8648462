// uses networks.js
// The maths of "fair shares": outlines of players, measures, and a picture whose coalitions the page asks a network about.

// ---- players in a picture: `groups` has the player of each pixel, row by row -----------------------------------------

// An SVG path around each player, along the edges of its pixels, and its box [left, top, right, bottom].
function outlinesOf(groups, width, height, n) {
  const found = Array.from({ length: n }, () => ({ edge: "", area: "", box: [width, height, 0, 0] }));
  const at = (x, y) => (x < 0 || y < 0 || x >= width || y >= height ? -1 : groups[y * width + x]);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    const own = found[at(x, y)];
    if (!own) continue;
    if (at(x, y - 1) !== at(x, y)) own.edge += "M" + x + " " + y + "h1";
    if (at(x, y + 1) !== at(x, y)) own.edge += "M" + x + " " + (y + 1) + "h1";
    if (at(x - 1, y) !== at(x, y)) own.edge += "M" + x + " " + y + "v1";
    if (at(x + 1, y) !== at(x, y)) own.edge += "M" + (x + 1) + " " + y + "v1";
    own.area += "M" + x + " " + y + "h1v1h-1z";
    own.box = [Math.min(own.box[0], x), Math.min(own.box[1], y), Math.max(own.box[2], x + 1), Math.max(own.box[3], y + 1)];
  }
  return found;
}

// ---- the measures of icg.fairness ------------------------------------------------------------------------------------

const sumOf = (values) => values.reduce((a, b) => a + b, 0);
function distanceFrom(shares, fair) {
  return sumOf(shares.map((v, i) => Math.abs(v - fair[i]))) / sumOf(fair.map(Math.abs));
}
function correlationWith(shares, fair) { // null where one of the two is the same for all
  const off = (values) => {
    const above = values.map((v) => v - Math.min(...values)), mean = sumOf(above) / above.length; // exactly 0 if all are the same
    return above.map((v) => v - mean);
  };
  const a = off(shares), b = off(fair), size = Math.sqrt(sumOf(a.map((v) => v * v)) * sumOf(b.map((v) => v * v)));
  return size > 0 ? Math.min(1, Math.max(-1, sumOf(a.map((v, i) => v * b[i])) / size)) : null;
}

// ---- live: blocks of a small picture as players -----------------------------------------------------------------------

function liveMaths(live) {
  const side = live.size, plane = side * side, n = live.names.length, all = 1 << n;
  const network = openNetwork(live.network, side), groups = live.groups;
  const factorial = (k) => (k < 2 ? 1 : k * factorial(k - 1));
  const weights = Array.from({ length: n }, (_, size) => factorial(size) * factorial(n - size - 1) / factorial(n));
  const sizeOf = (mask) => { let size = 0; for (let m = mask; m; m &= m - 1) size++; return size; };
  const joined = (values, known) => {
    const input = new Float64Array(2 * plane);
    input.set(values);
    for (let i = 0; i < plane; i++) input[plane + i] = known(i);
    return input;
  };
  const says = (values, mask) => softmax(network.forward(joined(values, (i) => (mask >> groups[i]) & 1)));

  function shapley(table) {
    const shares = new Array(n).fill(0);
    for (let mask = 0; mask < all; mask++) {
      const weight = weights[sizeOf(mask)];
      for (let i = 0; i < n; i++) if (!((mask >> i) & 1)) shares[i] += weight * (table[mask | (1 << i)] - table[mask]);
    }
    return shares;
  }
  const byPlayer = (map) => {
    const shares = new Array(n).fill(0);
    for (let i = 0; i < plane; i++) shares[groups[i]] += map[i];
    return shares;
  };

  // The gradient by the network's input at certain points of a straight path, added up: the middle rule. Where only
  // values, or only certainties, move, the first layers are straight; they are asked once each way.
  function path(start, end, target) {
    const here = network.forward(start, 0, network.straight).slice(), there = network.forward(end, 0, network.straight).slice();
    const point = new Float64Array(here.length), total = new Float64Array(here.length);
    return {
      step(k) {
        const share = (k + 0.5) / live.steps;
        for (let i = 0; i < point.length; i++) point[i] = here[i] + share * (there[i] - here[i]);
        const p = softmax(network.forward(point, network.straight));
        const slope = network.backward(p.map((v, j) => p[target] * ((j === target ? 1 : 0) - v)), network.straight);
        for (let i = 0; i < total.length; i++) total[i] += slope[i] / live.steps;
      },
      shares() {
        network.forward(end, 0, network.straight); // the gate goes back by what went in last
        const slope = network.backward(total, 0, network.straight), map = new Float64Array(plane);
        for (let i = 0; i < 2 * plane; i++) map[i % plane] += (end[i] - start[i]) * slope[i];
        return byPlayer(map);
      },
    };
  }

  // Everything about one picture, piece by piece: go(until) works until that time, at least one piece, and says whether it
  // is done. Then `fair`, `shares`, and the probabilities `nobody` and `everybody` of the class `target` are there.
  function divide(values) {
    const p = says(values, all - 1), target = p.indexOf(Math.max(...p)), table = new Float64Array(all);
    const whole = joined(values, () => 1);
    const starts = { "zero IG": joined(new Float64Array(plane), () => 1), "ICG": joined(values, () => 0) };
    const job = { p, target, done: false, count: 0, fair: null, shares: {}, nobody: null, everybody: p[target] };
    function* pieces() {
      for (let mask = 0; mask < all; mask++) {
        table[mask] = says(values, mask)[target];
        job.count++;
        yield;
      }
      for (const name of Object.keys(starts)) {
        const way = path(starts[name], whole, target);
        for (let k = 0; k < live.steps; k++) { way.step(k); yield; }
        job.shares[name] = way.shares();
      }
      job.nobody = table[0];
      job.fair = shapley(table);
    }
    const work = pieces();
    job.go = (until) => {
      do job.done = work.next().done; while (!job.done && performance.now() < until);
      return job.done;
    };
    return job;
  }
  return { divide, says, shapley, network };
}
