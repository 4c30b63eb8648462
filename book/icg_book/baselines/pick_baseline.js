// "Pick the baseline from the picture": a grey, or the grey of a pixel, as the baseline of Integrated Gradients.

function build(root, stage, data, colours) {
  const n = data.size, plane = n * n, top = data.levels, classes = data.classes;
  const layers = data.layers.map((layer) => {
    const whole = new Int16Array(unpack(layer.weights, 2 * layer.inputs * layer.bias.length).buffer);
    return { weights: Float64Array.from(whole, (w) => w * layer.scale), bias: layer.bias, inputs: layer.inputs };
  });
  const cases = data.cases.map((c) => {
    const levels = unpack(c.levels, plane);
    return { ...c, levels, values: Float64Array.from(levels, (v) => v / top), inks: levels.filter((v) => v === c.ink).length };
  });

  // ---- the network: layers of weights and biases with tanh between them, then softmax
  function times(layer, values) { // weights times values, without the bias
    const { weights, inputs } = layer, out = new Float64Array(layer.bias.length);
    for (let j = 0, at = 0; j < out.length; j++) for (let i = 0; i < inputs; i++, at++) out[j] += weights[at] * values[i];
    return out;
  }
  function back(layer, upper) { // transposed weights times upper
    const { weights, inputs } = layer, out = new Float64Array(inputs);
    for (let j = 0, at = 0; j < upper.length; j++) for (let i = 0; i < inputs; i++, at++) out[i] += weights[at] * upper[j];
    return out;
  }
  // From what the first layer makes of the input (without bias): all probabilities, and the gradient of one of them.
  function run(first, label) {
    const hidden = [];
    let sums = first;
    for (let k = 0; ; k++) {
      const bias = layers[k].bias;
      sums = sums.map((s, j) => s + bias[j]);
      if (k === layers.length - 1) break;
      hidden.push(sums.map(Math.tanh));
      sums = times(layers[k + 1], hidden[k]);
    }
    const most = Math.max(...sums), exp = sums.map((s) => Math.exp(s - most)), total = exp.reduce((x, y) => x + y);
    const p = exp.map((e) => e / total);
    let gradient = p.map((q, k) => p[label] * ((k === label ? 1 : 0) - q));
    for (let k = layers.length - 1; k > 0; k--) {
      const values = hidden[k - 1];
      gradient = back(layers[k], gradient).map((g, j) => g * (1 - values[j] * values[j]));
    }
    return { p: p[label], all: p, gradient };
  }
  const probabilities = (values) => Array.from(run(times(layers[0], values), 0).all);
  const flat = (grey) => new Float64Array(plane).fill(grey);

  // Integrated Gradients from one baseline by the middle rule. The first layer is linear, so only what it makes of the
  // two ends is needed on the way, and its gradient is taken back to the pixels once, at the end.
  function integrate(values, baseline, label) {
    const start = times(layers[0], baseline), end = times(layers[0], values), sum = new Float64Array(start.length);
    for (let k = 0; k < data.steps; k++) {
      const a = (k + 0.5) / data.steps;
      run(start.map((s, j) => s + a * (end[j] - s)), label).gradient.forEach((g, j) => { sum[j] += g / data.steps; });
    }
    const mean = back(layers[0], sum);
    return { mean, credit: mean.map((g, i) => (values[i] - baseline[i]) * g), from: run(start, label).p, to: run(end, label).p };
  }

  // The mean over grey baselines (whole hundredths), and what the page says of it.
  function attribute(index, greys) {
    const c = cases[index], credit = new Float64Array(plane), factor = new Float64Array(plane), mean = new Float64Array(plane);
    let from = 0, to = 0;
    for (const grey of greys) {
      const one = integrate(c.values, flat(grey / top), c.label);
      from += one.from / greys.length;
      to = one.to;
      for (let i = 0; i < plane; i++) {
        credit[i] += one.credit[i] / greys.length;
        factor[i] += (c.levels[i] - grey) / top / greys.length;
        mean[i] += one.mean[i] / greys.length;
      }
    }
    let all = 0, ink = 0, sum = 0;
    credit.forEach((v, i) => { all += Math.abs(v); sum += v; if (c.levels[i] === c.ink) ink += Math.abs(v); });
    const blind = Array.from(c.levels, (v) => greys.every((grey) => v === grey));
    return { credit, factor, mean, from, to, sum, gap: sum - (to - from), onInk: all ? ink / all : 0, all, blind, nBlind: blind.filter(Boolean).length };
  }
  // The glyph's share for every grey, a few at a time, so that the page stays quick while the curve grows.
  const curves = cases.map(() => []);
  function grow(index) {
    const curve = curves[index], until = performance.now() + 12;
    while (curve.length <= top && performance.now() < until) curve.push(attribute(index, [curve.length]).onInk);
    if (index !== state.index) return;
    chart.draw();
    if (curve.length <= top) setTimeout(() => grow(index));
  }

  // ---- controls
  const state = { index: 0, greys: [0], pixel: 0, result: null };
  const presets = [
    ["black", () => [0]], ["middle", () => [top / 2]], ["white", () => [top]],
    ["glyph’s grey", (c) => [c.ink]], ["ground’s grey", (c) => [c.ground]], ["black & white", () => [0, top]],
  ];
  const pictures = menu("Picture", choose);
  const buttons = presets.map(([name, greys]) => button(name, () => take(greys(cases[state.index]))));
  const picture = panel("Picture", "the picture; the pixel in the frame is the one spoken of below");
  const start = panel("Baseline", "the baseline");
  const credit = panel("Credit", "credit of each pixel by Integrated Gradients; orange for the class, blue against it");
  const blind = panel("Blind spot", "the picture with the pixels hatched that have the baseline's grey and can get no credit");
  const frame = svg("rect", {
    width: 1, height: 1, class: "icg-pb-pixel", tabindex: 0, role: "slider", "aria-label": "Pixel whose grey is the baseline",
    "aria-valuemin": 0, "aria-valuemax": plane - 1, onkeydown: step,
  });
  for (const p of [picture, start, credit, blind]) p.marks.setAttribute("viewBox", "0 0 " + n + " " + n);
  const frames = [picture, credit].map((p) => svg("rect", { width: 1, height: 1, class: "icg-pb-halo" }));
  picture.marks.removeAttribute("aria-hidden");
  picture.marks.append(frames[0], frame);
  const echo = svg("rect", { width: 1, height: 1, class: "icg-pb-pixel" });
  credit.marks.append(frames[1], echo);
  const surface = picture.marks.parentNode;
  surface.classList.add("icg-pb-surface");
  draggable(surface, (x, y) => {
    const place = (share) => Math.min(n - 1, Math.max(0, Math.floor(share * n)));
    pick(place(y) * n + place(x));
  });

  const sum = el("p", { class: "icg-x-readout icg-pb-pixel-line" });
  const chart = shareChart((grey) => take([grey]));
  const swatch = el("span", { class: "icg-pb-swatch", "aria-hidden": "true" });
  const slide = el("input", {
    type: "range", min: 0, max: top, step: 1, "aria-label": "Grey of the baseline", class: "icg-pb-grey",
    oninput: () => take([Number(slide.value)]),
  });
  const readout = el("p", { class: "icg-x-readout" });
  const caption = el("p", { class: "icg-x-caption icg-pb-words" });
  const spoken = speaker();
  stage.append(
    el("div", { class: "icg-x-controls" }, pictures),
    el("div", { class: "icg-pb-presets", role: "group", "aria-label": "Baseline" }, ...buttons),
    el("div", { class: "icg-x-panels icg-pb-panels" }, picture.node, start.node, credit.node, blind.node),
    el("div", { class: "icg-x-keys" }, el("span", { class: "icg-x-note" }, "Press a pixel: its grey becomes the baseline."),
      signedLegend(colours, "of the credit")),
    sum, caption, chart.node, el("div", { class: "icg-x-scrub" }, swatch, slide), readout, spoken.node);

  // ---- choosing
  function choose(index) { // another picture; a preset stays what it is called
    const was = presets.findIndex(([, greys]) => String(greys(cases[state.index])) === String(state.greys));
    state.index = index;
    const c = cases[index];
    pictures.fill(cases.map((one) => one.name), index);
    state.pixel = c.levels.indexOf(c.ink);
    take(was < 0 ? state.greys : presets[was][1](c));
    setTimeout(() => grow(index));
  }
  function pick(pixel) { state.pixel = pixel; take([cases[state.index].levels[pixel]]); }
  function step(event) {
    const y = Math.floor(state.pixel / n), x = state.pixel % n;
    const to = { ArrowLeft: [y, x - 1], ArrowRight: [y, x + 1], ArrowUp: [y - 1, x], ArrowDown: [y + 1, x], Home: [y, 0], End: [y, n - 1] }[event.key];
    if (!to) return;
    event.preventDefault();
    if (to.every((v) => v >= 0 && v < n)) pick(to[0] * n + to[1]);
  }
  function take(greys) {
    state.greys = greys;
    state.result = attribute(state.index, greys);
    draw();
  }

  // ---- drawing
  const grey2 = (level) => number(level / top, 2);
  function percent(share) { // one decimal near the ends; 0 % and 100 % only where they are exact
    const off = Math.min(share, 1 - share);
    if (off > 0 && off < 0.0005) return (share < 0.5 ? "<0.1" : ">99.9") + " %";
    return number(100 * share, off > 0 && off < 0.0995 ? 1 : 0) + " %";
  }
  const P = (value) => el("span", {}, "P(" + classes[cases[state.index].label] + ") = ", el("b", {}, number(value, 3)));

  function draw() {
    const c = cases[state.index], r = state.result, two = state.greys.length > 1, name = classes[c.label];
    const shade = (level) => Math.round(255 * level / top);
    paint(picture.canvas, n, n, c.levels, (level) => grey(shade(level)));
    paint(blind.canvas, n, n, c.levels, (level) => grey(shade(level)));
    const at = Array.from({ length: plane }, (_, i) => state.greys[two && i % n + Math.floor(i / n) >= n ? 1 : 0]);
    paint(start.canvas, n, n, at, (level) => grey(shade(level)));
    const scale = Math.max(...r.credit.map(Math.abs)) || 1;
    paint(credit.canvas, n, n, Array.from(r.credit, (v) => Math.round(127 * v / scale)), colours);
    const hatch = r.blind.map((hit, i) => (hit ? "M" + i % n + " " + (Math.floor(i / n) + 1) + "l1 -1" : "")).join("");
    blind.marks.replaceChildren(...["icg-pb-hatch-rim", "icg-pb-hatch"].map((kind) => svg("path", { d: hatch, class: kind })));

    picture.note.replaceChildren(P(r.to), el("span", {}, "glyph " + grey2(c.ink) + ", ground " + grey2(c.ground)));
    start.note.replaceChildren(P(r.from), el("span", {}, two ? "0.00 and 1.00, averaged" : "grey " + grey2(state.greys[0])));
    credit.note.replaceChildren(el("span", {}, percent(r.onInk) + " on the glyph"), el("span", {}, "scale ±" + number(scale)));
    blind.note.replaceChildren(el("span", {}, r.nBlind ? r.nBlind + " of " + plane + " pixels" : "no pixel"),
      el("span", {}, r.nBlind ? "credit exactly 0" : "all can get credit"));
    buttons.forEach((b, k) => b.setAttribute("aria-pressed", String(String(presets[k][1](c)) === String(state.greys))));

    // One pixel, factor by factor.
    const i = state.pixel, y = Math.floor(i / n), x = i % n, kind = c.levels[i] === c.ink ? "glyph" : "ground";
    for (const f of [...frames, frame, echo]) { f.setAttribute("x", x); f.setAttribute("y", y); }
    frame.setAttribute("aria-valuenow", i);
    frame.setAttribute("aria-valuetext", "row " + (y + 1) + ", column " + (x + 1) + ", " + kind + ", grey " + grey2(c.levels[i]) + ", credit " + signed(r.credit[i], 4));
    const b = (text) => el("b", {}, text);
    sum.replaceChildren(el("span", {}, "Framed pixel (" + kind + "): "), two
      ? el("span", {}, "mean of two credits = ", b(signed(r.credit[i], 4)))
      : el("span", {}, "(" + grey2(c.levels[i]) + " − " + grey2(state.greys[0]) + ") × mean gradient ", b(signed(r.mean[i], 4)), " = credit ", b(signed(r.credit[i], 4))));

    caption.textContent = words(c, r, name);
    chart.set({ y: curves[state.index], ink: c.ink, ground: c.ground, grey: two ? null : state.greys[0], share: r.onInk });
    slide.value = two ? top / 2 : state.greys[0];
    slide.classList.toggle("icg-pb-off", two);
    slide.setAttribute("aria-valuetext", two ? "black and white, averaged" : "grey " + grey2(state.greys[0]));
    swatch.style.background = two ? "linear-gradient(135deg, #000 50%, #fff 50%)" : "rgb(" + grey(shade(state.greys[0])) + ")";
    const facts = [["sum of the credit", signed(r.sum, 3)], ["P(picture) − P(baseline)", signed(r.to - r.from, 3)],
      ["gap", signed(r.gap, 4)], ["on the glyph", percent(r.onInk)], ["on the ground", percent(1 - r.onInk)]];
    readout.replaceChildren(...facts.map((f) => el("span", {}, f[0] + " = ", b(f[1]))));
    spoken.say((two ? "Black and white. " : "Grey " + grey2(state.greys[0]) + ". ") + percent(r.onInk) + " of the credit on the glyph. " + caption.textContent);
  }

  function words(c, r, name) {
    const grey = state.greys[0], away = Math.abs(grey - c.ink), around = Math.abs(grey - c.ground);
    const shareOf = (glyph) => (glyph ? "The glyph gets " : "The ground gets ") + percent(glyph ? r.onInk : 1 - r.onInk) + " of the credit";
    if (state.greys.length > 1) {
      return "No pixel is black and white at once, so none must get zero. But where the two gradients are alike, "
        + (c.ink === top / 2 ? "middle grey, like this glyph’s, loses" : "a pixel loses to one baseline some of")
        + (c.ink === top / 2 ? " as much as it earns. " : " what it earns from the other. ") + shareOf(true) + ".";
    }
    if (away === 0) {
      return "The glyph has the baseline’s grey: none of its " + c.inks + " pixels can get credit, although erasing it takes P("
        + name + ") from " + number(r.to, 3) + " to " + number(attribute(state.index, [c.ground]).from, 3) + ".";
    }
    if (around === 0) {
      return "The ground has the baseline’s grey: its " + (plane - c.inks) + " pixels get nothing, the glyph everything. "
        + "It looks right, but only who knows what is glyph and what is ground can choose it.";
    }
    if (Math.min(away, around) <= 0.1 * top) {
      return (away < around ? "The glyph" : "The ground") + " is only " + grey2(Math.min(away, around))
        + " away from the baseline’s grey, and its gradients are multiplied by that: almost blind. " + shareOf(away < around) + ".";
    }
    return "No pixel has the baseline’s grey. The glyph is " + grey2(away) + " away from it, the ground " + grey2(around) + ". "
      + shareOf(true) + " with " + percent(c.inks / plane) + " of the pixels.";
  }

  // The glyph's share of the credit for every grey, with the picture's two greys marked.
  function shareChart(choose) {
    const left = 60, right = 14, above = 38, height = 150, below = 22;
    const node = svg("svg", { class: "icg-x-chart", height, "aria-hidden": "true" });
    let now = null;
    const px = (grey) => left + (node.clientWidth - left - right) * grey / top;
    const py = (share) => above + (height - above - below) * (1.03 - share) / 1.06;
    function draw() {
      if (!now || node.clientWidth < 80) return;
      node.setAttribute("viewBox", "0 0 " + node.clientWidth + " " + height);
      const text = (x, y, anchor, what, kind) => svg("text", { x, y, "text-anchor": anchor, class: kind || "" }, what);
      const mark = (grey, what) => svg("g", {},
        svg("line", { x1: px(grey), x2: px(grey), y1: above - 6, y2: height - below, class: "icg-x-here" }),
        text(px(grey), above - 9, grey < 0.1 * top ? "start" : grey > 0.9 * top ? "end" : "middle", what));
      const d = now.y.map((share, grey) => (grey ? "L" : "M") + px(grey).toFixed(1) + " " + py(share).toFixed(1)).join("");
      node.replaceChildren(
        text(0, 12, "start", "credit on the glyph, by the baseline’s grey", "icg-x-axis"),
        ...[0, 0.5, 1].map((t) => svg("g", {}, svg("line", { x1: left, x2: px(top), y1: py(t), y2: py(t), class: "icg-x-grid" }),
          text(left - 8, py(t) + 4, "end", percent(t)))),
        ...[0, 0.25, 0.5, 0.75, 1].map((t) => text(px(t * top), height - 5, "middle", number(t))),
        mark(now.ink, "glyph’s grey"), mark(now.ground, "ground’s grey"),
        svg("path", { d, class: "icg-x-line icg-x-past" }),
        now.grey === null ? svg("line", { x1: left, x2: px(top), y1: py(now.share), y2: py(now.share), class: "icg-pb-both" })
          : svg("circle", { cx: px(now.grey), cy: py(now.share), r: 6, class: "icg-x-dot" }));
    }
    draggable(node, (share) => {
      const inside = (share * node.clientWidth - left) / (node.clientWidth - left - right);
      choose(Math.round(top * Math.min(1, Math.max(0, inside))));
    });
    if (window.ResizeObserver) new ResizeObserver(draw).observe(node);
    else window.addEventListener("resize", draw);
    return { node, draw, set: (what) => { now = what; draw(); } };
  }

  root.__explorable = { state, cases, probabilities, attribute, curves, choose, take, pick };
  choose(0);
}
