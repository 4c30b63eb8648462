// uses networks.js
// "Damage": lose a picture pixel by pixel, as in certainty training, and ask a network what it still sees.

function build(root, stage, data, colours) {
  const n = data.size, plane = n * n, classes = data.classes, prior = 1 / classes.length, inputs = 1000;
  const levels = unpack(data.pictures, plane * data.labels.length);
  const pictures = data.labels.map((label, k) => ({
    label, values: Float64Array.from(levels.subarray(k * plane, (k + 1) * plane), (v) => v / data.levels),
  }));
  const KINDS = [
    { key: "uniform", name: "uniform, i.i.d." },
    { key: "bernoulli", name: "Bernoulli" },
    { key: "continuous", name: "continuous Bernoulli" },
  ];
  const SOURCES = [{ key: "noise", name: "noise" }, { key: "another", name: "another picture" }];

  // ---- the networks

  const networks = data.networks.map((network) => openNetwork(network, n));
  // Class probabilities. An ordinary network is shown the values only.
  function predict(index, values, certainty) {
    const network = networks[index], input = new Float64Array(network.channels * plane);
    input.set(values);
    if (network.channels > 1) input.set(certainty, plane);
    return softmax(network.forward(input));
  }

  // ---- certainties: the formulas of icg.damage

  // Mean of the density proportional to exp(logit c) on [0, 1]; near 0 by its series, where the formula is 0/0.
  function meanOf(logit) {
    const h = logit / 2;
    return 0.5 + 0.5 * (Math.abs(h) < 0.03 ? h / 3 - h ** 3 / 45 + 2 * h ** 5 / 945 : 1 / Math.tanh(h) - 1 / h);
  }
  // Its inverse by Newton's method, from Cohen's rational approximation.
  function logitOf(mean) {
    const m = Math.min(1 - 1e-7, Math.max(-1 + 1e-7, 2 * mean - 1));
    let h = m * (3 - m * m) / (1 - m * m);
    for (let k = 0; k < 6; k++) {
      const slope = Math.abs(h) < 1e-2 ? 1 / 3 - h * h / 15 : 1 / (h * h) - Math.sinh(Math.min(300, Math.max(-300, h))) ** -2;
      h -= (2 * meanOf(2 * h) - 1 - m) / slope;
    }
    return 2 * h;
  }
  function quantile(u, logit) {
    if (logit > 0) return 1 - quantile(1 - u, -logit);
    if (logit > -1e-3) return u + 0.5 * logit * u * (1 - u);
    return Math.min(1, Math.max(0, Math.log1p(u * Math.expm1(logit)) / logit));
  }
  const density = (c, logit) => (Math.abs(logit) < 1e-9 ? 1 : logit * Math.exp(logit * (c - (logit > 0 ? 1 : 0))) / (logit > 0 ? -Math.expm1(-logit) : Math.expm1(logit)));

  // Certainties of one input from uniform numbers `u`. Moving the mean moves them all one way: the draw stays the same.
  function certainties(kind, mean, u) {
    if (kind === "uniform") return u.slice();
    if (kind === "bernoulli") return u.map((v) => (v < mean ? 1 : 0));
    const logit = logitOf(mean);
    return u.map((v) => quantile(v, logit));
  }

  // ---- damage

  // Uniform numbers in [0, 1) that a seed gives again (mulberry32); one stream for each purpose.
  function random(seed, stream) {
    let a = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream, 0x85ebca6b)) | 0;
    a = Math.imul(a ^ (a >>> 16), 0x21f0aaad);
    return () => {
      a = (a + 0x6d2b79f5) | 0;
      let t = Math.imul(a ^ (a >>> 15), a | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }
  function numbers(seed, stream) {
    const next = random(seed, stream);
    return Float64Array.from({ length: plane }, next);
  }
  const meanAll = (values) => values.reduce((a, b) => a + b, 0) / values.length;

  // D(x, c): every pixel stays with probability c and is replaced otherwise.
  function damage({ picture, seed, kind, mean, source }) {
    const certainty = certainties(kind, mean, numbers(seed, 1)), chance = numbers(seed, 2);
    const skip = Math.floor(random(seed, 4)() * (pictures.length - 1)), other = skip + (skip >= picture ? 1 : 0);
    const replacement = source === "noise" ? numbers(seed, 3) : pictures[other].values;
    const lost = Array.from(chance, (v, i) => v >= certainty[i]);
    const values = pictures[picture].values.map((v, i) => (lost[i] ? replacement[i] : v));
    return { certainty, replacement, lost, values, other, nLost: lost.filter(Boolean).length, extent: 1 - meanAll(certainty) };
  }

  // Damage extents of many training inputs: a new mean for each, drawn from U(0, 1), where there is one to set.
  const extents = {};
  function extentsOf(kind) {
    if (extents[kind]) return extents[kind];
    const next = random(1, 5);
    extents[kind] = Array.from({ length: inputs }, () => {
      const mean = next();
      return 1 - meanAll(certainties(kind, mean, Float64Array.from({ length: plane }, next)));
    });
    return extents[kind];
  }
  function counts(values, bins) {
    const found = new Array(bins).fill(0);
    for (const v of values) found[Math.min(bins - 1, Math.floor(v * bins))]++;
    return found;
  }

  // ---- the undamaged picture at one certainty everywhere

  const grid = Array.from({ length: 51 }, (_, k) => k / 50), curves = new Map();
  const at = (network, picture, c) => predict(network, pictures[picture].values, new Float64Array(plane).fill(c));
  function curveOf(network, picture) {
    const key = network + " " + picture;
    if (!curves.has(key)) curves.set(key, []);
    return curves.get(key);
  }
  // A few points at a time, so that the page stays quick while the curves grow, from c = 1 down.
  function grow() {
    const curve = curveOf(state.network, state.picture), until = performance.now() + 12;
    while (curve.length < grid.length && performance.now() < until) {
      curve.push(at(state.network, state.picture, grid[grid.length - 1 - curve.length]));
    }
    chart.draw();
    if (curve.length < grid.length) timer = setTimeout(grow);
  }
  let timer = null;

  // ---- controls

  const state = { picture: data.first, seed: 1, kind: "continuous", mean: 0.3, source: "noise", network: 0, c: 0.5, damaged: null, says: null, atC: null };
  const shown = classes.map((_, label) => label).filter((label) => data.labels.includes(label)); // classes there are pictures of
  const pictureMenu = menu("Picture", (k) => set({ picture: data.labels.indexOf(shown[k]) }));
  const kindMenu = menu("Certainties", (k) => set({ kind: KINDS[k].key }));
  const sourceMenu = menu("Damage data", (k) => set({ source: SOURCES[k].key }));
  const meanSlider = slider("Mean certainty", { min: 0, max: 1, step: 0.01 },
    (value) => (state.kind === "uniform" ? "always ≈ ½" : number(value, 2)), (mean) => set({ mean }));
  const redraw = button("New picture", () => set({ picture: nextPicture() }));
  const again = button("Draw again", () => set({ seed: state.seed + 1 }));

  const panels = {
    picture: panel("Picture", "the undamaged picture"),
    replacement: panel("Damage data", "what lost pixels are replaced by"),
    certainty: panel("Certainty", "certainty of each pixel, pale for 0 and dark for 1"),
    lost: panel("Kept or lost", "pixels that were kept, dark, and pixels that were lost, pale"),
    damaged: panel("Damaged", "the damaged picture that the network gets"),
  };
  const facts = el("div", { class: "icg-dm-facts" });
  const words = el("p", { class: "icg-dm-words" });
  const certaintyChart = histogram("Certainties of the " + plane + " pixels", "certainty");
  const extentChart = histogram("Damage extents of " + inputs + " inputs", "damage extent");

  const switches = networks.map((network, k) => button(network.name, () => set({ network: k })));
  const bars = classes.map(barRow);
  const verdict = el("p", { class: "icg-x-note icg-dm-verdict" });
  const chart = curveChart((c) => setC(c));
  const cInput = el("input", { type: "range", min: 0, max: 1, step: 0.01, "aria-label": "Certainty of every pixel of the undamaged picture",
    oninput: () => setC(Number(cInput.value)) });
  const reading = el("p", { class: "icg-x-readout icg-dm-reading" });
  const spoken = speaker();
  stage.append(
    el("div", { class: "icg-x-controls icg-dm-controls" },
      el("div", { class: "icg-dm-pair" }, pictureMenu, redraw), kindMenu, sourceMenu,
      el("div", { class: "icg-dm-pair icg-dm-wide" }, meanSlider.node, again)),
    el("div", { class: "icg-x-panels icg-dm-panels" }, ...Object.values(panels).map((p) => p.node), facts),
    words,
    el("div", { class: "icg-dm-two" }, certaintyChart.node, extentChart.node),
    el("div", { class: "icg-dm-switches", role: "group", "aria-label": "Network" },
      el("span", { class: "icg-dm-name" }, "What the network says"), ...(networks.length > 1 ? switches : [])),
    el("div", { class: "icg-dm-answers" },
      el("div", {}, el("p", { class: "icg-x-label" }, "of the damaged picture"),
        el("div", { role: "list", "aria-label": "Class probabilities" }, ...bars.map((b) => b.node)),
        el("div", { class: "icg-dm-bar icg-dm-scale", "aria-hidden": "true" }, el("span", {}), el("span", {}, el("em", { style: "left: " + 100 * prior + "%" }, "1/" + classes.length))),
        verdict),
      el("div", {}, el("p", { class: "icg-x-label" }, "of the undamaged picture, at certainty c"), chart.node, el("div", { class: "icg-x-scrub icg-dm-scrub" }, cInput), reading)),
    spoken.node);

  function nextPicture() { // the next one of the same class
    const same = data.labels.map((_, k) => k).filter((k) => data.labels[k] === pictures[state.picture].label);
    return same[(same.indexOf(state.picture) + 1) % same.length];
  }
  function set(change) {
    Object.assign(state, change);
    pictureMenu.fill(shown.map((label) => classes[label]), shown.indexOf(pictures[state.picture].label));
    kindMenu.fill(KINDS.map((k) => k.name), KINDS.findIndex((k) => k.key === state.kind));
    sourceMenu.fill(SOURCES.map((k) => k.name), SOURCES.findIndex((k) => k.key === state.source));
    state.damaged = damage(state);
    state.says = predict(state.network, state.damaged.values, state.damaged.certainty);
    draw();
    setC(state.c);
    clearTimeout(timer);
    grow();
  }
  function setC(c) {
    state.c = Math.min(1, Math.max(0, Math.round(100 * c) / 100));
    state.atC = at(state.network, state.picture, state.c);
    cInput.value = state.c;
    cInput.style.setProperty("--done", 100 * state.c + "%");
    const words = classes.map((name, k) => name + " " + number(state.atC[k], 2));
    cInput.setAttribute("aria-valuetext", "certainty " + number(state.c, 2) + ": " + words.join(", "));
    reading.replaceChildren(el("span", {}, "c = ", el("b", {}, number(state.c, 2))),
      ...classes.map((name, k) => el("span", { class: "icg-dm-" + k }, badge(k), name + " ", el("b", {}, number(state.atC[k], 2)))));
    chart.draw();
  }

  // ---- drawing

  const shade = (v) => grey(Math.round(255 * v));
  const PALE = [233, 240, 241], DARK = [14, 78, 92];
  const sure = (c) => PALE.map((v, i) => Math.round(v + c * (DARK[i] - v)));

  function draw() {
    const d = state.damaged, picture = pictures[state.picture], uniform = state.kind === "uniform";
    const mean = 1 - d.extent, name = classes[picture.label], logit = uniform ? 0 : logitOf(state.mean);
    paint(panels.picture.canvas, n, n, picture.values, shade);
    paint(panels.replacement.canvas, n, n, d.replacement, shade);
    paint(panels.certainty.canvas, n, n, d.certainty, sure);
    paint(panels.lost.canvas, n, n, d.lost, (lost) => sure(lost ? 0 : 1));
    paint(panels.damaged.canvas, n, n, d.values, shade);
    panels.picture.note.textContent = name;
    panels.replacement.note.textContent = state.source === "noise" ? "noise" : "another: " + classes[pictures[d.other].label];
    panels.certainty.note.replaceChildren(swatch(PALE), "0 to 1 ", swatch(DARK));
    panels.lost.note.replaceChildren(swatch(DARK), "kept ", swatch(PALE), "lost");
    panels.damaged.note.textContent = "goes in";
    const fact = (text, value) => el("span", {}, text + " ", el("b", {}, value));
    facts.replaceChildren(fact("mean drawn", number(mean, 3)), fact("damage extent", number(d.extent, 3)),
      fact("lost pixels", d.nLost + " of " + plane), fact("draw", String(state.seed)));

    meanSlider.input.disabled = uniform;
    meanSlider.node.classList.toggle("icg-dm-off", uniform);
    meanSlider.set(uniform ? 0.5 : state.mean);
    words.textContent = explain(d);

    const bins = 20, found = counts(d.certainty, bins), x = Array.from({ length: 101 }, (_, k) => k / 100);
    const expected = state.kind === "bernoulli" ? null : x.map((c) => plane / bins * density(c, logit));
    certaintyChart.set({
      counts: found, line: expected, mark: mean,
      words: "mean " + number(mean, 2), top: Math.max(40, ...found),
    });
    const spread = counts(extentsOf(state.kind), 40);
    extentChart.set({
      counts: spread, line: null, mark: d.extent,
      words: "this one " + number(d.extent, 2), top: Math.max(60, ...spread),
    });

    switches.forEach((b, k) => b.setAttribute("aria-pressed", String(k === state.network)));
    const best = state.says.indexOf(Math.max(...state.says));
    bars.forEach((b, k) => b.set(state.says[k], k === picture.label));
    verdict.textContent = sentence(best, picture.label);
    spoken.say("Mean certainty " + number(mean, 2) + ", " + d.nLost + " pixels lost. " + verdict.textContent);
  }
  function swatch(rgb) { return el("span", { class: "icg-dm-swatch", style: "background: rgb(" + rgb + ")", "aria-hidden": "true" }); }
  const percent = (share) => {
    const off = Math.min(share, 1 - share);
    return (off < 0.0005 && off > 0 ? (share < 0.5 ? "<0.1" : ">99.9") : number(100 * share, off < 0.0995 ? 1 : 0)) + " %";
  };
  function sentence(best, label) {
    const p = state.says[best], blind = networks[state.network].channels > 1 ? "" : " It is not told the certainty.";
    if (p < 1.5 * prior) return "Hardly anything is known: all classes are close to 1/" + classes.length + "." + blind;
    return (p < 0.7 ? "Leans towards " : "Says ") + classes[best] + " (" + percent(p) + "): " + (best === label ? "right." : "wrong, the picture shows " + classes[label] + ".") + blind;
  }
  function explain(d) {
    const all = extentsOf(state.kind), low = number(Math.min(...all), 2), high = number(Math.max(...all), 2);
    const what = state.source === "noise" ? "" : " Lost pixels look as genuine as the kept ones: only the certainty tells.";
    if (state.kind === "uniform") {
      return plane + " independent certainties always average close to ½: of " + inputs + " inputs, the least damaged has extent " + low
        + " and the most damaged " + high + ". An input of which nothing is known never occurs." + what;
    }
    const ends = "With a new mean for every input, the extents go from " + low + " to " + high + ".";
    if (state.kind === "bernoulli") return "Every certainty is 0 or 1, so nothing is left to chance: the certainty is the mask. " + ends + what;
    const shape = Math.abs(state.mean - 0.5) < 1e-9 ? "At mean ½ the density is flat"
      : "The density is exp(" + (Math.abs(logitOf(state.mean)) > 1e4 ? "±∞" : number(logitOf(state.mean))) + " c), scaled: " + (state.mean < 0.5 ? "it falls" : "it rises") + ", with exactly the mean you set";
    return shape + ". " + ends + what;
  }

  // ---- pieces

  // The class's own sign, on its colour.
  function badge(k) {
    const lines = { nothing: "M4.5 10L9.5 4", plus: "M7 3.2V10.8M3.2 7H10.8", cross: "M4.2 4.2L9.8 9.8M9.8 4.2L4.2 9.8", bar: "M3.4 7H10.6" }[classes[k]];
    const shape = classes[k] === "ring" ? [svg("circle", { cx: 7, cy: 7, r: 3.2 })]
      : classes[k] === "nothing" ? [] : lines ? [svg("path", { d: lines })] : [svg("text", { x: 7, y: 10.5, "text-anchor": "middle" }, String(k + 1))];
    return svg("svg", { class: "icg-dm-badge icg-dm-" + k, width: 14, height: 14, viewBox: "0 0 14 14", "aria-hidden": "true" }, svg("circle", { cx: 7, cy: 7, r: 7, class: "icg-dm-disc" }), ...shape);
  }
  function barRow(name, k) {
    const fill = el("i", {}), value = el("b", {}), title = el("span", { class: "icg-dm-class" }, badge(k), name);
    const track = el("span", { class: "icg-dm-track" }, fill, el("em", { style: "left: " + 100 * prior + "%" }));
    const node = el("div", { class: "icg-dm-bar icg-dm-" + k, role: "listitem" }, title, track, value);
    return {
      node,
      set(p, right) {
        fill.style.width = 100 * p + "%";
        value.textContent = number(p, 3);
        node.classList.toggle("icg-dm-right", right);
        node.setAttribute("aria-label", name + " " + number(p, 3) + (right ? ", what the picture shows" : ""));
      },
    };
  }
  const text = (x, y, anchor, what, kind) => svg("text", { x, y, "text-anchor": anchor, class: kind || "" }, what);
  function watch(node, draw) {
    if (window.ResizeObserver) new ResizeObserver(draw).observe(node);
    else window.addEventListener("resize", draw);
  }

  // Counts in equal bins of [0, 1], perhaps the curve that they are drawn from, and one marked place.
  function histogram(title, axis) {
    const left = 34, right = 10, above = 22, height = 136, below = 36;
    const node = svg("svg", { class: "icg-x-chart icg-dm-histogram", height, role: "img" });
    const box = el("div", {}, el("p", { class: "icg-x-label" }, title), node);
    let now = null;
    function draw() {
      const width = node.clientWidth;
      if (!now || width < 80) return;
      node.setAttribute("viewBox", "0 0 " + width + " " + height);
      const px = (x) => left + (width - left - right) * x, py = (y) => above + (height - above - below) * (1 - Math.min(1.04, y / now.top));
      const step = 1 / now.counts.length, gap = Math.min(1, (px(step) - px(0)) / 8);
      const line = now.line && now.line.map((y, i) => (i ? "L" : "M") + px(i / (now.line.length - 1)).toFixed(1) + " " + py(y).toFixed(1)).join("");
      node.replaceChildren(
        ...niceTicks(0, now.top, 2).map((t) => svg("g", {},
          svg("line", { x1: left, x2: width - right, y1: py(t), y2: py(t), class: "icg-x-grid" }), text(left - 6, py(t) + 4, "end", number(t)))),
        ...now.counts.map((k, i) => (k ? svg("rect", { x: px(i * step) + gap, width: px(step) - px(0) - 2 * gap, y: py(k), height: py(0) - py(k), class: "icg-dm-column" }) : "")),
        line ? svg("path", { d: line, class: "icg-dm-density" }) : "",
        svg("line", { x1: px(now.mark), x2: px(now.mark), y1: above - 4, y2: py(0), class: "icg-dm-mark" }),
        text(px(now.mark), above - 8, now.mark < 0.25 ? "start" : now.mark > 0.75 ? "end" : "middle", now.words, "icg-dm-value"),
        ...[0, 0.5, 1].map((t) => text(px(t), height - below + 15, "middle", number(t))),
        text(px(0.5), height - 5, "middle", axis));
    }
    watch(node, draw);
    return {
      node: box,
      set(what) {
        now = what;
        node.setAttribute("aria-label", title + ", " + now.words);
        draw();
      },
    };
  }

  // Probability of every class against the certainty of all pixels; drag to move the marked certainty.
  function curveChart(move) {
    const left = 34, right = 14, above = 12, height = 166, below = 40;
    const node = svg("svg", { class: "icg-x-chart", height, "aria-hidden": "true" });
    function draw() {
      const width = node.clientWidth;
      if (!state.atC || width < 80) return;
      node.setAttribute("viewBox", "0 0 " + width + " " + height);
      const px = (c) => left + (width - left - right) * c, py = (p) => above + (height - above - below) * (1.03 - p) / 1.06;
      const curve = curveOf(state.network, state.picture), label = pictures[state.picture].label;
      const order = classes.map((_, k) => k).sort((a, b) => (a === label) - (b === label) || state.atC[a] - state.atC[b]); // the right class on top
      const path = (k) => curve.map((p, i) => (i ? "L" : "M") + px(grid[grid.length - 1 - i]).toFixed(1) + " " + py(p[k]).toFixed(1)).join("");
      node.replaceChildren(
        ...[0, 0.5, 1].map((t) => svg("g", {}, svg("line", { x1: left, x2: width - right, y1: py(t), y2: py(t), class: "icg-x-grid" }), text(left - 6, py(t) + 4, "end", number(t)))),
        svg("line", { x1: left, x2: width - right, y1: py(prior), y2: py(prior), class: "icg-dm-prior" }),
        text(left - 6, py(prior) + 4, "end", "1/" + classes.length),
        ...[0, 0.25, 0.5, 0.75, 1].map((t) => text(px(t), height - below + 16, "middle", number(t))),
        text(px(0.5), height - 6, "middle", "certainty c"),
        svg("line", { x1: px(state.c), x2: px(state.c), y1: above - 6, y2: height - below, class: "icg-x-here" }),
        ...order.map((k) => svg("path", { d: path(k), class: "icg-dm-curve icg-dm-" + k + (k === label ? " icg-dm-right" : "") })),
        ...order.map((k) => {
          const mark = badge(k);
          mark.setAttribute("x", px(state.c) - 7);
          mark.setAttribute("y", py(state.atC[k]) - 7);
          return mark;
        }));
    }
    draggable(node, (share) => move((share * node.clientWidth - left) / (node.clientWidth - left - right)));
    watch(node, draw);
    return { node, draw };
  }

  root.__explorable = { state, pictures, networks, set, setC, damage, predict, certainties, meanOf, logitOf, quantile, density, random, numbers, extentsOf, counts, curveOf, grid };
  set({});
}
