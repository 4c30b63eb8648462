// "The landscape": drag the baseline and the input, and see what the path of Integrated Gradients meets on its way.

function build(root, stage, data, colours) {
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
  const STEPS = [16, 64, 256, 30000];
  const NAMES = ["x₁", "x₂"];

  // ---- the maths --------------------------------------------------------------------------------------------------

  const at = (b, x, alpha) => [b[0] + alpha * (x[0] - b[0]), b[1] + alpha * (x[1] - b[1])];

  // Integrated Gradients by the middle rule: the credit, what was gathered up to each of some positions, and the sums
  // of all gains and of all losses on the way.
  function integrate(key, b, x, n) {
    const grad = FUNCTIONS[key].grad, every = n / Math.min(n, 300);
    const credit = [0, 0], gains = [0, 0], losses = [0, 0], gathered = [[0, 0]];
    for (let k = 0; k < n; k++) {
      const d = grad(...at(b, x, (k + 0.5) / n));
      for (let i = 0; i < 2; i++) {
        const step = (x[i] - b[i]) * d[i] / n;
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
  const bshap = (key, b, x) => half(added(corners(key, b, x)));

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

  // ---- controls ---------------------------------------------------------------------------------------------------

  const state = { key: data.function, b: data.baseline.slice(), x: data.input.slice(), alpha: 1, steps: 30000, timer: null };
  const current = () => data.landscapes.find((l) => l.key === state.key);
  let now = null; // results of the state

  const functionMenu = menu("Function", (i) => choose(data.landscapes[i].key));
  const stepsMenu = menu("IG’s steps", (i) => { state.steps = STEPS[i]; update(); });
  const presets = el("div", { class: "icg-land-presets" });

  // Number fields: a coordinate each; the same points as the handles.
  const POINTS = { b: "baseline x′", x: "input x" };
  const shape = (which) => which === "b" ? svg("rect", { x: -8, y: -8, width: 16, height: 16, transform: "rotate(45)" }) : svg("circle", { r: 10 });
  const kind = (which) => "icg-land-" + (which === "b" ? "baseline" : "input");
  const glyph = (which) => svg("svg", { viewBox: "-13 -13 26 26", width: 17, height: 17, class: kind(which), "aria-hidden": "true" }, shape(which));
  const fields = {};
  const values = {};
  const rows = Object.keys(POINTS).map((which) => {
    fields[which] = [0, 1].map((i) => el("input", { type: "number", inputmode: "decimal", "aria-label": POINTS[which] + ", " + NAMES[i],
      onchange: () => {
        const value = parseFloat(fields[which][i].value);
        if (isFinite(value)) move(which, i === 0 ? [value, state[which][1]] : [state[which][0], value], true);
        else update();
      } }));
    values[which] = el("td", { class: "icg-land-value" });
    return el("tr", {}, el("th", { scope: "row" }, glyph(which), POINTS[which].split(" ")[0]), el("td", {}, fields[which][0]), el("td", {}, fields[which][1]), values[which]);
  });
  const pointsTable = el("table", { class: "icg-land-points" },
    el("thead", {}, el("tr", {}, el("td", {}), ...NAMES.map((name, i) => el("th", { scope: "col", class: "icg-land-f" + (i + 1) }, name)),
      el("th", { scope: "col" }, "output"))),
    el("tbody", {}, ...rows));

  // ---- the picture
  const L = 54, T = 12, S = 336, W = L + S + 14, H = T + S + 42;
  const canvas = el("canvas", { role: "img", class: "icg-land-ground" });
  const picture = svg("svg", { viewBox: "0 0 " + W + " " + H, class: "icg-land-map" });
  const axes = svg("g", { "aria-hidden": "true" }), trail = svg("g", { "aria-hidden": "true", class: "icg-land-trail" });
  const ground = svg("rect", { x: L, y: T, width: S, height: S, class: "icg-land-frame" });
  const plot = el("div", { class: "icg-land-plot" }, canvas, picture);
  for (const [side, v] of [["left", 100 * L / W], ["top", 100 * T / H], ["width", 100 * S / W], ["height", 100 * S / H]]) canvas.style[side] = v + "%";
  const px = (u) => L + S * (u - current().low) / (current().high - current().low);
  const py = (v) => T + S - S * (v - current().low) / (current().high - current().low);
  const from = (event) => { // coordinates of a pointer
    const box = picture.getBoundingClientRect(), c = current();
    return [c.low + (c.high - c.low) * ((event.clientX - box.left) / box.width * W - L) / S,
      c.low + (c.high - c.low) * (1 - ((event.clientY - box.top) / box.height * H - T) / S)];
  };
  const handles = {};
  for (const which of ["b", "x"]) {
    const node = svg("g", { class: "icg-land-handle " + kind(which), tabindex: 0, role: "slider",
      "aria-label": POINTS[which] + ": arrow keys move it", onkeydown: (event) => key(which, event) },
    svg("circle", { r: 24, class: "icg-land-grip" }), svg("circle", { r: 17, class: "icg-land-focus" }), shape(which));
    let offset = [0, 0]; // between the finger and the point that it holds
    draggable(node, (_, __, event) => {
      const p = from(event);
      if (event.type === "pointerdown") offset = [state[which][0] - p[0], state[which][1] - p[1]];
      else move(which, [p[0] + offset[0], p[1] + offset[1]]);
    });
    node.addEventListener("click", (event) => event.stopPropagation());
    handles[which] = node;
  }
  picture.append(ground, axes, trail, handles.b, handles.x);
  ground.addEventListener("click", (event) => move("x", from(event)));
  function key(which, event) {
    const d = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!d) return;
    const c = current(), step = (c.high - c.low) * (event.shiftKey ? 0.1 : 0.01);
    event.preventDefault();
    move(which, [state[which][0] + d[0] * step, state[which][1] + d[1] * step]);
  }

  const legend = el("canvas", { role: "img" }), low = el("span", {}), high = el("span", {});
  const scale = el("div", { class: "icg-land-scale" }, el("span", {}, "output"), low, legend, high);
  const hint = el("p", { class: "icg-land-hint" }, "Drag the two points. Arrows point uphill: they are the gradient that the path meets, ",
    el("b", { class: "icg-land-f1" }, "x₁"), "’s sideways and ", el("b", { class: "icg-land-f2" }, "x₂"), "’s upright.");

  // ---- the bars
  const METHODS = ["IG", "BShap", "SHAP"];
  const bars = {};
  const barTable = el("table", { class: "icg-land-bars" }, el("caption", { class: "icg-x-spoken" }, "Attributions"), el("tbody", {}, ...METHODS.flatMap((name) => {
    const sum = el("small", {});
    const parts = [0, 1].map((i) => ({ bar: el("i", { class: "icg-land-f" + (i + 1) }), value: el("td", { class: "icg-land-value" }) }));
    bars[name] = { sum, parts };
    return parts.map((p, i) => el("tr", {},
      i === 0 ? el("th", { scope: "rowgroup", rowspan: 2 }, name, sum) : null,
      el("th", { scope: "row", class: "icg-land-f" + (i + 1) }, NAMES[i]),
      el("td", { class: "icg-land-bar", "aria-hidden": "true" }, el("span", {}, p.bar)), p.value));
  })));
  const sums = el("p", { class: "icg-land-sums" });

  const words = el("p", {}), title = el("b", {});
  const verdictBox = el("div", { class: "icg-land-verdict" }, title, words);
  const spoken = speaker();

  // ---- the strip
  const strip = svg("svg", { class: "icg-x-chart icg-land-strip", height: 150, "aria-hidden": "true" });
  const walker = el("input", { type: "range", min: 0, max: 1, step: 0.01, "aria-label": "walk along the path, alpha",
    oninput: () => { pause(); walk(Number(walker.value)); } });
  const icon = svg("path", {});
  const play = el("button", { type: "button", class: "icg-x-play", onclick: () => (state.timer ? pause() : start()) },
    svg("svg", { viewBox: "0 0 24 24", width: 20, height: 20, "aria-hidden": "true" }, icon));
  const readout = el("p", { class: "icg-x-readout" });

  stage.append(
    el("div", { class: "icg-x-controls icg-land-controls" }, functionMenu, stepsMenu, presets),
    el("div", { class: "icg-land-board" }, el("div", {}, plot, scale, hint),
      el("div", { class: "icg-land-side" }, pointsTable, barTable, sums)),
    verdictBox, spoken.node, strip,
    el("div", { class: "icg-x-scrub" }, play, walker), readout);

  // ---- changes ----------------------------------------------------------------------------------------------------

  function choose(key) {
    const before = current();
    state.key = key;
    const c = current(), same = JSON.stringify([before.baseline, before.inputs]) === JSON.stringify([c.baseline, c.inputs]);
    if (!same) { // else the points stay, to compare functions at them
      state.b = c.baseline.slice();
      state.x = c.inputs[0].point.slice();
    }
    drawGround();
    update();
  }

  // Points live on a grid of a hundredth of the side; typed ones are taken as they are.
  function move(which, point, exact) {
    const c = current(), step = (c.high - c.low) / 100;
    state[which] = point.map((v) => Math.min(c.high, Math.max(c.low, exact ? v : Number((c.low + Math.round((v - c.low) / step) * step).toFixed(4)))));
    update();
  }

  function drawGround() {
    const c = current(), info = facts(state.key), n = S, signedMap = info.low < -1e-9, top = Math.max(Math.abs(info.low), info.high);
    const span = top < 1.05 ? 1 : top; // sampled at middles, the top itself is missed by a hair
    // As in the paper: white 0, grey 1. Where there are negative outputs, the book's signed colours, thinned.
    const grade = (v) => signedMap ? colours(Math.round(44 * Math.max(-1, Math.min(1, v / span))))
      : [0, 1, 2].map((i) => Math.round(255 - [112, 106, 100][i] * Math.max(0, Math.min(1, v / span))));
    const f = FUNCTIONS[state.key].f, cell = (k) => c.low + (c.high - c.low) * (k + 0.5) / n;
    const sheet = new Float64Array(n * n);
    for (let y = 0; y < n; y++) for (let x = 0; x < n; x++) sheet[y * n + x] = f(cell(x), cell(n - 1 - y));
    paint(canvas, n, n, sheet, grade);
    paint(legend, 101, 1, Array.from({ length: 101 }, (_, i) => (signedMap ? i / 50 - 1 : i / 100) * span), grade);
    low.textContent = number(signedMap ? -span : 0);
    high.textContent = number(Number(span.toPrecision(2)));
    legend.setAttribute("aria-label", signedMap ? "blue negative, white zero, orange positive" : "from white to grey");
    canvas.setAttribute("aria-label", "the landscape of " + FUNCTIONS[state.key].text + " over the square");
    axes.replaceChildren(
      ...niceTicks(c.low, c.high, 5).flatMap((t) => [
        svg("text", { x: px(t), y: T + S + 17, "text-anchor": "middle" }, number(t)),
        svg("text", { x: L - 7, y: py(t) + 4, "text-anchor": "end" }, number(t))]),
      svg("text", { x: L + S / 2, y: H - 5, "text-anchor": "middle", class: "icg-land-axis icg-land-f1" }, "x₁"),
      svg("text", { x: 2, y: T + S / 2 + 5, class: "icg-land-axis icg-land-f2" }, "x₂"));
    functionMenu.fill(data.landscapes.map((l) => l.name + ": " + FUNCTIONS[l.key].text), data.landscapes.indexOf(c));
    presets.replaceChildren(...c.inputs.map((p) => {
      const b = button(p.name.length === 1 ? "Input " + p.name : "Reset the points", () => { state.b = c.baseline.slice(); state.x = p.point.slice(); update(); });
      b.preset = p;
      return b;
    }));
  }

  const text = (x, y, anchor, what, kind) => svg("text", { x, y, "text-anchor": anchor, class: kind || "" }, what);

  function drawTrail() {
    const { b, x } = state, grad = FUNCTIONS[state.key].grad, c = current();
    const start = [px(b[0]), py(b[1])], end = [px(x[0]), py(x[1])];
    const length = Math.hypot(end[0] - start[0], end[1] - start[1]);
    // Gradients met on the way: horizontal arrows are x1's, vertical ones x2's; they point uphill.
    const n = Math.max(2, Math.min(36, Math.round(length / 9)));
    const met = Array.from({ length: n }, (_, k) => { const p = at(b, x, (k + 0.5) / n); return { p, d: grad(...p) }; });
    const strongest = Math.max(...met.flatMap((q) => q.d.map(Math.abs)), 1e-9);
    const arrow = (p, i, d) => {
      const size = 26 * d / strongest, tip = i === 0 ? [px(p[0]) + size, py(p[1])] : [px(p[0]), py(p[1]) - size];
      const h = Math.sign(size) * Math.min(6, Math.abs(size)), w = 3.6;
      const head = i === 0 ? [[-h, -w], [-h, w]] : [[-w, h], [w, h]];
      return svg("g", { class: "icg-land-arrow icg-land-f" + (i + 1) },
        svg("path", { d: "M" + px(p[0]) + " " + py(p[1]) + "L" + tip.join(" ") }),
        svg("path", { d: "M" + tip.join(" ") + head.map((o) => "L" + (tip[0] + o[0]) + " " + (tip[1] + o[1])).join("") + "Z", class: "icg-land-head" }));
    };
    const arrows = length < 1 ? [] : met.flatMap((q) => [0, 1].filter((i) => x[i] !== b[i] && Math.abs(q.d[i]) > 0.04 * strongest)
      .map((i) => arrow(q.p, i, q.d[i])));
    // The corners, where BShap looks; labels lean outwards.
    const out = [x[0] >= b[0] ? 1 : -1, x[1] >= b[1] ? 1 : -1];
    const places = [[b[0], b[1], -1, -1], [x[0], b[1], 1, -1], [b[0], x[1], -1, 1], [x[0], x[1], 1, 1]];
    const near = Math.abs(end[0] - start[0]) < 34 || Math.abs(end[1] - start[1]) < 34;
    const labels = near ? [] : places.map((q, k) => {
      const inside = (v) => Math.min(L + S - 4, Math.max(L + 4, v));
      const left = q[2] * out[0] < 0, low = q[3] * out[1] < 0;
      let ax = px(q[0]) + (left ? -15 : 15), ay = py(q[1]) + (low ? 20 : -12);
      let anchor = left ? "end" : "start";
      if (ax > L + S - 26) { ax = px(q[0]) - 15; anchor = "end"; }
      if (ax < L + 26) { ax = px(q[0]) + 18; anchor = "start"; }
      if (ay > T + S - 4) ay = py(q[1]) - 6;
      if (ay < T + 14) ay = py(q[1]) + 20;
      return text(inside(ax), ay, anchor, number(now.corners[k], 2), "icg-land-corner");
    });
    const flip = now.verdict.text.includes("x₁ = x₂");
    const here = at(b, x, state.alpha);
    trail.replaceChildren(
      flip ? svg("path", { d: "M" + px(c.low) + " " + py(c.low) + "L" + px(c.high) + " " + py(c.high), class: "icg-land-diagonal" }) : "",
      near ? "" : svg("path", { d: "M" + start + "H" + end[0] + "V" + end[1] + "H" + start[0] + "Z", class: "icg-land-box" }),
      ...(near ? [] : [places[1], places[2]].map((q) => svg("circle", { cx: px(q[0]), cy: py(q[1]), r: 4, class: "icg-land-post" }))),
      svg("path", { d: "M" + start + "L" + end, class: "icg-land-path icg-land-halo" }),
      svg("path", { d: "M" + start + "L" + end, class: "icg-land-path" }),
      ...arrows, ...labels,
      state.alpha > 0 && state.alpha < 1 ? svg("circle", { cx: px(here[0]), cy: py(here[1]), r: 6, class: "icg-land-walker" }) : "");
    for (const which of ["b", "x"]) {
      const p = state[which];
      handles[which].setAttribute("transform", "translate(" + px(p[0]) + " " + py(p[1]) + ")");
      handles[which].setAttribute("aria-valuemin", c.low);
      handles[which].setAttribute("aria-valuemax", c.high);
      handles[which].setAttribute("aria-valuenow", p[0]);
      handles[which].setAttribute("aria-valuetext", "x1 " + number(p[0], 2) + ", x2 " + number(p[1], 2));
    }
  }

  function drawBars() {
    const shown = { IG: now.ig.credit, BShap: now.bshap, SHAP: now.shap };
    const most = Math.max(...Object.values(shown).flat().map(Math.abs)), nice = [0.5, 1, 1.5, 2, 3, 4, 6, 8, 12].find((v) => v >= most * 0.999) || most;
    for (const name of METHODS) {
      const v = shown[name];
      bars[name].sum.textContent = "sum " + signed(v[0] + v[1], 3);
      bars[name].parts.forEach((p, i) => {
        const share = 50 * Math.abs(v[i]) / nice;
        p.bar.style.width = share + "%";
        p.bar.style.left = (v[i] < 0 ? 50 - share : 50) + "%";
        p.value.textContent = signed(v[i], 3);
      });
    }
    const b = (v) => el("b", {}, signed(v, 3));
    const total = now.corners[3] - facts(state.key).mean;
    sums.replaceChildren("IG and BShap share f(x) − f(x′) = ", b(now.change), ". IG in ", String(state.steps).replace(/(\d)(?=\d{3}$)/, "$1\u00a0"),
      " steps misses it by ", el("b", {}, signed(now.gap, 4)), ". SHAP shares f(x) − mean f = ", b(total), ".");
  }

  function drawStrip() {
    const left = 60, right = 34, top = 26, bottom = 34, height = 150, width = strip.clientWidth;
    if (width < 80) return;
    strip.setAttribute("viewBox", "0 0 " + width + " " + height);
    const all = now.ig.gathered, n = all.length - 1, flat = all.flat();
    let y0 = Math.min(0, ...flat), y1 = Math.max(0, ...flat);
    const pad = (y1 - y0) * 0.07 || 0.5;
    y0 -= pad; y1 += pad;
    const sx = (a) => left + (width - left - right) * a, sy = (v) => top + (height - top - bottom) * (y1 - v) / (y1 - y0);
    const line = (i) => all.map((v, k) => (k ? "L" : "M") + sx(k / n).toFixed(1) + " " + sy(v[i]).toFixed(1)).join("");
    const here = gatheredAt(state.alpha), ends = all[n].map(sy);
    if (Math.abs(ends[0] - ends[1]) < 14) { // keep the two names apart
      const middle = (ends[0] + ends[1]) / 2, above = ends[0] <= ends[1] ? 0 : 1;
      ends[above] = middle - 7;
      ends[1 - above] = middle + 7;
    }
    strip.replaceChildren(
      text(0, 13, "start", "credit that IG has gathered", "icg-x-axis"),
      ...niceTicks(y0, y1, 4).map((t) => svg("g", {},
        svg("line", { x1: left, x2: width - right, y1: sy(t), y2: sy(t), class: t === 0 ? "icg-land-zero" : "icg-x-grid" }), text(left - 8, sy(t) + 4, "end", number(t)))),
      ...[0, 0.25, 0.5, 0.75, 1].map((t) => text(sx(t), height - bottom + 16, "middle", number(t))),
      text(sx(0.5), height - 3, "middle", "α (0: baseline, 1: input)", "icg-x-axis"),
      svg("line", { x1: sx(state.alpha), x2: sx(state.alpha), y1: top, y2: height - bottom, class: "icg-x-here" }),
      ...[0, 1].map((i) => svg("path", { d: line(i), class: "icg-land-line icg-land-f" + (i + 1) })),
      ...[0, 1].map((i) => svg("circle", { cx: sx(state.alpha), cy: sy(here[i]), r: 5, class: "icg-land-dot icg-land-f" + (i + 1) })),
      ...[0, 1].map((i) => text(width - right + 9, ends[i] + 4, "start", NAMES[i], "icg-land-name icg-land-f" + (i + 1))));
  }
  function gatheredAt(alpha) {
    const all = now.ig.gathered, n = all.length - 1, k = Math.min(n - 1, Math.floor(alpha * n)), t = alpha * n - k;
    return [0, 1].map((i) => all[k][i] + t * (all[k + 1][i] - all[k][i]));
  }

  function walk(alpha) {
    state.alpha = alpha;
    walker.value = alpha;
    walker.style.setProperty("--done", 100 * alpha + "%");
    walker.setAttribute("aria-valuetext", "alpha " + number(alpha, 2));
    drawTrail();
    drawStrip();
    const p = at(state.b, state.x, alpha), v = gatheredAt(alpha), f = FUNCTIONS[state.key].f;
    readout.replaceChildren(...[["α", number(alpha, 2)], ["output", number(f(...p), 3)],
      ["gathered by x₁", signed(v[0], 3)], ["by x₂", signed(v[1], 3)]].map((q) => el("span", {}, q[0] + " = ", el("b", {}, q[1]))));
  }
  function start() {
    if (state.alpha >= 1) walk(0);
    state.timer = setInterval(() => {
      walk(Math.min(1, Number((state.alpha + 0.01).toFixed(2))));
      if (state.alpha >= 1) pause();
    }, 40);
    drawPlay();
  }
  function pause() {
    clearInterval(state.timer);
    state.timer = null;
    drawPlay();
  }
  function drawPlay() {
    icon.setAttribute("d", state.timer ? "M6 4h4v16H6zM14 4h4v16h-4z" : "M7 4v16l13-8z");
    play.setAttribute("aria-label", state.timer ? "Pause" : "Play");
    play.title = state.timer ? "Pause" : "Walk the path";
  }

  function update() {
    const c = current();
    now = results(state.key, state.b, state.x, state.steps);
    // A coarse sum is not what the words are about.
    const fine = state.steps === 30000 ? now : results(state.key, state.b, state.x, 30000);
    now.verdict = verdict(state.key, state.b, state.x, fine);
    for (const which of ["b", "x"]) {
      fields[which].forEach((field, i) => {
        field.min = c.low;
        field.max = c.high;
        field.step = (c.high - c.low) / 100;
        field.value = String(Number(state[which][i].toFixed(4)));
      });
      values[which].textContent = number(now.corners[which === "b" ? 0 : 3], 3);
    }
    for (const b of presets.children) {
      const there = String([c.baseline, b.preset.point]) === String([state.b, state.x]);
      b.setAttribute("aria-pressed", there);
    }
    title.textContent = now.verdict.title;
    words.textContent = now.verdict.text;
    drawBars();
    walk(state.alpha);
    spoken.say("IG " + now.ig.credit.map((v) => signed(v, 2)).join(" and ") + ", BShap " + now.bshap.map((v) => signed(v, 2)).join(" and ") +
      ", SHAP " + now.shap.map((v) => signed(v, 2)).join(" and ") + ". " + now.verdict.title);
  }

  stepsMenu.fill(STEPS.map((n) => (n === 30000 ? "30\u00a0000" : String(n))), STEPS.length - 1);
  drawPlay();
  drawGround();
  update();
  if (window.ResizeObserver) new ResizeObserver(drawStrip).observe(strip);
  else window.addEventListener("resize", drawStrip);
  root.__explorable = { state, FUNCTIONS, integrate, bshap, shap, results, verdict, facts, choose, move, walk, now: () => now };
}
