// uses landscape_maths.js
// uses charts.js
// uses player.js
// "The landscape": drag the baseline and the input, and see what the path of Integrated Gradients meets on its way.

function build(root, stage, data, colours) {
  const { FUNCTIONS, NAMES, at, results, verdict, facts } = landscapeMaths(data);
  const STEPS = [16, 64, 256, 30000];

  // ---- controls ---------------------------------------------------------------------------------------------------

  const state = { key: data.function, b: data.baseline.slice(), x: data.input.slice(), alpha: 1, steps: 30000 };
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
  const strip = chart({ left: 60, right: 34, top: 26, bottom: 34, height: 150, class: "icg-x-chart icg-land-strip" }, { scales, draw: drawStrip });
  const walker = el("input", { type: "range", min: 0, max: 1, step: 0.01, "aria-label": "walk along the path, alpha",
    oninput: () => { play.pause(); walk(Number(walker.value)); } });
  const play = player({
    title: "Walk the path",
    begin: () => { if (state.alpha >= 1) walk(0); },
    wait: () => 40,
    step: () => { walk(Math.min(1, Number((state.alpha + 0.01).toFixed(2)))); return state.alpha >= 1; },
  });
  const readout = el("p", { class: "icg-x-readout" });

  stage.append(
    el("div", { class: "icg-x-controls icg-land-controls" }, functionMenu, stepsMenu, presets),
    el("div", { class: "icg-land-board" }, el("div", {}, plot, scale, hint),
      el("div", { class: "icg-land-side" }, pointsTable, barTable, sums)),
    verdictBox, spoken.node, strip.node,
    el("div", { class: "icg-x-scrub" }, play.node, walker), readout);

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

  // The ground of a function and its colours, kept: so many pixels take long.
  const grounds = new Map();
  function groundOf(c) {
    if (grounds.has(c.key)) return grounds.get(c.key);
    const info = facts(c.key), n = S, signedMap = info.low < -1e-9, top = Math.max(Math.abs(info.low), info.high);
    const span = top < 1.05 ? 1 : top; // sampled at middles, the top itself is missed by a hair
    // As in the paper: white 0, grey 1. Where there are negative outputs, the book's signed colours, thinned.
    const grade = (v) => signedMap ? colours(Math.round(44 * Math.max(-1, Math.min(1, v / span))))
      : [0, 1, 2].map((i) => Math.round(255 - [112, 106, 100][i] * Math.max(0, Math.min(1, v / span))));
    const f = FUNCTIONS[c.key].f, cells = Float64Array.from({ length: n }, (_, k) => c.low + (c.high - c.low) * (k + 0.5) / n);
    const image = new ImageData(n, n), pixels = image.data.fill(255);
    for (let y = 0, at = 0; y < n; y++) for (let x = 0; x < n; x++, at += 4) {
      pixels.set(grade(f(cells[x], cells[n - 1 - y])), at);
    }
    grounds.set(c.key, { image, signedMap, span, grade });
    return grounds.get(c.key);
  }
  function drawGround() {
    const c = current(), { image, signedMap, span, grade } = groundOf(c);
    canvas.width = canvas.height = S;
    canvas.getContext("2d").putImageData(image, 0, 0);
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
      return svgText(inside(ax), ay, anchor, number(now.corners[k], 2), "icg-land-corner");
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

  function scales() { // zero is always in sight
    if (!now) return null;
    const flat = now.ig.gathered.flat(), low = Math.min(0, ...flat), high = Math.max(0, ...flat), pad = (high - low) * 0.07 || 0.5;
    return [[0, 1], [low - pad, high + pad]];
  }
  function drawStrip(plot) {
    const all = now.ig.gathered, n = all.length - 1, here = gatheredAt(state.alpha), ends = all[n].map(plot.y);
    if (Math.abs(ends[0] - ends[1]) < 14) { // keep the two names apart
      const middle = (ends[0] + ends[1]) / 2, above = ends[0] <= ends[1] ? 0 : 1;
      ends[above] = middle - 7;
      ends[1 - above] = middle + 7;
    }
    return [
      svgText(0, 13, "start", "credit that IG has gathered", "icg-x-axis"),
      ...plot.grid(niceTicks(plot.low, plot.high, 4), 8, number, (t) => (t === 0 ? "icg-land-zero" : "icg-x-grid")),
      ...plot.below([0, 0.25, 0.5, 0.75, 1], 16),
      plot.name("α (0: baseline, 1: input)", 147),
      plot.upright(state.alpha, "icg-x-here"),
      ...[0, 1].map((i) => plot.line(all.map((v, k) => [k / n, v[i]]), "icg-land-line icg-land-f" + (i + 1))),
      ...[0, 1].map((i) => plot.dot(state.alpha, here[i], 5, "icg-land-dot icg-land-f" + (i + 1))),
      ...[0, 1].map((i) => svgText(plot.right + 9, ends[i] + 4, "start", NAMES[i], "icg-land-name icg-land-f" + (i + 1)))];
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
    strip.draw();
    const p = at(state.b, state.x, alpha), v = gatheredAt(alpha), f = FUNCTIONS[state.key].f;
    readout.replaceChildren(...[["α", number(alpha, 2)], ["output", number(f(...p), 3)],
      ["gathered by x₁", signed(v[0], 3)], ["by x₂", signed(v[1], 3)]].map((q) => el("span", {}, q[0] + " = ", el("b", {}, q[1]))));
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
  root.__explorable = { state, choose, move, walk, now: () => now };
  // A little at a time; the other functions before they are chosen.
  async function prepare(c) {
    facts(c.key);
    await pause();
    groundOf(c);
    await pause();
  }
  return (async () => {
    await pause();
    await prepare(current());
    drawGround();
    await pause();
    update();
    data.landscapes.reduce((before, c) => before.then(() => prepare(c)), pause());
  })();
}
