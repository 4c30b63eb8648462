// uses packed.js
// uses charts.js
// uses player.js
// "Scrub the path": input, gradient and attribution so far at each position of a path.

function build(root, stage, data, colours) {
  const cases = data.cases;
  const words = {
    alpha: { short: "α", axis: "α (0: baseline, 1: image)" },
    certainty: { short: "certainty", axis: "certainty (0: nothing known, 1: all)" },
    draw: { short: "draw", axis: "number of draws" },
  };
  const state = { index: 0, step: 0 };
  const unpacked = new Map();

  // The arrays of a case, unpacked when it is first looked at.
  function arrays(index) {
    if (!unpacked.has(index)) {
      const c = cases[index], plane = c.width * c.height, size = plane * c.positions.length;
      const bytes = unpack(c.pixels, 3 * size);
      unpacked.set(index, {
        frames: addSteps(bytes.subarray(0, size), plane),
        gradients: new Int8Array(bytes.buffer, size, size),
        gathered: new Int8Array(addSteps(bytes.subarray(2 * size), plane).buffer, 2 * size, size),
      });
    }
    return unpacked.get(index);
  }

  // ---- controls
  const images = Array.from(new Set(cases.map((c) => c.image)));
  const methodsOf = (image) => cases.filter((c) => c.image === image).map((c) => c.method);
  const find = (image, method) => cases.findIndex((c) => c.image === image && c.method === method);
  const imageMenu = menu("Image", (i) => {
    const methods = methodsOf(images[i]), method = cases[state.index].method;
    choose(find(images[i], methods.includes(method) ? method : methods[0]));
  });
  const methodMenu = menu("Method", (i) => choose(find(cases[state.index].image, methodsOf(cases[state.index].image)[i])));
  const markBox = el("input", { type: "checkbox", onchange: drawMarks });
  const markNames = el("span", { class: "icg-x-names" });
  const marks = el("label", { class: "icg-x-check" }, markBox, "Mark", markNames);
  const scrubber = el("input", { type: "range", min: 0, step: 1, value: 0, oninput: () => { play.pause(); go(Number(scrubber.value)); } });
  const last = () => cases[state.index].positions.length - 1;
  const play = player({
    begin: () => { if (state.step === last()) go(0); },
    wait: () => Math.max(40, Math.min(250, 5000 / last())), // about five seconds for a path
    step: () => { go(state.step + 1); return state.step === last(); },
  });

  const input = panel("Input", "the interpolated input at this position");
  const gradient = panel("Gradient here", "the gradient of the output at this position; orange positive, blue negative");
  const gathered = panel("Gathered so far", "the attribution gathered up to this position; orange positive, blue negative");
  const curve = chart({ left: 60, right: 14, top: 24, bottom: 38, height: 132 }, {
    scales, draw: drawCurve, pick: (position) => { play.pause(); go(nearest(position)); },
  });
  const readout = el("p", { class: "icg-x-readout" });
  const spoken = speaker();
  const caption = el("p", { class: "icg-x-caption" });

  stage.append(
    el("div", { class: "icg-x-controls" }, imageMenu, methodMenu),
    el("div", { class: "icg-x-panels" }, input.node, gradient.node, gathered.node),
    el("div", { class: "icg-x-keys" }, marks, signedLegend(colours, "of each map")),
    curve.node,
    el("div", { class: "icg-x-scrub" }, play.node, scrubber),
    readout, spoken.node, caption);

  // ---- moving
  function nearest(position) {
    const distance = cases[state.index].positions.map((p) => Math.abs(p - position));
    return distance.indexOf(Math.min(...distance));
  }

  // Another case: keep the share of the path that was reached.
  function choose(index) {
    const share = state.step / last(), c = cases[index];
    play.pause();
    state.index = index;
    imageMenu.fill(images, images.indexOf(c.image));
    methodMenu.fill(methodsOf(c.image), methodsOf(c.image).indexOf(c.method));
    scrubber.max = last();
    scrubber.setAttribute("aria-label", c.parameter);
    drawMarks();
    go(Math.round(share * last()));
  }

  function drawMarks() {
    const c = cases[state.index], labels = Array.from(new Set(c.objects.map((o) => o.label)));
    const isDot = (label) => label === "dark square";
    const sign = (label) => svg("svg", { viewBox: "-7 -7 14 14", width: 14, height: 14, "aria-hidden": "true" },
      ...(isDot(label) ? dotMark(0, 0) : ringMark(0, 0, 4)));
    marks.hidden = !labels.length;
    markNames.replaceChildren(...labels.map((label) => el("span", {}, sign(label), label + (/s$/.test(label) ? "" : "s"))));
    for (const p of [input, gradient, gathered]) {
      p.marks.setAttribute("viewBox", "0 0 " + c.width + " " + c.height);
      p.marks.replaceChildren(...(markBox.checked ? c.objects : []).flatMap((o) =>
        isDot(o.label) ? dotMark(o.x + 0.5, o.y + 0.5) : ringMark(o.x + 0.5, o.y + 0.5, 0.03 * c.width)));
    }
  }

  // ---- the curve of the output: a dot moves along it, and what lies behind the dot is drawn bold
  const outputAt = (step) => interpolate(cases[state.index].curve.x, cases[state.index].curve.y, cases[state.index].positions[step]);
  function scales() {
    const { positions, curve: { y } } = cases[state.index], low = Math.min(...y), high = Math.max(...y), pad = (high - low) * 0.06 || 1;
    return [[positions[0], positions[last()]], unit(y) ? [-0.03, 1.03] : [low - pad, high + pad]];
  }
  function unit(y) { return Math.min(...y) >= -0.02 && Math.max(...y) <= 1.02; } // a probability
  function drawCurve(plot) {
    const c = cases[state.index], points = c.curve.x.map((x, i) => [x, c.curve.y[i]]);
    const here = c.positions[state.step], output = outputAt(state.step);
    return [
      svgText(0, 12, "start", c.curve_label, "icg-x-axis"),
      ...plot.grid(unit(c.curve.y) ? [0, 0.5, 1] : niceTicks(plot.low, plot.high, 3)),
      ...plot.below(niceTicks(plot.from, plot.to, plot.right < 406 ? 2 : 4), 16),
      plot.name(words[c.parameter].axis, 127),
      plot.upright(here, "icg-x-here"),
      plot.line(points, "icg-x-line"),
      plot.line(points.filter((p) => p[0] < here).concat([[here, output]]), "icg-x-line icg-x-past"),
      plot.dot(here, output, 6, "icg-x-dot")];
  }

  function go(step) {
    const c = cases[state.index], a = arrays(state.index), plane = c.width * c.height;
    const part = (values) => values.subarray(step * plane, (step + 1) * plane);
    state.step = step;
    scrubber.value = step;
    scrubber.style.setProperty("--done", 100 * step / last() + "%");
    paint(input.canvas, c.width, c.height, part(a.frames), grey);
    paint(gradient.canvas, c.width, c.height, part(a.gradients), colours);
    paint(gathered.canvas, c.width, c.height, part(a.gathered), colours);

    const position = c.positions[step], output = outputAt(step), change = output - c.curve.y[0];
    const known = c.certainty ? c.certainty[step] : null;
    input.canvas.style.opacity = known === null ? 1 : known; // uncertain pixels let the hatching through
    input.note.textContent = known === null ? "black 0, white 1" : known === 0 ? "nothing known"
      : known === 1 ? "all known" : Math.round(100 * known) + " % known";
    // Each gradient has its own scale, so say how strong it is beside the strongest of this path.
    const share = 100 * c.scales[step] / (Math.max(...c.scales) || 1);
    gradient.note.replaceChildren(el("span", {}, "max " + number(c.scales[step])),
      el("span", {}, (share > 0 && share < 0.1 ? "<0.1" : number(share, share < 9.95 ? 1 : 0)) + " % of peak"));
    gathered.note.textContent = "scale ±" + number(c.scale);
    curve.draw();

    const w = words[c.parameter], at = w.short + " = " + number(position, c.parameter === "draw" ? 0 : 3);
    const facts = [[w.short, number(position, c.parameter === "draw" ? 0 : 3)], ["output", number(output, 3)]];
    if (c.parameter !== "draw") facts.push(["change", signed(change, 3)]);
    facts.push(["gathered so far: sum", signed(c.sums[step], 3)]);
    readout.replaceChildren(...facts.map((f) => el("span", {}, f[0] + " = ", el("b", {}, f[1]))));
    scrubber.setAttribute("aria-valuetext", at);
    spoken.say(at + ", output " + number(output, 2) + ", gathered " + signed(c.sums[step], 2));

    const passed = c.caption.filter((pair) => pair[0] === null || pair[0] <= position + 1e-9);
    caption.textContent = passed.length ? passed[passed.length - 1][1] : "";
  }

  markBox.checked = true;
  // Start part of the way along: at the very start there is nothing to see yet.
  state.step = Math.round(0.5 * last());
  root.__explorable = { cases, arrays, state, go, choose, playing: play.playing };
  return pause().then(() => choose(0));
}
