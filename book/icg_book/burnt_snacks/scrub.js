// "Scrub the path": input, gradient and attribution so far at each position of a path.

function build(root, stage, data, colours) {
  const cases = data.cases;
  const words = {
    alpha: { short: "α", axis: "α (0: baseline, 1: image)" },
    certainty: { short: "certainty", axis: "certainty (0: nothing known, 1: all)" },
    draw: { short: "draw", axis: "number of draws" },
  };
  const state = { index: 0, step: 0, timer: null };
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
  const scrubber = el("input", { type: "range", min: 0, step: 1, value: 0, oninput: () => { pause(); go(Number(scrubber.value)); } });
  const icon = svg("path", {});
  const play = el("button", { type: "button", class: "icg-x-play", onclick: () => (state.timer ? pause() : start()) },
    svg("svg", { viewBox: "0 0 24 24", width: 20, height: 20, "aria-hidden": "true" }, icon));

  const input = panel("Input", "the interpolated input at this position");
  const gradient = panel("Gradient here", "the gradient of the output at this position; orange positive, blue negative");
  const gathered = panel("Gathered so far", "the attribution gathered up to this position; orange positive, blue negative");
  const chart = lineChart((position) => { pause(); go(nearest(position)); });
  const readout = el("p", { class: "icg-x-readout" });
  const spoken = speaker();
  const caption = el("p", { class: "icg-x-caption" });

  stage.append(
    el("div", { class: "icg-x-controls" }, imageMenu, methodMenu),
    el("div", { class: "icg-x-panels" }, input.node, gradient.node, gathered.node),
    el("div", { class: "icg-x-keys" }, marks, signedLegend(colours, "of each map")),
    chart.node,
    el("div", { class: "icg-x-scrub" }, play, scrubber),
    readout, spoken.node, caption);

  // ---- moving
  function nearest(position) {
    const distance = cases[state.index].positions.map((p) => Math.abs(p - position));
    return distance.indexOf(Math.min(...distance));
  }
  function start() {
    const last = cases[state.index].positions.length - 1;
    if (state.step === last) go(0);
    const pauseBetween = Math.max(40, Math.min(250, 5000 / last)); // about five seconds for a path
    state.timer = setInterval(() => {
      go(state.step + 1);
      if (state.step === last) pause();
    }, pauseBetween);
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
    play.title = state.timer ? "Pause" : "Play";
  }

  // Another case: keep the share of the path that was reached.
  function choose(index) {
    const share = state.step / (cases[state.index].positions.length - 1), c = cases[index], last = c.positions.length - 1;
    pause();
    state.index = index;
    imageMenu.fill(images, images.indexOf(c.image));
    methodMenu.fill(methodsOf(c.image), methodsOf(c.image).indexOf(c.method));
    scrubber.max = last;
    scrubber.setAttribute("aria-label", c.parameter);
    chart.set({
      x: c.curve.x, y: c.curve.y, from: c.positions[0], to: c.positions[last],
      label: c.curve_label, axis: words[c.parameter].axis,
    });
    drawMarks();
    go(Math.round(share * last));
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

  function go(step) {
    const c = cases[state.index], a = arrays(state.index), plane = c.width * c.height;
    const part = (values) => values.subarray(step * plane, (step + 1) * plane);
    state.step = step;
    scrubber.value = step;
    scrubber.style.setProperty("--done", 100 * step / (c.positions.length - 1) + "%");
    paint(input.canvas, c.width, c.height, part(a.frames), grey);
    paint(gradient.canvas, c.width, c.height, part(a.gradients), colours);
    paint(gathered.canvas, c.width, c.height, part(a.gathered), colours);

    const position = c.positions[step], output = interpolate(c.curve.x, c.curve.y, position), change = output - c.curve.y[0];
    const known = c.certainty ? c.certainty[step] : null;
    input.canvas.style.opacity = known === null ? 1 : known; // uncertain pixels let the hatching through
    input.note.textContent = known === null ? "black 0, white 1" : known === 0 ? "nothing known"
      : known === 1 ? "all known" : Math.round(100 * known) + " % known";
    // Each gradient has its own scale, so say how strong it is beside the strongest of this path.
    const share = 100 * c.scales[step] / (Math.max(...c.scales) || 1);
    gradient.note.replaceChildren(el("span", {}, "max " + number(c.scales[step])),
      el("span", {}, (share > 0 && share < 0.1 ? "<0.1" : number(share, share < 9.95 ? 1 : 0)) + " % of peak"));
    gathered.note.textContent = "scale ±" + number(c.scale);
    chart.move(position, output);

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
  state.step = Math.round(0.5 * (cases[0].positions.length - 1));
  choose(0);
  root.__explorable = { cases, arrays, state, go, choose };
}
