// uses networks.js
// uses charts.js
// "Pick the baseline from the picture": a grey, or the grey of a pixel, as the baseline of Integrated Gradients.

function build(root, stage, data, colours) {
  const n = data.size, plane = n * n, top = data.levels, classes = data.classes, network = openNetwork(data.network, n);
  const cases = data.cases.map((c) => {
    const levels = unpack(c.levels, plane);
    return { ...c, levels, values: Float64Array.from(levels, (v) => v / top), inks: levels.filter((v) => v === c.ink).length };
  });

  const probabilities = (values) => softmax(network.forward(values));
  const flat = (grey) => new Float64Array(plane).fill(grey);

  // Integrated Gradients from one baseline by the middle rule. Along the path the first layers are straight, so only what they
  // make of the two ends is needed on the way, and their gradient is taken back to the pixels once, at the end.
  function integrate(values, baseline, label) {
    const front = (input) => network.forward(input, 0, network.straight).slice();
    const rest = (middle) => softmax(network.forward(middle, network.straight));
    const start = front(baseline), end = front(values), sum = new Float64Array(start.length);
    for (let k = 0; k < data.steps; k++) {
      const a = (k + 0.5) / data.steps, p = rest(start.map((s, j) => s + a * (end[j] - s)));
      const slope = network.backward(p.map((q, j) => p[label] * ((j === label ? 1 : 0) - q)), network.straight);
      for (let j = 0; j < sum.length; j++) sum[j] += slope[j] / data.steps;
    }
    const mean = network.backward(sum, 0, network.straight).slice();
    return { mean, credit: mean.map((g, i) => (values[i] - baseline[i]) * g), from: rest(start)[label], to: rest(end)[label] };
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
    shares.draw();
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
  const shares = chart({ left: 60, right: 14, top: 38, bottom: 22, height: 150 }, {
    scales: () => state.result && [[0, top], [-0.03, 1.03]], draw: drawShares, pick: (level) => take([Math.round(level)]),
  });
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
    sum, caption, shares.node, el("div", { class: "icg-x-scrub" }, swatch, slide), readout, spoken.node);

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
    shares.draw();
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
  function drawShares(plot) {
    const { ink, ground } = cases[state.index], share = state.result.onInk;
    const mark = (level, what) => svg("g", {}, plot.upright(level, "icg-x-here", plot.top - 6),
      svgText(plot.x(level), plot.top - 9, level < 0.1 * top ? "start" : level > 0.9 * top ? "end" : "middle", what));
    return [
      svgText(0, 12, "start", "credit on the glyph, by the baseline’s grey", "icg-x-axis"),
      ...plot.grid([0, 0.5, 1], 8, percent),
      ...plot.below([0, 0.25, 0.5, 0.75, 1].map((t) => t * top), 17, (level) => number(level / top)),
      mark(ink, "glyph’s grey"), mark(ground, "ground’s grey"),
      plot.line(curves[state.index].map((y, level) => [level, y]), "icg-x-line icg-x-past"),
      state.greys.length > 1 ? plot.across(share, "icg-pb-both") : plot.dot(state.greys[0], share, 6, "icg-x-dot")];
  }

  root.__explorable = { state, probabilities, curves, choose, take };
  return pause().then(() => choose(0));
}
