// uses six_sliders_maths.js
// uses charts.js
// "Six sliders": six components on the score curve of the Local Minimum scenario, and what every method gives them.

function build(root, stage, data, colours) {
  const levels = data.levels;
  const { f, shares, largest, list, findings, sentences, FAINT } = sixSlidersWords(data);

  // ---- controls ---------------------------------------------------------------------------------------------------

  const state = { values: data.start.slice(), scaled: true, active: 0 };
  let now = null;
  const round = (v) => Math.round(Math.min(1, Math.max(0, v)) * levels) / levels;
  const presets = data.presets.map((p) => {
    const b = button(p.name, () => set(p.values));
    b.values = p.values;
    return b;
  });
  const random = button("draw at random", () => set(state.values.map(() => Math.random())));
  const chip = (i, tag) => el(tag || "span", { class: "icg-six-chip icg-six-" + (i + 1) }, String(i + 1));

  const sliders = state.values.map((_, i) => {
    const s = slider("", { min: 0, max: 1, step: 1 / levels }, (v) => number(v, 2) + " (score " + signed(f(v), 2) + ")", (v) => move(i, v));
    s.node.classList.add("icg-six-" + (i + 1), "icg-six-field");
    s.node.querySelector("span").prepend(chip(i, "i"));
    s.input.setAttribute("aria-label", "Component " + (i + 1));
    s.input.addEventListener("focus", () => { state.active = i; mark(); });
    return s;
  });

  // ---- the curve
  const curve = chart({ left: 46, right: 12, top: 16, bottom: 38, height: 226, class: "icg-x-chart icg-six-curve", "aria-hidden": null }, {
    scales: () => [[0, 1], [-1.02, 1.08]], draw: drawCurve,
  });
  const dots = state.values.map((_, i) => {
    const node = svg("g", { class: "icg-six-dot icg-six-" + (i + 1), tabindex: 0, role: "slider", "aria-label": "Component " + (i + 1) + " on the curve",
      "aria-valuemin": 0, "aria-valuemax": 1, onkeydown: (event) => key(i, event), onfocus: () => { state.active = i; mark(); } },
    svg("circle", { r: 21, class: "icg-six-grip" }), svg("circle", { r: 15, class: "icg-six-ring" }), svg("circle", { r: 10.5 }),
    svg("text", { y: 4.2, "text-anchor": "middle", "aria-hidden": "true" }, String(i + 1)));
    let offset = 0; // between the finger and the dot that it holds
    draggable(node, (_, __, event) => {
      const { left, right } = curve.plot, x = (event.clientX - curve.node.getBoundingClientRect().left - left) / (right - left);
      if (event.type === "pointerdown") { offset = state.values[i] - x; state.active = i; mark(); } else move(i, x + offset);
    });
    return node;
  });
  curve.node.append(...dots);
  function key(i, event) {
    const v = state.values[i], far = event.shiftKey ? 0.1 : 0.01;
    const to = { ArrowLeft: v - far, ArrowDown: v - far, ArrowRight: v + far, ArrowUp: v + far, PageDown: v - 0.1, PageUp: v + 0.1, Home: 0, End: 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    move(i, to);
  }

  // ---- the panels
  const NOTES = {
    "score": "f of each component", "exact SHAP": "ideal classifier", "certainty-SHAP": "network, 64 coalitions", "ICG": "network",
    "BShap": "baseline " + data.baseline, "zero IG": "baseline 0", "AGN": "network, σ = 0.1", "EG": "network, random inputs",
  };
  const panels = data.panels.map((p) => {
    const rows = state.values.map((_, i) => {
      const bar = el("i", {}), paper = el("u", {}), value = el("b", {});
      return { node: el("div", { class: "icg-six-row icg-six-" + (i + 1) }, chip(i), el("span", { class: "icg-six-bar" }, bar, paper), value), bar, paper, value };
    });
    const sum = el("span", {}), chart = el("div", { role: "img", "aria-label": p.name }, ...rows.map((r) => r.node));
    return { ...p, rows, sum, chart, node: el("div", { class: "icg-six-panel" },
      el("div", { class: "icg-six-title" }, p.name), el("div", { class: "icg-x-note" }, NOTES[p.name]), chart, el("div", { class: "icg-x-note icg-six-sum" }, sum)) };
  });
  const scaled = el("input", { type: "checkbox", onchange: () => { state.scaled = scaled.checked; draw(); } });
  scaled.checked = state.scaled;
  const legend = el("span", { class: "icg-six-legend" }, el("u", {}), "the paper’s table 2");
  const readout = el("p", { class: "icg-x-readout" });
  const words = el("div", { class: "icg-six-words" });
  const spoken = speaker();
  const e = data.errors, paths = (name) => name + " " + data[name === "AGN" ? "noise" : "draws"].length;
  stage.append(
    el("div", { class: "icg-six-presets" }, ...presets, random),
    curve.node,
    el("div", { class: "icg-six-sliders" }, ...sliders.map((s) => s.node)),
    readout,
    el("div", { class: "icg-six-bars" }, el("label", { class: "icg-x-check" }, scaled, "scale each to its largest"), legend),
    el("div", { class: "icg-six-panels" }, ...panels.map((p) => p.node)),
    words, spoken.node,
    el("p", { class: "icg-x-caption icg-six-small" },
      "All shares are of the probability of a score above 0. Exact SHAP is in closed form. For the rest the page has in tables what the network makes of one component, and its decision network. "
      + "Against the network itself, probabilities are off by at most " + number(e.probability) + " (" + e.probabilities + " random inputs) and shares by at most " + number(e.shares) + " (" + e.inputs
      + " inputs). Paths averaged, the same every time: " + paths("AGN") + ", " + paths("EG") + "."));

  // ---- changes ----------------------------------------------------------------------------------------------------

  function set(values) {
    state.values = values.map(round);
    update();
  }
  function move(i, value) {
    state.active = i;
    state.values[i] = round(value);
    update();
  }
  let asked = "";
  function update() { // controls at once, the bars when they come
    sliders.forEach((s, i) => s.set(state.values[i]));
    for (const b of presets) b.setAttribute("aria-pressed", String(b.values) === String(state.values));
    drawDots();
    mark();
    if (String(state.values) === asked) return; // the answer is there, or on its way
    asked = String(state.values);
    ask(state.values);
  }
  function mark() { // the component that was moved last
    stage.dataset.active = state.active + 1;
  }

  function drawCurve(plot) {
    drawDots();
    return [
      svgText(0, 11, "start", "score f", "icg-x-axis"),
      ...plot.grid([-0.75, 0, 0.5, 1], 8, number, (t) => (t ? "icg-x-grid" : "icg-six-zero")),
      ...plot.below([0, 0.25, 0.5, 0.75, 1], 17),
      plot.name("value of a component", 221),
      plot.upright(0.5, "icg-x-here", plot.y(-0.75), plot.y(1)),
      svg("path", { d: plot.path([[0, -0.75], [0.5, -0.75]]) + plot.path([[0.5, 1], [0.75, 0.5], [1, 1]]), class: "icg-x-line icg-x-past" }),
      svgText(plot.x(0.75), plot.y(0.5) + 28, "middle", "local minimum")];
  }
  function drawDots() {
    if (!curve.plot) return;
    state.values.forEach((v, i) => {
      dots[i].setAttribute("transform", "translate(" + curve.plot.x(v).toFixed(2) + " " + curve.plot.y(f(v)).toFixed(2) + ")");
      dots[i].setAttribute("aria-valuenow", v);
      dots[i].setAttribute("aria-valuetext", number(v, 2) + " (score " + signed(f(v), 2) + ")");
    });
  }

  // Who comes first of a ranking and who last, as far as the digits tell that are shown: beyond them it is rounding.
  function ends(what, ranking, word) {
    const digits = (q) => number(q.by, 2), first = digits(ranking[0]), last = digits(ranking[ranking.length - 1]);
    const those = (shown) => shares.filter((m) => ranking.some((q) => q.m === m && digits(q) === shown));
    if (first === last) return [what + ": no difference between " + list(those(first)) + " (" + first + ")"];
    return [what + (those(first).length > 1 ? " are " : " is "), el("b", {}, list(those(first))), " (" + first + "), " + word + " ", el("b", {}, list(those(last))), " (" + last + ")"];
  }

  const CLASSES = data.classes, REACH = 45; // percent of a panel's width for the largest bar
  function draw() {
    if (!now) return;
    const r = now, ready = whole(), most = Math.max(...shares.map((m) => (r[m] ? largest(r[m]) : 0))) || 1;
    const isPaper = String(data.presets[0].values) === String(r.values);
    legend.style.visibility = isPaper && state.scaled ? "" : "hidden";
    for (const p of panels) {
      p.node.classList.toggle("icg-six-stale", !r[p.name]);
      if (!r[p.name]) continue;
      const v = r[p.name], own = largest(v), limit = state.scaled ? own || 1 : p.name === "score" ? 1 : most;
      const unit = state.scaled ? own || 1 : 1;
      p.node.classList.toggle("icg-six-faint", state.scaled && p.name !== "score" && own <= FAINT);
      p.rows.forEach((row, i) => {
        const share = REACH * Math.abs(v[i]) / limit;
        row.bar.style.width = share + "%";
        row.bar.style.left = (v[i] < 0 ? 50 - share : 50) + "%";
        row.value.textContent = signed(v[i] / unit, 2);
        row.paper.hidden = !(isPaper && state.scaled && p.paper);
        if (!row.paper.hidden) row.paper.style.left = 50 + REACH * p.paper[i] + "%";
      });
      const total = v.reduce((a, b) => a + b, 0);
      p.sum.textContent = p.name === "score" ? "sum " + signed(total, 2) : "sum " + signed(total, 2) + (state.scaled ? ", largest " + (own < 0.0005 ? "<0.001" : number(own, own < 0.01 ? 3 : 2)) : "");
      p.chart.setAttribute("aria-label", p.name + ": " + v.map((w, i) => i + 1 + " " + signed(w / unit, 2)).join(", "));
    }
    const up = r.total > 0, right = r.p > 0.5 === up;
    readout.replaceChildren(
      el("span", {}, "total score ", el("b", {}, signed(r.total, 2))),
      el("span", {}, "ideal class: ", el("b", {}, CLASSES[up ? 1 : 0])),
      el("span", {}, "network: P(" + CLASSES[1] + ") = ", el("b", {}, number(r.p, 3)), right ? "" : " (wrong)"));
    words.classList.toggle("icg-six-stale", !ready);
    if (!ready) return;
    const { found, said } = sentences(r.values, r);
    const names = (who) => who.flatMap((i) => [chip(i), i === who[who.length - 1] ? "" : " "]);
    const lines = said.map(([who, middle, methods]) => el("li", {}, ...names(who), middle, el("b", {}, list(methods)), methods.length ? "." : "",
      methods.includes("exact SHAP") ? " Exact SHAP may: it asks what knowing the value does to the chances, not what it scores." : ""));
    lines.push(el("li", {}, "Compared with exact SHAP: ",
      ...(found.like.length > 1 ? [...ends("most alike in shape (correlation)", found.like, "least"), "; "] : []),
      ...ends("nearest in size (largest difference)", found.off, "farthest"), "."));
    words.replaceChildren(el("ul", {}, ...lines));
    spoken.say("Total score " + signed(r.total, 2) + ", network " + number(r.p, 3) + ". "
      + said.map(([who, middle, methods]) => (who.length ? "Component " + list(who.map((i) => String(i + 1))) : "") + middle + list(methods)).join(". "));
  }

  const whole = () => now !== null && SLOW.every((name) => now[name]); // or the slow methods are still to come
  root.__explorable = { state, set, move, findings, now: () => now, ready: () => whole() && String(now.values) === asked };
  let ask;
  return new Promise((shown) => {
    ask = openSixSlidersAsker(data, (answer) => { now = answer; draw(); shown(); });
    update();
    curve.draw();
  });
}
