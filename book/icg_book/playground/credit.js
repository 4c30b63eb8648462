// uses beside.js
// uses credit_network.js
// uses scene_maths.js
// What each object is due and is paid, and a worker that computes it beside the page.

function creditMaths(data) {
  const { valuesOf, groupsOf } = sceneMaths(data);

  // ---- fair shares: exact Shapley values from all coalitions ---------------------------------------------------------

  function shapley(table, n) {
    const shares = new Array(n).fill(0), factorial = (k) => (k < 2 ? 1 : k * factorial(k - 1));
    const weights = Array.from({ length: n }, (_, size) => factorial(size) * factorial(n - size - 1) / factorial(n));
    for (let mask = 0; mask < table.length; mask++) {
      let size = 0;
      for (let m = mask; m; m &= m - 1) size++;
      for (let i = 0; i < n; i++) if (!((mask >> i) & 1)) shares[i] += weights[size] * (table[mask | (1 << i)] - table[mask]);
    }
    return shares;
  }

  // ---- one picture: fair shares and three methods, piece by piece ----------------------------------------------------

  const GAUSS = [[0.0694318442029737, 0.1739274225687269], [0.3300094782075719, 0.3260725774312731],
    [0.6699905217924281, 0.3260725774312731], [0.9305681557970263, 0.1739274225687269]];
  const QUICK = 0.05, GOOD = 3e-4; // error of a path, in probability, that the first answer and the last bear with
  const network = openCredit(data.network), starts = new Map(); // what the first convolution makes of each reference
  const references = Float32Array.from(unpack(data.references, data.referencesCount * PLANE), (v) => v / 255);
  const referenceOf = (k) => references.subarray(k * PLANE, (k + 1) * PLANE);

  // The gradient along the straight path between two states behind the first convolution. `refine(error)` cuts the piece
  // that is worst integrated until their errors, which differ in sign, are less together, and yields after each step; `total` is the integral so far.
  function integral(from, to, owners) {
    const pieces = [], size = from.length, channels = size / PLACES;
    function at(share) { return network.along(from, to, share); }
    function* measured(a, b, pa, pb) {
      const sum = new Float64Array(size);
      for (const [node, weight] of GAUSS) {
        const slope = network.slope(at(a + node * (b - a)));
        for (let i = 0; i < size; i++) sum[i] += weight * (b - a) * slope[i];
        yield;
      }
      const shares = [];
      for (let i = 0; i < size; i++) {
        const owner = owners[Math.floor(i / channels)];
        shares[owner] = (shares[owner] || 0) + sum[i] * (to[i] - from[i]);
      }
      const piece = { a, b, pa, pb, sum, shares, error: Math.abs(shares.reduce((x, y) => x + y, pa - pb)) };
      pieces.push(piece);
      return piece;
    }
    return {
      * begin(cuts) {
        let before = at(cuts[0]);
        for (let i = 1; i < cuts.length; i++) {
          const next = at(cuts[i]);
          yield;
          yield* measured(cuts[i - 1], cuts[i], before, next);
          before = next;
        }
        // A gap may be small by chance: every first piece is cut once more, in the end.
        for (const piece of pieces) piece.error += 0.4 * QUICK;
      },
      * refine(error) {
        for (;;) {
          const worst = pieces.reduce((a, b) => (a.error > b.error ? a : b)), { a, b, pa, pb } = worst;
          if (Math.hypot(...pieces.map((piece) => piece.error)) < error || b - a < 1e-4 || pieces.length > 200) return;
          const middle = (a + b) / 2, pm = at(middle);
          pieces.splice(pieces.indexOf(worst), 1);
          const halves = [yield* measured(a, middle, pa, pm), yield* measured(middle, b, pm, pb)];
          // What one object gets too much another may lack: then the sum is right, and only a finer look tells.
          const moved = Math.max(...worst.shares.map((share, k) => Math.abs(share - halves[0].shares[k] - halves[1].shares[k])));
          for (const half of halves) half.error = Math.max(half.error, moved / 16);
        }
      },
      total() {
        const sum = new Float64Array(size);
        for (const piece of pieces) for (let i = 0; i < size; i++) sum[i] += piece.sum[i];
        return sum;
      },
    };
  }

  // A generator: it yields after each small step, and after each result {method, shares, map} or {nobody, everybody, fair}.
  // The quick answers come first, then `{quick: true}`, then the exact ones.
  function* credit(objects) {
    const values = valuesOf(objects), groups = groupsOf(objects), n = objects.length + 1;
    const paid = (map) => {
      const shares = new Array(n).fill(0);
      for (let i = 0; i < PLANE; i++) shares[groups[i]] += map[i];
      return shares;
    };
    const result = (method, map) => ({ method, shares: paid(map), map: Float32Array.from(map) });

    const table = new Float64Array(1 << n), game = network.game(values, groups, n);
    table[0] = game.empty();
    yield;
    for (let k = 1; k < table.length; k++) {
      table[k ^ (k >> 1)] = game.toggle(31 - Math.clz32(k & -k));
      yield;
    }
    yield { nobody: table[0], everybody: table[table.length - 1], fair: shapley(table, n) };

    const owners = Uint8Array.from({ length: PLACES }, (_, k) => groups[2 * Math.floor(k / GRID) * SIDE + 2 * (k % GRID)]); // of places
    const black = network.ahead(new Float32Array(PLANE), 1), unknown = network.ahead(values, 0), whole = network.ahead(values, 1);
    const paths = { ICG: integral(unknown, whole, owners), IG: integral(black, whole, owners) };
    const toMap = {
      ICG: (gradient) => { const [byValue, byCertainty] = network.toPixels(gradient); return byCertainty.map((v, i) => v + byValue[i] * values[i]); },
      IG: (gradient) => network.toPixels(gradient)[0].map((v, i) => v * values[i]),
    };
    function* follow(name, steps) {
      yield* steps;
      yield result(name, toMap[name](paths[name].total()));
    }
    for (const name of Object.keys(paths)) {
      yield* paths[name].begin([0, 0.25, 0.5, 0.75, 1]);
      yield* follow(name, paths[name].refine(QUICK));
    }
    // Expected Gradients: the mean over fixed pictures of the data, each along its whole path.
    const each = Array.from({ length: data.referencesCount }, (_, k) => {
      if (!starts.has(k)) starts.set(k, network.ahead(referenceOf(k), 1));
      return integral(starts.get(k), whole, owners);
    });
    function* expected(step) {
      const sum = new Float64Array(PLANE);
      for (let k = 0; k < each.length; k++) {
        yield* step(each[k]);
        const [byValue] = network.toPixels(each[k].total()), reference = referenceOf(k);
        for (let i = 0; i < PLANE; i++) sum[i] += byValue[i] * (values[i] - reference[i]) / each.length;
        yield;
      }
      yield result("EG", sum);
    }
    yield* expected(function* (path) { yield* path.begin([0, 0.5, 1]); yield* path.refine(4 * QUICK); });
    yield { quick: true };
    for (const name of Object.keys(paths)) yield* follow(name, paths[name].refine(GOOD));
    yield* expected((path) => path.refine(8 * GOOD)); // of a mean, whose errors differ in sign, too
  }

  return { credit, shapley };
}

// ---- answers to a page that keeps asking -----------------------------------------------------------------------------

// `take({number, things})` answers {number, p} at once, from a network of its own. The rest comes piece by piece, whenever
// `work(until)` is called: it says whether there is more to do. While a reader drags, pictures come faster than answers:
// a picture's quick answer is finished before the newest one is begun, or there would be none until the hand rests.
function openServer(data, post) {
  const { credit } = creditMaths(data), { valuesOf } = sceneMaths(data), network = openCredit(data.network);
  let newest = null, job = null;
  function begin() {
    job = { ...newest, steps: credit(newest.things), quick: false };
  }
  return {
    take(message) {
      newest = message;
      post({ number: message.number, p: network.probability(valuesOf(message.things), 1) });
      if (!job || job.quick) begin();
    },
    work(until) {
      while (job && performance.now() < until) {
        const { value, done } = job.steps.next();
        if (value) post({ number: job.number, ...value });
        if (value && value.quick) job.quick = true;
        if (done) post({ number: job.number, done: true });
        if (job.quick && newest.number > job.number) begin();
        else if (done) job = null;
      }
      return job !== null;
    },
  };
}

// The same beside the page. Returns ask(things), which gives the picture's number.
function openAsker(data, answered) {
  const functions = [base64Bytes, inflate, unpack, assembleSweep, plainSweep, openKernel, grown, openCredit, sceneMaths, creditMaths];
  const ask = beside(openServer, functions, { SIDE, PLANE, GRID, PLACES }, data, answered);
  let count = 0;
  return (things) => {
    ask({ number: ++count, things });
    return count;
  };
}
