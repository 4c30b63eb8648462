// The maths of "the landscape": seven functions of two features, Integrated Gradients, BShap and SHAP, and what is to be said.

// `data` is what landscape.py gives to the page: knots, and landscapes with a key and the square's low and high.
function landscapeMaths(data) {
  const [ra, rb, rc, rd] = data.knots;
  const pi = Math.PI;
  const g = (z) => Math.max(0, Math.min(1, (z - ra) / (rb - ra), (rd - z) / (rd - rc)));
  const slope = (z) => (z > ra && z < rb ? 1 / (rb - ra) : z > rc && z < rd ? -1 / (rd - rc) : 0);
  // Like autograd: where both are equal, each gets half.
  const upper = (u, v) => (u > v ? 1 : u < v ? 0 : 0.5);

  // f(x1, x2), its gradient, and how it is written.
  const FUNCTIONS = {
    cross: {
      text: "max(g(x₁), g(x₂))",
      f: (u, v) => Math.max(g(u), g(v)),
      grad: (u, v) => { const w = upper(g(u), g(v)); return [w * slope(u), (1 - w) * slope(v)]; },
    },
    corner: {
      text: "min(g(x₁), g(x₂))",
      f: (u, v) => Math.min(g(u), g(v)),
      grad: (u, v) => { const w = upper(g(u), g(v)); return [(1 - w) * slope(u), w * slope(v)]; },
    },
    additive: { text: "g(x₁) + g(x₂)", f: (u, v) => g(u) + g(v), grad: (u, v) => [slope(u), slope(v)] },
    square: { text: "x₁ x₂²", f: (u, v) => u * v * v, grad: (u, v) => [v * v, 2 * u * v], beside: "product" },
    product: { text: "x₁ x₂", f: (u, v) => u * v, grad: (u, v) => [v, u] },
    sines: {
      text: "sin(πx₁) sin(2πx₂)",
      f: (u, v) => Math.sin(pi * u) * Math.sin(2 * pi * v),
      grad: (u, v) => [pi * Math.cos(pi * u) * Math.sin(2 * pi * v), 2 * pi * Math.sin(pi * u) * Math.cos(2 * pi * v)],
    },
    cosine: {
      text: "cos(2πx₁) x₂",
      f: (u, v) => Math.cos(2 * pi * u) * v,
      grad: (u, v) => [-2 * pi * Math.sin(2 * pi * u) * v, Math.cos(2 * pi * u)],
    },
  };
  const NAMES = ["x₁", "x₂"];

  // ---- attributions -------------------------------------------------------------------------------------------------

  const at = (b, x, alpha) => [b[0] + alpha * (x[0] - b[0]), b[1] + alpha * (x[1] - b[1])];

  // Integrated Gradients by the middle rule: the credit, what was gathered up to each of some positions, and the sums
  // of all gains and of all losses on the way.
  function integrate(key, b, x, n) {
    const grad = FUNCTIONS[key].grad, every = n / Math.min(n, 300);
    const credit = [0, 0], gains = [0, 0], losses = [0, 0], gathered = [[0, 0]], way = [x[0] - b[0], x[1] - b[1]];
    for (let k = 0; k < n; k++) {
      const alpha = (k + 0.5) / n, d = grad(b[0] + alpha * way[0], b[1] + alpha * way[1]);
      for (let i = 0; i < 2; i++) {
        const step = way[i] * d[i] / n;
        credit[i] += step;
        if (step > 0) gains[i] += step; else losses[i] -= step;
      }
      if ((k + 1) % every === 0) gathered.push(credit.slice());
    }
    return { credit, gains, losses, gathered };
  }

  // Outputs at the four corners: [neither, x1 alone, x2 alone, both] taken from the input.
  function corners(key, b, x) {
    const f = FUNCTIONS[key].f;
    return [f(b[0], b[1]), f(x[0], b[1]), f(b[0], x[1]), f(x[0], x[1])];
  }
  // The two values that a feature adds: first, and second.
  const added = (c) => [[c[1] - c[0], c[3] - c[2]], [c[2] - c[0], c[3] - c[1]]];
  const half = (pairs) => pairs.map((p) => (p[0] + p[1]) / 2);

  // Middle points of the square's side; means over it stand for expectations under the uniform distribution.
  const places = (key, n) => {
    const c = data.landscapes.find((l) => l.key === key);
    return Array.from({ length: n }, (_, k) => c.low + (c.high - c.low) * (k + 0.5) / n);
  };
  const mean = (values) => values.reduce((s, v) => s + v, 0) / values.length;
  const kept = new Map();
  function facts(key) { // of a function: its mean, its range, whether it is a sum of functions of one feature
    if (!kept.has(key)) {
      const f = FUNCTIONS[key].f, side = places(key, 400), coarse = places(key, 37);
      const values = side.map((u) => side.map((v) => f(u, v))), rows = values.map(mean);
      const low = Math.min(...values.map((r) => Math.min(...r))), high = Math.max(...values.map((r) => Math.max(...r)));
      const o = coarse[11], interaction = Math.max(...coarse.map((u) => Math.max(...coarse.map((v) =>
        Math.abs(f(u, v) - f(u, o) - f(o, v) + f(o, o))))));
      kept.set(key, { mean: mean(rows), low, high, unit: high - low, additive: interaction < 1e-9 });
    }
    return kept.get(key);
  }
  function shap(key, x) {
    const f = FUNCTIONS[key].f, side = places(key, 2000), all = facts(key).mean;
    const first = mean(side.map((v) => f(x[0], v))), second = mean(side.map((u) => f(u, x[1])));
    return half(added([all, first, second, f(x[0], x[1])]));
  }

  function results(key, b, x, n) {
    const ig = integrate(key, b, x, n), c = corners(key, b, x);
    const gap = ig.credit[0] + ig.credit[1] - (c[3] - c[0]);
    return { ig, corners: c, bshap: half(added(c)), shap: shap(key, x), change: c[3] - c[0], gap };
  }

  // ---- what is happening, in words --------------------------------------------------------------------------------

  // Decided by the numbers alone. "small" is a twentieth of the largest number involved, "large" a tenth.
  function verdict(key, b, x, r) {
    const c = r.corners, m = added(c), phi = r.ig.credit, share = r.bshap, info = facts(key);
    const still = [0, 1].filter((i) => x[i] === b[i]);
    const sizes = [...phi, ...share, ...m.flat(), ...r.ig.gains, ...r.ig.losses].map(Math.abs);
    const size = Math.max(...sizes), small = 0.05 * size, large = 0.1 * size;
    const n = (v) => signed(v, 2), more = [];
    const say = (kind, title, text) => ({ kind, title, text: [text, ...more].join(" ") });
    const atCorners = (i) => Math.abs(m[i][0]) <= small && Math.abs(m[i][1]) <= small;

    if (still.length === 2) return say("nowhere", "No path", "The input is the baseline: there is nothing to share.");
    if (size < 0.01 * info.unit) {
      return say("flat", "Nothing to share", "The output changes neither on the path nor at any corner.");
    }
    for (const i of [0, 1]) {
      const back = Math.min(r.ig.gains[i], r.ig.losses[i]);
      if (back > large) more.push("On the way " + NAMES[i] + " gains " + number(r.ig.gains[i], 2) + " and loses " + number(r.ig.losses[i], 2) + ".");
    }
    for (const i of still) more.push(NAMES[i] + " equals its baseline, so neither IG nor BShap can give it anything.");
    const flip = reversal(key, b, x, small, large);
    if (flip) {
      const pair = (p) => "(" + p.map(n).join(", ") + ")", place = (p) => "(" + p.map((v) => number(v, 2)).join(", ") + ")";
      more.push("And it reverses: across the line x₁ = x₂, IG jumps from " + pair(flip.ig[0]) + " at " + place(flip.points[0]) +
        " to " + pair(flip.ig[1]) + " at " + place(flip.points[1]) + ", while the output stays the same.");
    }

    const paid = [0, 1].filter((i) => atCorners(i) && Math.abs(phi[i]) > large);
    if (paid.length && [0, 1].every(atCorners)) {
      return say("nothing", "Credit for nothing",
        "All four corners have the same output: neither feature changes it, alone or together. Yet IG pays x₁ " +
        n(phi[0]) + " and x₂ " + n(phi[1]) + ".");
    }
    if (paid.length) {
      const i = paid[0], j = 1 - i, all = Math.abs(phi[j]) <= small;
      return say("transfer", "Attribution transfer",
        (all ? "IG gives all the credit to " + NAMES[i] : "IG pays " + NAMES[i] + " " + n(phi[i])) + ", though changing " + NAMES[i] +
        " alone does nothing at any corner. What the corners show is " + NAMES[j] + "’s doing: BShap pays " + NAMES[j] + " " + n(share[j]) + ", IG " + n(phi[j]) + ".");
    }
    for (const i of [0, 1]) {
      const sign = Math.sign(phi[i]);
      if (Math.abs(phi[i]) > large && sign * m[i][0] <= small && sign * m[i][1] <= small) {
        return say("sign", "The wrong sign", "IG pays " + NAMES[i] + " " + n(phi[i]) + ", though " + NAMES[i] + " never " +
          (sign > 0 ? "raises" : "lowers") + " the output at a corner. BShap pays it " + n(share[i]) + ".");
      }
    }
    const other = FUNCTIONS[key].beside;
    if (other) {
      const theirs = added(corners(other, b, x)), rival = integrate(other, b, x, 4096).credit;
      for (const i of [0, 1]) {
        if (m[i][0] >= theirs[i][0] - 1e-9 && m[i][1] > theirs[i][1] + 1e-9 && rival[i] - phi[i] > 0.05 * Math.abs(rival[i])) {
          return say("consistency", "More effect, less credit", "Whatever the other feature is, " + NAMES[i] + " adds at least as much here (" +
            m[i].map(n).join(", ") + ") as in " + FUNCTIONS[other].text + " (" + theirs[i].map(n).join(", ") + "). Yet IG pays it " +
            n(phi[i]) + " here and " + n(rival[i]) + " there.");
        }
      }
    }
    const moved = phi[0] - share[0];
    if (info.additive) {
      return say("additive", "All agree", "The function is a sum of functions of one feature, so every path gathers the same credit: IG equals " +
        "BShap. SHAP counts from the mean output instead of the baseline’s.");
    }
    if (Math.abs(moved) <= small) {
      return say("agree", "IG and BShap agree", "On this path IG meets what the corners show" +
        (still.length ? "." : ", though it need not: the function is not additive."));
    }
    const gets = moved > 0 ? 0 : 1;
    const both = Math.abs(m[0][0]) <= small && Math.abs(m[1][0]) <= small && Math.abs(c[3] - c[0]) > large;
    return say("moved", "Credit moved", "Compared with the corners (BShap), IG moves " + number(moved < 0 ? -moved : moved, 2) + " from " +
      NAMES[1 - gets] + " to " + NAMES[gets] + "." + (both ? " Neither feature does anything alone; " + (Math.abs(phi[gets]) > 3 * Math.abs(phi[1 - gets])
        ? "IG pays the one that comes last on the path." : "both are needed.") : ""));
  }

  // Does x1's credit change its sign when the input crosses the line x1 = x2, although the output does not change?
  function reversal(key, b, x, small, large) {
    const c = data.landscapes.find((l) => l.key === key), d = 0.01 * (c.high - c.low), f = FUNCTIONS[key].f;
    const m = Math.min(c.high - d, Math.max(c.low + d, (x[0] + x[1]) / 2));
    const points = x[0] < x[1] ? [[m - d, m + d], [m + d, m - d]] : [[m + d, m - d], [m - d, m + d]];
    if (points.some((p) => Math.abs(f(...p) - f(...x)) > small)) return null;
    const ig = points.map((p) => integrate(key, b, p, 4096).credit);
    return ig[0][0] * ig[1][0] < 0 && Math.abs(ig[0][0]) > large && Math.abs(ig[1][0]) > large ? { points, ig } : null;
  }

  return { FUNCTIONS, NAMES, at, results, verdict, facts };
}
