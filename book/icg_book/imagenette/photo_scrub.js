// uses packed.js
// uses charts.js
// uses player.js
// "Scrub certainty over a photograph": the probabilities and the attribution gathered so far at each certainty, as they
// were found on the real network. Between two stops everything runs straight, as the lines of the chart do.

function build(root, stage, data, colours) {
  const NAMED = 0.2, MOST = 4; // classes with a line of their own: the explained, its rival, and who reaches this probability
  const SECONDS = 9, STILL = 450; // for the whole way; with little motion: milliseconds a stop
  const percent = (p) => (p > 0 && p < 0.005 ? "<1 %" : Math.round(100 * p) + " %");
  const photographs = data.photographs.map(prepare);
  const state = { index: 0, certainty: 0, blurred: false, behind: 0 };

  // ---- one photograph's numbers ----------------------------------------------------------------------------------

  function prepare(photo) {
    const c = photo.certainty, p = photo.probabilities, own = p.map((row) => row[photo.target]);
    const top = photo.classes.map((_, k) => Math.max(...p.map((row) => row[k])));
    const order = top.map((_, k) => k).filter((k) => k !== photo.target).sort((a, b) => top[b] - top[a]);
    const named = [photo.target, ...order.filter((k, i) => i === 0 || top[k] >= NAMED).slice(0, MOST - 1)];
    // The place where half of all change has happened: there is something to see, and something to come.
    let change = 0, half = c[c.length - 1];
    const all = own.slice(1).reduce((sum, v, k) => sum + Math.abs(v - own[k]), 0);
    for (let k = 1; k < c.length; k++) {
      change += Math.abs(own[k] - own[k - 1]);
      if (change >= all / 2) { half = c[k]; break; }
    }
    return { ...photo, own, named, half, rest: order.filter((k) => !named.includes(k)), limits: {} };
  }

  // Where a certainty lies among the stops: number of the stop before it, and the share of the way to the next.
  function place(photo, certainty) {
    const c = photo.certainty;
    let k = c.findIndex((next) => next > certainty) - 1;
    if (k < 0) k = c.length - 2;
    return [k, (certainty - c[k]) / (c[k + 1] - c[k])];
  }
  function between(photo, certainty, at) {
    const [k, share] = place(photo, certainty), a = at(k), b = at(k + 1);
    return Array.from(a, (v, i) => v + share * (b[i] - v));
  }
  function numbersAt(photo, certainty) {
    const p = between(photo, certainty, (k) => photo.probabilities[k]);
    const [plus, minus] = between(photo, certainty, (k) => photo.sums[k]);
    return { p, best: p.indexOf(Math.max(...p)), plus, minus, sum: plus + minus, change: p[photo.target] - photo.own[0] };
  }

  // ---- maps: int8 of a photograph's scale --------------------------------------------------------------------------

  function frames(photo) {
    const plane = photo.width * photo.height;
    if (!photo.bytes) photo.bytes = new Int8Array(addSteps(unpack(photo.maps, plane * photo.certainty.length), plane).buffer);
    return (k) => photo.bytes.subarray(k * plane, (k + 1) * plane);
  }
  function blur(photo, values) {
    const sd = Math.max(photo.width, photo.height) / 32, reach = Math.ceil(3 * sd);
    const kernel = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * sd * sd)));
    const total = kernel.reduce((a, b) => a + b, 0);
    const along = (from, n, step, lines, next) => {
      const to = new Float64Array(from.length);
      for (let line = 0; line < lines; line++) for (let i = 0; i < n; i++) {
        let sum = 0;
        for (let j = -reach; j <= reach; j++) sum += kernel[j + reach] * from[line * next + Math.min(n - 1, Math.max(0, i + j)) * step];
        to[line * next + i * step] = sum / total;
      }
      return to;
    };
    return along(along(values, photo.width, 1, photo.height, photo.width), photo.height, photo.width, photo.width, 1);
  }
  // One scale for the whole way, so that the map is seen to grow. One pixel in 200 would wash out the rest.
  function limit(photo, blurred) {
    for (const work of limiting(photo, blurred)) work();
    return photo.limits[blurred];
  }
  function limiting(photo, blurred) { // what is to be done for it, piece by piece
    if (photo.limits[blurred] !== undefined) return [];
    const last = photo.certainty.length - 1, values = [], found = [1e-9];
    for (let k = 1; k <= last; k += Math.max(1, Math.floor(last / 6))) values.push(k);
    values[values.length - 1] = last;
    const pieces = values.map((k) => () => {
      const sizes = Float64Array.from(blurred ? blur(photo, frames(photo)(k)) : frames(photo)(k), Math.abs).sort();
      found.push(sizes[Math.min(sizes.length - 1, Math.floor(0.995 * sizes.length))]);
    });
    return [() => frames(photo), ...pieces, () => { photo.limits[blurred] = Math.max(...found); }];
  }
  function mapAt(photo, certainty, blurred) {
    const values = between(photo, certainty, frames(photo));
    return blurred ? blur(photo, values) : values;
  }

  // ---- what is on the page -----------------------------------------------------------------------------------------

  const thumbs = photographs.map((photo, k) => el("button", { type: "button", class: "icg-ps-thumb", "aria-label": photo.name, title: photo.name, onclick: () => choose(k) },
    el("img", { src: photo.picture, alt: "", role: "presentation" })));
  const picture = el("img", { class: "icg-ps-photo" });
  const seen = el("div", { class: "icg-x-panel" }, el("span", { class: "icg-x-label" }, "What the network may rely on"),
    el("div", { class: "icg-x-picture icg-ps-square" }, picture));
  const map = panel("", ""), under = el("img", { class: "icg-ps-under", alt: "", role: "presentation" });
  map.canvas.before(under);
  map.canvas.parentElement.classList.add("icg-ps-square", "icg-ps-map");
  const label = map.node.querySelector(".icg-x-label");

  const values = el("img", { class: "icg-ps-tile", alt: "", role: "presentation" }), channel = el("i", { class: "icg-ps-tile" }), level = el("b", {});
  const given = el("p", { class: "icg-ps-given" }, "What it is given:",
    el("span", {}, values, "pixel values, never changed"), el("span", {}, channel, el("span", {}, "certainty, ", level, " in every pixel")));

  const smooth = button("Blur the map", () => { state.blurred = !state.blurred; show(); });
  const behind = slider("photograph behind the map", { min: 0, max: 100, step: 5 }, (v) => v + " %", (v) => { state.behind = v / 100; show(); });

  const verdict = el("p", { class: "icg-ps-verdict" });
  const moving = svg("g", {});
  const curves = chart({ left: 60, right: 14, top: 34, bottom: 40, height: 212 }, {
    scales: () => [[0, 1], [0, 1]], draw: drawCurves, pick: (certainty) => { play.pause(); go(certainty); },
  });
  const scrubber = el("input", { type: "range", min: 0, max: 1, step: "any", value: 0, "aria-label": "certainty of every pixel",
    oninput: () => { play.pause(); go(Number(scrubber.value)); }, onkeydown: (event) => keys(event) });
  // The stops lie where the answer changes: to take as long for each is to go slowly there.
  let along = 0; // number of the stop, and the share of the way to the next
  const play = player({
    begin() {
      if (state.certainty >= 1) go(0);
      along = place(photographs[state.index], state.certainty).reduce((k, share) => k + share);
    },
    wait: () => (still() ? STILL : 0),
    step(passed) {
      const c = photographs[state.index].certainty, last = c.length - 1;
      along = Math.min(last, still() ? Math.floor(along + 1e-6) + 1 : along + last * Math.min(100, passed) / (1000 * SECONDS));
      const from = Math.min(last - 1, Math.floor(along));
      go(along >= last ? 1 : c[from] + (along - from) * (c[from + 1] - c[from]));
      return along >= last;
    },
  });
  const legend = el("ul", { class: "icg-ps-legend" });
  const sum = el("p", { class: "icg-ps-sum" }), parts = el("span", { class: "icg-x-note" });
  const spoken = speaker();

  stage.append(
    ...(thumbs.length > 1 ? [el("div", { class: "icg-ps-thumbs", role: "group", "aria-label": "Photographs" }, ...thumbs)] : []),
    el("div", { class: "icg-ps-two" }, seen, map.node),
    given,
    el("div", { class: "icg-ps-tools" }, smooth, behind.node, signedLegend(colours)),
    verdict, curves.node,
    el("div", { class: "icg-x-scrub" }, play.node, scrubber),
    legend, sum, parts, spoken.node,
    el("p", { class: "icg-x-caption" }, "The veil is a picture for us: the network is never shown a darker or greyer photograph. ",
      "Its pixel values stay as they are, and only the certainty channel goes from 0 (nothing may be relied on) to 1 (all of it)."));

  // ---- the chart: one line for each class ----------------------------------------------------------------------------

  function drawCurves(plot) {
    const photo = photographs[state.index];
    const line = (k, kind) => plot.line(photo.certainty.map((c, i) => [c, photo.probabilities[i][k]]), "icg-ps-line " + kind);
    move();
    return [
      svgText(0, 12, "start", "probability of each class", "icg-x-axis"),
      ...plot.grid([0, 0.5, 1]),
      ...plot.below([0, 0.25, 0.5, 0.75, 1], 22),
      ...photo.certainty.map((c) => plot.upright(c, "icg-ps-stop", plot.bottom + 2, plot.bottom + 7)),
      plot.name("certainty of every pixel", 209),
      ...photo.rest.map((k) => line(k, "icg-ps-rest")),
      ...photo.named.map((k, i) => line(k, "icg-ps-k" + i)).reverse(),
      moving];
  }
  function move() {
    const plot = curves.plot;
    if (!plot) return;
    const photo = photographs[state.index], c = state.certainty, { p, sum } = numbersAt(photo, c), start = photo.own[0], x = plot.x(c);
    // The map's sum is a height, too: it lifts the probability from where it was at certainty 0 to the curve.
    moving.replaceChildren(
      svg("line", { x1: plot.left, x2: x, y1: plot.y(start), y2: plot.y(start), class: "icg-x-here" }),
      plot.upright(c, "icg-ps-handle", plot.top - 2),
      plot.upright(c, "icg-ps-height " + (sum < 0 ? "icg-ps-against" : "icg-ps-for"), plot.y(start), plot.y(start + sum)),
      svg("path", { d: "M" + x + " " + (plot.top + 2) + "l-7 -7v-9h14v9z", class: "icg-ps-grip" }),
      ...photo.named.map((k, i) => plot.dot(c, p[k], i ? 4.5 : 6, "icg-ps-dot icg-ps-k" + i)).reverse());
  }

  // ---- moving ------------------------------------------------------------------------------------------------------

  function keys(event) {
    const c = photographs[state.index].certainty, last = c.length - 1, [k, share] = place(photographs[state.index], state.certainty);
    const before = share > 1e-6 ? k : k - 1, after = share > 1 - 1e-6 ? k + 2 : k + 1;
    const to = { ArrowLeft: before, ArrowDown: before, ArrowRight: after, ArrowUp: after,
      PageDown: before - 4, PageUp: after + 4, Home: 0, End: last }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    play.pause();
    go(c[Math.min(last, Math.max(0, to))]);
  }

  function choose(index) {
    const photo = photographs[index], name = photo.classes[photo.target];
    play.pause();
    state.index = index;
    thumbs.forEach((thumb, k) => thumb.setAttribute("aria-pressed", k === index));
    for (const image of [picture, under, values]) image.src = photo.picture;
    picture.alt = "The photograph “" + photo.name + "” under a veil that lifts as certainty grows";
    label.textContent = "Attribution so far, for " + name;
    const entry = (i, text) => {
      const value = el("b", {});
      const node = el("li", {}, svg("svg", { width: 26, height: 10, "aria-hidden": "true" }, svg("path", { d: "M1 5H25", class: "icg-ps-line " + (i < 0 ? "icg-ps-rest" : "icg-ps-k" + i) })), text + " ", value);
      return { node, value };
    };
    photo.entries = photo.named.map((k, i) => entry(i, photo.classes[k]));
    if (photo.rest.length) photo.entries.push(entry(-1, photo.rest.length === 1 ? photo.classes[photo.rest[0]] : photo.rest.length + " others"));
    legend.replaceChildren(...photo.entries.map((e) => e.node));
    curves.draw();
    go(state.certainty);
  }

  function go(certainty) {
    state.certainty = Math.min(1, Math.max(0, certainty));
    show();
  }

  function show() {
    const photo = photographs[state.index], c = state.certainty, now = numbersAt(photo, c), name = photo.classes[photo.target];
    const shown = number(c, 2), scale = limit(photo, state.blurred);
    picture.style.opacity = c; // the veil is the hatching behind it
    channel.style.background = "rgb(" + [0, 0, 0].map(() => Math.round(255 * c)) + ")";
    level.textContent = shown;
    paint(map.canvas, photo.width, photo.height, mapAt(photo, c, state.blurred),
      (v) => colours(Math.max(-127, Math.min(127, Math.round(127 * v / scale)))));
    map.canvas.setAttribute("aria-label", "Attribution gathered up to certainty " + shown + " for " + name + ": orange for it, blue against it; sum " + signed(now.sum, 3));
    map.canvas.style.imageRendering = state.blurred ? "auto" : "";
    under.style.opacity = state.behind;
    smooth.setAttribute("aria-pressed", state.blurred);

    scrubber.value = c;
    scrubber.style.setProperty("--done", 100 * c + "%");
    scrubber.setAttribute("aria-valuetext", shown);
    move();
    const sure = now.p[now.best];
    verdict.replaceChildren("At certainty ", el("b", {}, shown), " the network says ", el("b", {}, photo.classes[now.best]), " with " + percent(sure) + ".");
    const others = photo.rest.reduce((total, k) => total + now.p[k], 0);
    photo.entries.forEach((e, i) => { e.value.textContent = number(i < photo.named.length ? now.p[photo.named[i]] : others, 2); });
    sum.replaceChildren(
      el("span", {}, "probability of " + name + " so far: ", el("b", {}, number(photo.own[0] + now.change, 3)), " − " + number(photo.own[0], 3) + " at certainty 0 = ", el("b", {}, signed(now.change, 3))),
      el("span", {}, svg("svg", { width: 9, height: 12, "aria-hidden": "true" }, svg("path", { d: "M4.5 0V12", class: "icg-ps-height " + (now.sum < 0 ? "icg-ps-against" : "icg-ps-for") })), " sum of the map so far: ", el("b", {}, signed(now.sum, 3))));
    parts.textContent = "for " + name + " " + signed(now.plus, 3) + ", against it " + signed(now.minus, 3);
    spoken.say("Certainty " + shown + ": " + photo.classes[now.best] + ", " + percent(sure) + "; map sums to " + signed(now.sum, 2));
  }

  state.certainty = photographs[0].half;
  behind.set(0);
  root.__explorable = {
    state, go, numbersAt: (index, c) => numbersAt(photographs[index], c),
    mapAt: (index, c, blurred) => Array.from(mapAt(photographs[index], c, blurred), (v) => v * photographs[index].scale / 127),
  };
  async function prepared(photo, blurred) { // a little at a time
    for (const work of limiting(photo, blurred)) { await pause(); work(); }
  }
  return (async () => {
    await prepared(photographs[0], false);
    await pause();
    choose(0);
    await Promise.allSettled(Array.from(stage.querySelectorAll("img"), (image) => image.decode())); // as tall as they will be
    (async () => { // the others before they are chosen
      for (const blurred of [true, false]) for (const photo of photographs) await prepared(photo, blurred);
    })();
  })();
}
