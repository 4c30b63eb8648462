// "Steps and rules": the areas whose sum stands for a path integral, and how far that sum is off.

function build(root, stage, data, colours) {
  const tint = (value) => "rgb(" + colours(value).join(" ") + ")";
  const plus = tint(88), minus = tint(-88), tinyGap = 1e-12; // below that, rounding is all there is to see

  // ---- the functions: output and slope at alpha
  const formulas = {
    wave: (p) => ({
      value: (a) => 1 - Math.exp(-p.decay * a) * Math.cos(p.turn * a),
      slope: (a) => Math.exp(-p.decay * a) * (p.decay * Math.cos(p.turn * a) + p.turn * Math.sin(p.turn * a)),
      marks: [],
    }),
    kinks: (p) => ({
      value: (a) => p.knots.reduce((sum, k, i) => sum + (p.slopes[i + 1] - p.slopes[i]) * Math.max(0, a - k), p.slopes[0] * a),
      slope: (a) => p.slopes[p.knots.filter((k) => a > k).length],
      marks: p.knots,
    }),
    sigmoid: (p) => {
      const value = (a) => 1 / (1 + Math.exp(-p.steepness * (a - p.centre)));
      // s(x) s(-x), so that the slope far up does not drown in 1 - s(x).
      return { value, slope: (a) => p.steepness * value(a) * value(2 * p.centre - a), marks: [], narrow: [p.centre, 8 / p.steepness] };
    },
    threshold: (p) => ({ value: (a) => (a > p.centre ? 1 : 0), slope: () => 0, marks: [p.centre] }),
  };
  const functions = data.functions.map((f) => ({ ...f, ...formulas[f.kind](f.parameters) }));

  // ---- the rules: where to ask, how much an answer counts
  const range = (n) => Array.from({ length: n }, (_, k) => k);
  function cumulated(values) {
    let total = 0;
    return values.map((v) => (total += v));
  }
  // Roots of the Legendre polynomial P_n by Newton's method, largest first (that is, from alpha = 0 after 1 - x).
  function gaussLegendre(n) {
    const found = range(n).map((k) => {
      let x = Math.cos(Math.PI * (k + 0.75) / (n + 0.5)), derivative = 1;
      for (let i = 0; i < 100; i++) {
        let before = 1, here = x;
        for (let j = 2; j <= n; j++) [before, here] = [here, ((2 * j - 1) * x * here - (j - 1) * before) / j];
        derivative = n * (x * here - before) / (x * x - 1);
        const step = here / derivative;
        x -= step;
        if (Math.abs(step) < 1e-15) break;
      }
      return [(1 - x) / 2, 1 / ((1 - x * x) * derivative * derivative)];
    });
    return { nodes: found.map((f) => f[0]), weights: found.map((f) => f[1]) };
  }
  // Cells into n finer ones, in proportion to sqrt(change x width): icg.paths.refine.
  function refine(edges, value, n) {
    const k = edges.length - 1, at = edges.map(value);
    const want = range(k).map((i) => Math.sqrt(Math.abs(at[i + 1] - at[i]) * (edges[i + 1] - edges[i])));
    const total = want.reduce((a, b) => a + b, 0);
    const share = cumulated(want.map((w) => (total > 0 ? w / total : 1 / k)));
    const last = share.map((s, i) => (i === k - 1 ? n - k : roundEven((n - k) * s)) + i + 1);
    const fresh = [];
    last.forEach((end, i) => {
      const first = i ? last[i - 1] : 0, parts = end - first;
      for (let j = 0; j < parts; j++) fresh.push(edges[i] + j / parts * (edges[i + 1] - edges[i]));
    });
    return fresh.concat([edges[k]]);
  }
  function roundEven(x) {
    const down = Math.floor(x);
    return x - down === 0.5 ? down + down % 2 : Math.round(x);
  }
  // Nodes, weights, and the edges of the areas that are drawn.
  function quadrature(rule, n, value) {
    const even = (offset) => ({
      nodes: range(n).map((k) => (k + offset) / n), weights: range(n).map(() => 1 / n), edges: range(n + 1).map((k) => k / n),
    });
    if (rule === "riemann_left") return even(0);
    if (rule === "riemann_right") return even(1);
    if (rule === "riemann_middle") return even(0.5);
    if (rule === "riemann_trapezoid") {
      const nodes = range(n).map((k) => k / (n - 1));
      return { nodes, weights: nodes.map((_, k) => (k % (n - 1) ? 1 : 0.5) / (n - 1)), edges: nodes };
    }
    if (rule === "gausslegendre") {
      const g = gaussLegendre(n);
      return { ...g, edges: [0].concat(cumulated(g.weights)) }; // each area holds its own node
    }
    let edges = range(Math.max(Math.floor(n / 4), 1) + 1).map((k, _, all) => k / (all.length - 1));
    for (const parts of [Math.max(Math.floor(n / 2), 1), n]) edges = refine(edges, value, parts);
    return {
      nodes: range(n).map((k) => (edges[k] + edges[k + 1]) / 2), weights: range(n).map((k) => edges[k + 1] - edges[k]), edges,
    };
  }
  const least = (rule) => (rule === "riemann_trapezoid" ? 2 : 1);

  function measure(f, rule, n) {
    const q = quadrature(rule, n, f.value), heights = q.nodes.map(f.slope);
    const area = heights.reduce((sum, h, k) => sum + h * q.weights[k], 0), exact = f.value(1) - f.value(0);
    return { ...q, heights, area, exact, gap: area - exact };
  }
  const table = new Map();
  function gaps(f) { // for every rule, |gap| at every n
    if (!table.has(f.key)) {
      table.set(f.key, data.rules.map((r) => range(data.largest - least(r.key) + 1).map((k) => {
        const n = k + least(r.key);
        return [n, Math.max(tinyGap, Math.abs(measure(f, r.key, n).gap))];
      })));
    }
    return table.get(f.key);
  }

  // ---- controls
  const key = (list, name) => list.findIndex((item) => item.key === name);
  const state = { f: key(functions, data.start.function), rule: key(data.rules, data.start.rule), n: data.start.n };
  const functionMenu = menu("Function", (i) => set({ f: i }));
  functionMenu.fill(functions.map((f) => f.label), state.f);
  const steps = slider("Steps", { min: 1, max: data.largest, step: 1 }, (n) => "n = " + n, (n) => set({ n }));
  const group = "icg-x-rule-" + Math.random().toString(36).slice(2);
  const radios = data.rules.map((r, i) => el("input", { type: "radio", name: group, value: r.key, onchange: () => set({ rule: i }) }));
  const ruleStyle = (i) => "stroke:" + data.rules[i].colour + ";stroke-dasharray:" + data.rules[i].dash;
  const swatch = (i) => svg("svg", { viewBox: "0 0 20 10", width: 20, height: 10, "aria-hidden": "true" },
    svg("path", { d: "M1 5H19", style: ruleStyle(i), class: "icg-x-steps-rule icg-x-steps-now" }));
  const rules = el("fieldset", { class: "icg-x-steps-rules" }, el("legend", {}, "Rule"),
    ...data.rules.map((r, i) => el("label", {}, radios[i], el("span", {}, swatch(i), r.label))));

  const path = svg("svg", { class: "icg-x-chart icg-x-steps-path", height: 352, role: "img" });
  const race = svg("svg", { class: "icg-x-chart icg-x-steps-race", role: "img" });
  const readout = el("p", { class: "icg-x-readout" });
  const spoken = speaker();
  const hint = el("p", { class: "icg-x-caption" });
  stage.append(
    el("div", { class: "icg-x-controls" }, functionMenu, steps.node), rules,
    el("div", { class: "icg-x-steps-charts" }, path, race), readout, spoken.node, hint);

  function set(change) {
    Object.assign(state, change);
    const rule = data.rules[state.rule].key;
    state.n = Math.max(state.n, least(rule));
    steps.input.min = least(rule);
    functionMenu.querySelector("select").selectedIndex = state.f;
    steps.set(state.n);
    radios.forEach((radio, i) => { radio.checked = i === state.rule; });
    draw();
  }

  // ---- drawing
  const text = (x, y, anchor, what, kind) => svg("text", { x, y, "text-anchor": anchor, class: kind || "" }, what);
  const points = (list) => list.map((p, i) => (i ? "L" : "M") + p[0].toFixed(1) + " " + p[1].toFixed(1)).join("");

  // Where to draw the curve: evenly, closely around a needle, and on both sides of a kink.
  function places(f) {
    const extra = f.narrow ? range(121).map((k) => f.narrow[0] + (k / 60 - 1) * f.narrow[1]) : [];
    return range(201).map((k) => k / 200).concat(extra, ...f.marks.map((m) => [m - 1e-9, m + 1e-9]))
      .filter((a) => a >= 0 && a <= 1).sort((a, b) => a - b);
  }

  // The scale of one of the two charts on the left: from the smallest to the largest of `values`, with ticks.
  function axis(values, top, bottom) {
    const low = Math.min(...values), high = Math.max(...values), pad = (high - low) * 0.07 || 1;
    const y0 = low - pad, y1 = high + pad;
    return { y: (v) => top + (bottom - top) * (y1 - v) / (y1 - y0), ticks: niceTicks(y0, y1, 3) };
  }

  function drawPath(f, m) {
    const width = path.clientWidth;
    if (width < 80) return;
    const left = 46, right = 22, x = (a) => left + (width - left - right) * a;
    const at = places(f), from = m.edges;
    const sums = [f.value(0)].concat(cumulated(areas(m)).map((s) => f.value(0) + s));
    const upper = axis(at.map(f.value).concat(sums), 24, 124), lower = axis(at.map(f.slope).concat([0], m.heights), 166, 308);
    const tone = m.gap > 0 ? plus : minus;
    const grid = (s) => s.ticks.map((t) => svg("g", {},
      svg("line", { x1: left, x2: width - right, y1: s.y(t), y2: s.y(t), class: "icg-x-grid" }), text(left - 6, s.y(t) + 4, "end", number(t))));
    const small = m.nodes.length > 24;
    path.setAttribute("viewBox", "0 0 " + width + " 352");
    path.replaceChildren(
      text(0, 12, "start", "output F, and what the steps collect (dashed)", "icg-x-axis"), ...grid(upper),
      text(0, 154, "start", "slope dF/dα, and the areas of the steps", "icg-x-axis"), ...grid(lower),
      ...shapes(m, x, lower.y),
      svg("line", { x1: left, x2: width - right, y1: lower.y(0), y2: lower.y(0), class: "icg-x-steps-zero" }),
      svg("path", { d: points(at.map((a) => [x(a), lower.y(f.slope(a))])), class: "icg-x-steps-curve" }),
      ...m.nodes.map((a, k) => svg("circle", { cx: x(a), cy: lower.y(m.heights[k]), r: small ? 2 : 3.6, class: "icg-x-steps-node" })),
      svg("path", { d: points(at.map((a) => [x(a), upper.y(f.value(a))])), class: "icg-x-steps-curve" }),
      svg("path", { d: points(from.map((a, k) => [x(a), upper.y(sums[k])])), class: "icg-x-steps-sum", style: "stroke:" + tone }),
      // The gap: from where the output ends to where the sum ends.
      svg("line", { x1: x(1) + 8, x2: x(1) + 8, y1: upper.y(f.value(1)), y2: upper.y(f.value(0) + m.area), style: "stroke:" + tone, class: "icg-x-steps-gap" }),
      svg("circle", { cx: x(1) + 8, cy: upper.y(f.value(0) + m.area), r: 4, style: "fill:" + tone }),
      ...[0, 0.25, 0.5, 0.75, 1].map((t) => text(x(t), 324, "middle", number(t))),
      text(x(0.5), 344, "middle", "α (0: baseline, 1: input)", "icg-x-axis"));
    path.setAttribute("aria-label", "The output along the path with what " + m.nodes.length + " steps collect of it, and its slope with "
      + "their areas. The numbers stand below.");
  }
  function areas(m) {
    if (m.edges.length > m.nodes.length) return m.nodes.map((_, k) => m.heights[k] * m.weights[k]);
    return range(m.nodes.length - 1).map((k) => (m.heights[k] + m.heights[k + 1]) / 2 * (m.edges[k + 1] - m.edges[k]));
  }
  function shapes(m, x, y) {
    const trapezoids = m.edges.length === m.nodes.length;
    return range(m.edges.length - 1).map((k) => {
      const start = m.heights[k], end = trapezoids ? m.heights[k + 1] : start;
      const outline = [[x(m.edges[k]), y(0)], [x(m.edges[k]), y(start)], [x(m.edges[k + 1]), y(end)], [x(m.edges[k + 1]), y(0)]];
      return svg("path", { d: points(outline) + "Z", class: "icg-x-steps-area", style: "fill:" + (start + end >= 0 ? plus : minus) });
    });
  }

  // The other rules are drawn through some n only: through all of them their ups and downs would hide the one chosen.
  const few = range(data.largest).map((k) => k + 1).filter((n) => n < 5 || [2, 3].some((m) => Number.isInteger(Math.log2(n / m))));
  const raceBox = { left: 50, right: 12, top: 24 };
  function drawRace(f, m) {
    const width = race.clientWidth, height = race.clientHeight, bottom = height - 44;
    if (width < 80) return;
    const { left, right, top } = raceBox, all = gaps(f), values = all.flat().map((p) => Math.log10(p[1]));
    let low = Math.floor(Math.min(...values) + 1e-9), high = Math.ceil(Math.max(...values) - 1e-9);
    if (high - low < 2) [low, high] = [low - 1, high + 1];
    const x = (n) => left + (width - left - right) * Math.log2(n) / Math.log2(data.largest);
    const y = (gap) => top + (bottom - top) * (high - Math.log10(Math.max(gap, tinyGap))) / (high - low);
    const jump = Math.ceil((high - low) / 6), ticks = range(high - low + 1).map((k) => low + k).filter((p) => (high - p) % jump === 0);
    const curve = (i, now) => svg("path", {
      d: points(all[i].filter((p) => now || few.includes(p[0])).map((p) => [x(p[0]), y(p[1])])),
      style: ruleStyle(i), class: "icg-x-steps-rule" + (now ? " icg-x-steps-now" : ""),
    });
    const tone = m.gap > 0 ? plus : minus, cx = x(state.n), cy = y(Math.abs(m.gap));
    race.setAttribute("viewBox", "0 0 " + width + " " + height);
    race.replaceChildren(
      text(0, 12, "start", "size of the gap, all rules", "icg-x-axis"),
      ...ticks.map((p) => svg("g", {}, svg("line", { x1: left, x2: width - right, y1: y(Math.pow(10, p)), y2: y(Math.pow(10, p)), class: "icg-x-grid" }),
        text(left - 6, y(Math.pow(10, p)) + 4, "end", powerOfTen(p)))),
      ...[1, 2, 4, 8, 16, 32, 64].filter((n) => n <= data.largest).map((n) => text(x(n), bottom + 16, "middle", String(n))),
      text((left + width - right) / 2, bottom + 36, "middle", "number of steps n", "icg-x-axis"),
      svg("line", { x1: cx, x2: cx, y1: top, y2: bottom, class: "icg-x-here" }),
      ...data.rules.map((_, i) => (i === state.rule ? null : curve(i, false))).filter(Boolean), curve(state.rule, true),
      svg("circle", { cx, cy, r: 8, style: "fill:" + tone, class: "icg-x-steps-here" }),
      text(cx, cy + 4.5, "middle", m.gap > 0 ? "+" : "−", "icg-x-steps-sign"));
    race.setAttribute("aria-label", "Size of the gap against the number of steps for all rules, both axes logarithmic. Press or drag to choose n.");
  }
  function powerOfTen(p) {
    if (p >= -2 && p <= 2) return number(Math.pow(10, p));
    return (Math.pow(10, p) < 1.5 * tinyGap ? "≤10" : "10") + String(p).replace(/./g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] || "⁻");
  }
  draggable(race, (share) => {
    const width = race.clientWidth, inside = (share * width - raceBox.left) / (width - raceBox.left - raceBox.right);
    set({ n: Math.round(Math.pow(data.largest, Math.min(1, Math.max(0, inside)))) });
  });

  function draw() {
    const f = functions[state.f], m = measure(f, data.rules[state.rule].key, state.n);
    const nothing = Math.abs(m.gap) < tinyGap, gap = nothing ? "0 (to rounding)" : signed(m.gap);
    const verdict = nothing ? "" : m.gap > 0 ? " (too much)" : " (too little)";
    drawPath(f, m);
    drawRace(f, m);
    const facts = [["sum of the areas", number(m.area, 4)], ["change F(1) − F(0)", number(m.exact, 4)], ["gap", gap + verdict]];
    readout.replaceChildren(...facts.map((fact) => el("span", {}, fact[0] + " = ", el("b", {}, fact[1]))));
    hint.textContent = f.hint;
    spoken.say(data.rules[state.rule].label + " rule, " + state.n + (state.n > 1 ? " steps" : " step") + ": gap " + gap + verdict);
  }
  for (const picture of [path, race]) {
    if (window.ResizeObserver) new ResizeObserver(draw).observe(picture);
    else window.addEventListener("resize", draw);
  }
  set({});
  root.__explorable = {
    state, set,
    measure: (name, rule, n) => measure(functions[key(functions, name)], rule, n),
  };
}
