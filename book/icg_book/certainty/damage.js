// uses damage_maths.js
// uses charts.js
// "Damage": lose a picture pixel by pixel, as in certainty training, and ask a network what it still sees.

function build(root, stage, data, colours) {
  const n = data.size, plane = n * n, classes = data.classes, prior = 1 / classes.length;
  const { pictures, networks, inputs, predict, logitOf, density, damage, extentsOf, counts, at } = damageMaths(data);
  const KINDS = [
    { key: "uniform", name: "uniform, i.i.d." },
    { key: "bernoulli", name: "Bernoulli" },
    { key: "continuous", name: "continuous Bernoulli" },
  ];
  const SOURCES = [{ key: "noise", name: "noise" }, { key: "another", name: "another picture" }];

  // ---- the undamaged picture at one certainty everywhere

  const grid = Array.from({ length: 51 }, (_, k) => k / 50), curves = new Map();
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
    chances.draw();
    if (curve.length < grid.length) timer = setTimeout(grow);
  }
  let timer = null;
  let last = ""; // what was asked last is still there
  function answerAt(...question) {
    if (String(question) === last) return state.atC;
    last = String(question);
    return at(...question);
  }

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
  const chances = chart({ left: 34, right: 14, top: 12, bottom: 40, height: 166 }, {
    scales: () => state.atC && [[0, 1], [-0.03, 1.03]], draw: drawChances, pick: setC,
  });
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
      el("div", {}, el("p", { class: "icg-x-label" }, "of the undamaged picture, at certainty c"), chances.node, el("div", { class: "icg-x-scrub icg-dm-scrub" }, cInput), reading)),
    spoken.node);

  function nextPicture() { // the next one of the same class
    const same = data.labels.map((_, k) => k).filter((k) => data.labels[k] === pictures[state.picture].label);
    return same[(same.indexOf(state.picture) + 1) % same.length];
  }
  function set(change) {
    Object.assign(state, change);
    for (const step of STEPS) step();
  }
  const STEPS = [compute, fillMenus, draw, () => setC(state.c), () => { clearTimeout(timer); timer = setTimeout(grow); }];
  function compute() {
    state.damaged = damage(state);
    state.says = predict(state.network, state.damaged.values, state.damaged.certainty);
  }
  function fillMenus() {
    pictureMenu.fill(shown.map((label) => classes[label]), shown.indexOf(pictures[state.picture].label));
    kindMenu.fill(KINDS.map((k) => k.name), KINDS.findIndex((k) => k.key === state.kind));
    sourceMenu.fill(SOURCES.map((k) => k.name), SOURCES.findIndex((k) => k.key === state.source));
  }
  function setC(c) {
    state.c = Math.min(1, Math.max(0, Math.round(100 * c) / 100));
    state.atC = answerAt(state.network, state.picture, state.c);
    cInput.value = state.c;
    cInput.style.setProperty("--done", 100 * state.c + "%");
    const words = classes.map((name, k) => name + " " + number(state.atC[k], 2));
    cInput.setAttribute("aria-valuetext", "certainty " + number(state.c, 2) + ": " + words.join(", "));
    reading.replaceChildren(el("span", {}, "c = ", el("b", {}, number(state.c, 2))),
      ...classes.map((name, k) => el("span", { class: "icg-dm-" + k }, badge(k), name + " ", el("b", {}, number(state.atC[k], 2)))));
    chances.draw();
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
  // Counts in equal bins of [0, 1], perhaps the curve that they are drawn from, and one marked place.
  function histogram(title, axis) {
    let now = null;
    const columns = chart({ left: 34, right: 10, top: 22, bottom: 36, height: 136, class: "icg-x-chart icg-dm-histogram", role: "img", "aria-hidden": null }, {
      scales: () => now && [[0, 1], [0, now.top]],
      draw(plot) {
        const step = 1 / now.counts.length, wide = plot.x(step) - plot.x(0), gap = Math.min(1, wide / 8), cut = (v) => Math.min(1.04 * now.top, v);
        return [
          ...plot.grid(niceTicks(0, now.top, 2), 6),
          ...now.counts.map((k, i) => k && svg("rect", { x: plot.x(i * step) + gap, width: wide - 2 * gap, y: plot.y(cut(k)), height: plot.y(0) - plot.y(cut(k)), class: "icg-dm-column" })),
          now.line && plot.line(now.line.map((v, i) => [i / (now.line.length - 1), cut(v)]), "icg-dm-density"),
          plot.upright(now.mark, "icg-dm-mark", plot.top - 4),
          svgText(plot.x(now.mark), plot.top - 8, now.mark < 0.25 ? "start" : now.mark > 0.75 ? "end" : "middle", now.words, "icg-dm-value"),
          ...plot.below([0, 0.5, 1], 15),
          plot.name(axis, 131, "")];
      },
    });
    return {
      node: el("div", {}, el("p", { class: "icg-x-label" }, title), columns.node),
      set(what) {
        now = what;
        columns.node.setAttribute("aria-label", title + ", " + now.words);
        columns.draw();
      },
    };
  }

  // Probability of every class against the certainty of all pixels, the right one on top.
  function drawChances(plot) {
    const curve = curveOf(state.network, state.picture), right = pictures[state.picture].label;
    const order = classes.map((_, k) => k).sort((a, b) => (a === right) - (b === right) || state.atC[a] - state.atC[b]);
    return [
      ...plot.grid([0, 0.5, 1], 6),
      plot.across(prior, "icg-dm-prior"),
      svgText(plot.left - 6, plot.y(prior) + 4, "end", "1/" + classes.length),
      ...plot.below([0, 0.25, 0.5, 0.75, 1], 16),
      plot.name("certainty c", 160, ""),
      plot.upright(state.c, "icg-x-here", plot.top - 6),
      ...order.map((k) => plot.line(curve.map((p, i) => [grid[grid.length - 1 - i], p[k]]), "icg-dm-curve icg-dm-" + k + (k === right ? " icg-dm-right" : ""))),
      ...order.map((k) => {
        const mark = badge(k);
        mark.setAttribute("x", plot.x(state.c) - 7);
        mark.setAttribute("y", plot.y(state.atC[k]) - 7);
        return mark;
      })];
  }

  root.__explorable = { state, pictures, damage, extentsOf, set, curveOf };
  return (async () => { // first what takes long, a little at a time
    for (const { key } of KINDS) while (extentsOf(key, performance.now() + 8).length < inputs) await pause();
    for (const step of STEPS) { await pause(); step(); }
  })();
}
