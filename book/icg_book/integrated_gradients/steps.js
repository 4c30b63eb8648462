// uses charts.js
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

  const path = chart({ left: 46, right: 22, top: 166, bottom: 44, height: 352, class: "icg-x-chart icg-x-steps-path", role: "img", "aria-hidden": null }, {
    scales: () => found && [[0, 1], around([...found.at.map(found.f.slope), 0, ...found.heights])], draw: drawPath,
  });
  const race = chart({ left: 50, right: 12, top: 24, bottom: 44, class: "icg-x-chart icg-x-steps-race", role: "img", "aria-hidden": null }, {
    scales: raceScales, draw: drawRace, pick: (x) => set({ n: Math.round(Math.pow(2, x)) }),
  });
  const readout = el("p", { class: "icg-x-readout" });
  const spoken = speaker();
  const hint = el("p", { class: "icg-x-caption" });
  stage.append(
    el("div", { class: "icg-x-controls" }, functionMenu, steps.node), rules,
    el("div", { class: "icg-x-steps-charts" }, path.node, race.node), readout, spoken.node, hint);

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
  let found = null; // the function, where its curve is drawn, and what the rule makes of it

  // Where to draw the curve: evenly, closely around a needle, and on both sides of a kink.
  function places(f) {
    const extra = f.narrow ? range(121).map((k) => f.narrow[0] + (k / 60 - 1) * f.narrow[1]) : [];
    return range(201).map((k) => k / 200).concat(extra, ...f.marks.map((m) => [m - 1e-9, m + 1e-9]))
      .filter((a) => a >= 0 && a <= 1).sort((a, b) => a - b);
  }

  function around(values) { // from the smallest to the largest, and a little more
    const low = Math.min(...values), high = Math.max(...values), pad = (high - low) * 0.07 || 1;
    return [low - pad, high + pad];
  }

  // Two plots, one above the other: the output, and its slope.
  function drawPath(lower) {
    const { f, at } = found, m = found, sums = [f.value(0)].concat(cumulated(areas(m)).map((s) => f.value(0) + s));
    const upper = plotted({ ...lower, top: 24, bottom: 124 }, [0, 1], around(at.map(f.value).concat(sums)));
    const tone = m.gap > 0 ? plus : minus, small = m.nodes.length > 24, end = lower.x(1) + 8, sum = upper.y(f.value(0) + m.area);
    path.node.setAttribute("aria-label", "The output along the path with what " + m.nodes.length + " steps collect of it, and its slope with "
      + "their areas. The numbers stand below.");
    return [
      svgText(0, 12, "start", "output F, and what the steps collect (dashed)", "icg-x-axis"), ...upper.grid(niceTicks(upper.low, upper.high, 3), 6),
      svgText(0, 154, "start", "slope dF/dα, and the areas of the steps", "icg-x-axis"), ...lower.grid(niceTicks(lower.low, lower.high, 3), 6),
      ...shapes(m, lower),
      lower.across(0, "icg-x-steps-zero"),
      lower.line(at.map((a) => [a, f.slope(a)]), "icg-x-steps-curve"),
      ...m.nodes.map((a, k) => lower.dot(a, m.heights[k], small ? 2 : 3.6, "icg-x-steps-node")),
      upper.line(at.map((a) => [a, f.value(a)]), "icg-x-steps-curve"),
      upper.line(m.edges.map((a, k) => [a, sums[k]]), "icg-x-steps-sum", { style: "stroke:" + tone }),
      // The gap: from where the output ends to where the sum ends.
      svg("line", { x1: end, x2: end, y1: upper.y(f.value(1)), y2: sum, style: "stroke:" + tone, class: "icg-x-steps-gap" }),
      svg("circle", { cx: end, cy: sum, r: 4, style: "fill:" + tone }),
      ...lower.below([0, 0.25, 0.5, 0.75, 1], 16),
      lower.name("α (0: baseline, 1: input)", 344)];
  }
  function areas(m) {
    if (m.edges.length > m.nodes.length) return m.nodes.map((_, k) => m.heights[k] * m.weights[k]);
    return range(m.nodes.length - 1).map((k) => (m.heights[k] + m.heights[k + 1]) / 2 * (m.edges[k + 1] - m.edges[k]));
  }
  function shapes(m, plot) {
    const trapezoids = m.edges.length === m.nodes.length;
    return range(m.edges.length - 1).map((k) => {
      const start = m.heights[k], end = trapezoids ? m.heights[k + 1] : start, [a, b] = m.edges.slice(k, k + 2);
      return svg("path", { d: plot.path([[a, 0], [a, start], [b, end], [b, 0]]) + "Z", class: "icg-x-steps-area", style: "fill:" + (start + end >= 0 ? plus : minus) });
    });
  }

  // The other rules are drawn through some n only: through all of them their ups and downs would hide the one chosen.
  const few = range(data.largest).map((k) => k + 1).filter((n) => n < 5 || [2, 3].some((m) => Number.isInteger(Math.log2(n / m))));
  const exponent = (gap) => Math.log10(Math.max(gap, tinyGap));
  function raceScales() { // of the logarithms
    if (!found) return null;
    const all = gaps(found.f).flat().map((p) => Math.log10(p[1]));
    const low = Math.floor(Math.min(...all) + 1e-9), high = Math.ceil(Math.max(...all) - 1e-9);
    return [[0, Math.log2(data.largest)], high - low < 2 ? [low - 1, high + 1] : [low, high]];
  }
  function drawRace(plot) {
    const { low, high, bottom } = plot, all = gaps(found.f), tone = found.gap > 0 ? plus : minus;
    const jump = Math.ceil((high - low) / 6), ticks = range(high - low + 1).map((k) => low + k).filter((p) => (high - p) % jump === 0);
    const curve = (i, now) => plot.line(all[i].filter((p) => now || few.includes(p[0])).map((p) => [Math.log2(p[0]), exponent(p[1])]),
      "icg-x-steps-rule" + (now ? " icg-x-steps-now" : ""), { style: ruleStyle(i) });
    const x = Math.log2(state.n), y = exponent(Math.abs(found.gap));
    race.node.setAttribute("aria-label", "Size of the gap against the number of steps for all rules, both axes logarithmic. Press or drag to choose n.");
    return [
      svgText(0, 12, "start", "size of the gap, all rules", "icg-x-axis"),
      ...plot.grid(ticks, 6, powerOfTen),
      ...plot.below(range(7).filter((k) => 2 ** k <= data.largest), 16, (k) => String(2 ** k)),
      plot.name("number of steps n", bottom + 36),
      plot.upright(x, "icg-x-here"),
      ...data.rules.map((_, i) => (i === state.rule ? null : curve(i, false))), curve(state.rule, true),
      plot.dot(x, y, 8, "icg-x-steps-here", { style: "fill:" + tone }),
      svgText(plot.x(x), plot.y(y) + 4.5, "middle", found.gap > 0 ? "+" : "−", "icg-x-steps-sign")];
  }
  function powerOfTen(p) {
    if (p >= -2 && p <= 2) return number(Math.pow(10, p));
    return (Math.pow(10, p) < 1.5 * tinyGap ? "≤10" : "10") + String(p).replace(/./g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] || "⁻");
  }

  function draw() {
    const f = functions[state.f], m = measure(f, data.rules[state.rule].key, state.n);
    found = { ...m, f, at: places(f) };
    const nothing = Math.abs(m.gap) < tinyGap, gap = nothing ? "0 (to rounding)" : signed(m.gap);
    const verdict = nothing ? "" : m.gap > 0 ? " (too much)" : " (too little)";
    path.draw();
    race.draw();
    const facts = [["sum of the areas", number(m.area, 4)], ["change F(1) − F(0)", number(m.exact, 4)], ["gap", gap + verdict]];
    readout.replaceChildren(...facts.map((fact) => el("span", {}, fact[0] + " = ", el("b", {}, fact[1]))));
    hint.textContent = f.hint;
    spoken.say(data.rules[state.rule].label + " rule, " + state.n + (state.n > 1 ? " steps" : " step") + ": gap " + gap + verdict);
  }
  root.__explorable = {
    state, set,
    measure: (name, rule, n) => measure(functions[key(functions, name)], rule, n),
  };
  return (async () => { // a little at a time
    await pause();
    gaps(functions[state.f]);
    await pause();
    set({});
  })();
}
