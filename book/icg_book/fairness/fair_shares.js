// uses fair_shares_maths.js
// uses charts.js
// "Fair shares": what each object of a picture is due, and what a method gives it.

function build(root, stage, data, colours) {
  const SIGNS = ["M-4 -4H4V4H-4Z", "M0 -5.5L5.5 0L0 5.5L-5.5 0Z", "M0 -5L5 4.2H-5Z", "M-4.7 0a4.7 4.7 0 1 0 9.4 0a4.7 4.7 0 1 0 -9.4 0Z",
    "M-1.7 -5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7Z", "M0 5L5 -4.2H-5Z", "M-5 -3H5V3H-5Z", "M-3 -5H3V5H-3Z"];
  const QUICK = 12; // milliseconds of asking the network at a time
  const live = data.live, LIVE = data.examples.length;
  let opened = null; // the network for the reader's own picture: a while after the start, or when it is asked
  const maths = () => (opened = opened || liveMaths(live));
  const drawn = unpack(live.glyphs, live.labels.length * live.size ** 2);

  const pictures = data.examples.map((e) => {
    const plane = e.width * e.height;
    return { ...e, values: Float64Array.from(unpack(e.image, plane), (v) => v / 255), groups: unpack(e.groups, plane) };
  });
  // The reader's own picture: what it is divided into comes when the page has computed it.
  const own = { scenario: "Your glyph", title: "", network: live.named, width: live.size, height: live.size, values: null, groups: live.groups, names: live.names, kind: "live",
    labels: null, fair: null, shares: {}, error: 0, evaluations: live.steps, ink: 0, ground: 0, job: null };
  pictures.push(own);
  for (const e of pictures) {
    e.outlines = outlinesOf(e.groups, e.width, e.height, e.names.length);
    e.order = e.fair && sorted(e.fair);
  }
  function sorted(fair) { return fair.map((_, i) => i).sort((a, b) => fair[b] - fair[a]); }

  const state = { picture: 0, method: 0, all: false, player: 0, cursor: [8, 8] };
  const shown = () => pictures[state.picture];
  const has = (e, k) => (e.kind === "live" ? ["zero IG", "ICG"].includes(data.methods[k].name) : data.methods[k].name in e.shares);
  const methodsOf = (e) => data.methods.map((_, k) => k).filter((k) => has(e, k));
  const sharesOf = (e, k) => e.shares[data.methods[k].name];
  const wordsOf = (e, k) => data.methods[k].words.replace("{start}", e.kind === "components" ? "zero" : "black");
  const bare = (e, i) => e.names[i].replace(/,$/, "");
  const digits = (e) => (e.fair.length > 12 ? 3 : 2);

  // ---- controls ------------------------------------------------------------------------------------------------------

  const tabs = pictures.map((e, k) => {
    const small = e.kind === "live" ? pencil() : el("canvas", { "aria-hidden": "true" });
    if (e.values) paint(small, e.width, e.height, e.values, shade);
    return el("button", { type: "button", class: "icg-fs-tab", "aria-label": (e.scenario + ": " + e.title).replace(/: $/, ", to draw yourself"), onclick: () => choose(k) }, small);
  });
  const heading = el("p", { class: "icg-fs-heading" });
  const view = panel("", "");
  const square = view.canvas.parentElement;
  const cells = el("div", { class: "icg-fs-cells", "aria-hidden": "true" });
  square.append(cells);
  square.classList.add("icg-fs-picture");
  const starts = live.labels.map((label, k) => {
    const small = el("canvas", { "aria-hidden": "true" });
    paint(small, live.size, live.size, glyph(k), shade);
    return el("button", { type: "button", class: "icg-fs-tab", "aria-label": label + ", ink " + live.greys[k][0] + " on " + live.greys[k][1], onclick: () => start(k) }, small);
  });
  const clear = button("Clear", () => { own.values.fill(own.ground); edited(); });
  const tools = el("div", { class: "icg-fs-tools", role: "group", "aria-label": "Glyphs to start from" }, ...starts, clear);
  const columns = chart({ left: 44, right: 6, top: 22, bottom: 8, class: "icg-x-chart icg-fs-chart" }, { scales, draw: drawColumns });
  const players = el("div", { class: "icg-fs-players", role: "group" });
  const methods = data.methods.map((m, k) => methodButton(k, m.name, () => set({ method: k, all: false })));
  const every = methodButton(null, "all", () => set({ all: true }));
  const sentence = el("p", { class: "icg-fs-sentence" });
  const facts = el("p", { class: "icg-x-note icg-fs-facts" });
  const key = el("p", { class: "icg-fs-key" });
  const spoken = speaker();
  stage.append(
    el("div", { class: "icg-fs-tabs", role: "group", "aria-label": "Picture" }, ...tabs), heading,
    el("div", { class: "icg-fs-two" },
      el("div", { class: "icg-fs-left" }, view.node, tools),
      el("div", { class: "icg-fs-right" }, key, columns.node, players)),
    sentence,
    el("div", { class: "icg-fs-methods", role: "group", "aria-label": "Method" }, ...methods.map((m) => m.node), every.node),
    facts, spoken.node);

  function methodButton(k, name, press) {
    const numbers = el("span", { class: "icg-fs-numbers" });
    const node = el("button", { type: "button", class: "icg-x-button icg-fs-method" + (k === null ? "" : " icg-fs-" + k), onclick: press },
      el("span", { class: "icg-fs-name" }, k === null ? null : sign(k), name), numbers);
    return { node, numbers };
  }
  function sign(k) { return svg("svg", { viewBox: "-7 -7 14 14", width: 14, height: 14, "aria-hidden": "true", class: "icg-fs-sign icg-fs-" + k }, svg("path", { d: SIGNS[k % SIGNS.length] })); }
  function pencil() {
    return svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true", class: "icg-fs-pencil" }, svg("path", { d: "M4 20l1.2-4.6L16.4 4.2a1.7 1.7 0 0 1 2.4 0l1 1a1.7 1.7 0 0 1 0 2.4L8.6 18.8z M14.6 6l3.4 3.4" }));
  }
  function shade(v) { return grey(Math.round(255 * v)); }
  function glyph(k) { // flat, in its two greys
    const plane = live.size ** 2, [ink, ground] = live.greys[k];
    return Float64Array.from(drawn.subarray(k * plane, (k + 1) * plane), (on) => (on ? ink : ground));
  }

  // ---- choosing

  function choose(k) {
    setPictureOf(k);
    show();
  }
  function setPictureOf(k) {
    const e = pictures[k];
    state.picture = k;
    if (!has(e, state.method)) state.method = data.methods.findIndex((m) => m.name === "ICG");
    state.player = e.fair ? widest(e) : Math.min(state.player, e.names.length - 1);
    if (e.values) setPicture(); else start(0);
  }
  function set(choice) {
    Object.assign(state, choice);
    show();
  }
  // The player whose share is farthest from what it is due.
  function widest(e) {
    const off = e.fair.map((v, i) => Math.abs(v - sharesOf(e, state.method)[i]));
    return off.indexOf(Math.max(...off));
  }
  function playerAt(event) {
    const e = shown(), box = view.canvas.getBoundingClientRect();
    const at = [(event.clientX - box.left) / box.width * e.width, (event.clientY - box.top) / box.height * e.height].map(Math.floor);
    return at[0] < 0 || at[1] < 0 || at[0] >= e.width || at[1] >= e.height ? null : { x: at[0], y: at[1], player: e.groups[at[1] * e.width + at[0]] };
  }
  function look(player) { if (player !== undefined && player !== state.player) set({ player }); }

  // ---- the picture: looked at everywhere, drawn on where it is the reader's own

  let brush = null, pointer = null;
  square.addEventListener("pointermove", (event) => {
    const at = playerAt(event);
    if (!at) return;
    if (pointer === event.pointerId && brush !== null) dab(at.x, at.y);
    look(at.player);
  });
  square.addEventListener("pointerdown", (event) => {
    const at = playerAt(event);
    if (!at || event.button > 0) return;
    if (shown() === own) {
      event.preventDefault();
      square.focus({ preventScroll: true });
      square.setPointerCapture(event.pointerId);
      pointer = event.pointerId;
      brush = own.values[at.y * own.width + at.x] === own.ink ? own.ground : own.ink;
      dab(at.x, at.y);
    }
    look(at.player);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) square.addEventListener(end, () => { pointer = brush = null; });
  function dab(x, y) {
    state.cursor = [x, y];
    if (own.values[y * own.width + x] !== brush) { own.values[y * own.width + x] = brush; edited(); }
    drawMarks();
  }
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  square.addEventListener("keydown", (event) => {
    if (shown() !== own || event.ctrlKey || event.metaKey || event.altKey) return;
    const [x, y] = state.cursor, i = y * own.width + x;
    if (arrows[event.key]) {
      state.cursor = state.cursor.map((v, d) => Math.min(live.size - 1, Math.max(0, v + arrows[event.key][d])));
      look(own.groups[state.cursor[1] * own.width + state.cursor[0]]);
    } else if (event.key === " " || event.key === "Enter") {
      own.values[i] = own.values[i] === own.ink ? own.ground : own.ink;
      edited();
    } else return;
    event.preventDefault();
    drawMarks();
  });
  for (const name of ["focus", "blur"]) square.addEventListener(name, () => drawMarks());

  // ---- bars: looked at by pointing, or with the arrow keys along the players below

  for (const name of ["pointermove", "pointerdown"]) {
    columns.node.addEventListener(name, (event) => {
      const e = shown(), plot = columns.plot;
      if (!plot || !e.order) return;
      const x = event.clientX - columns.node.getBoundingClientRect().left;
      if (x >= plot.left && x <= plot.right) look(e.order[Math.min(e.order.length - 1, Math.floor(plot.inside(x)))]);
    });
  }
  players.addEventListener("keydown", (event) => {
    const e = shown(), at = e.order.indexOf(state.player), last = e.order.length - 1;
    const to = { ArrowLeft: at - 1, ArrowUp: at - 1, ArrowRight: at + 1, ArrowDown: at + 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    look(e.order[Math.min(last, Math.max(0, to))]);
    players.children[e.order.indexOf(state.player)].focus();
  });

  // ---- live: the page asks the network, a few milliseconds at a time

  let timer = null;
  function start(k) {
    [own.ink, own.ground] = live.greys[k];
    own.values = glyph(k);
    setPicture();
    edited();
  }
  function edited() {
    own.job = maths().divide(own.values);
    clearTimeout(timer);
    paint(view.canvas, own.width, own.height, own.values, shade);
    show();
    timer = setTimeout(work);
  }
  function work() {
    const job = own.job;
    if (!job.go(performance.now() + QUICK)) { timer = setTimeout(work); return; }
    const first = !own.fair;
    Object.assign(own, { fair: job.fair, shares: job.shares, order: sorted(job.fair), explained: live.classes[job.target], nobody: job.nobody, everybody: job.everybody });
    if (first) state.player = widest(own);
    if (shown() !== own) return;
    setPlayers();
    show();
  }

  // ---- drawing -------------------------------------------------------------------------------------------------------

  function setPicture() {
    const e = shown(), isOwn = e === own;
    paint(view.canvas, e.width, e.height, e.values, shade);
    view.canvas.setAttribute("aria-label", e.scenario + (e.title ? ", " + e.title : ""));
    view.marks.setAttribute("viewBox", "0 0 " + e.width + " " + e.height);
    cells.replaceChildren(...(e.labels || []).map((text, i) => el("span", { class: e.values[i] > 0.5 ? "icg-fs-dark" : "",
      style: "left: " + 100 * ((i % e.width) + 0.5) / e.width + "%; top: " + 100 * (Math.floor(i / e.width) + 0.5) / e.height + "%" }, text)));
    tools.hidden = !isOwn;
    square.classList.toggle("icg-fs-pad", isOwn);
    for (const [key, value] of Object.entries({ tabindex: 0, role: "application", "data-lm-suppress-shortcuts": "true", // JupyterLab's
      "aria-label": "Drawing area of 16 by 16 pixels. Arrow keys move, space changes a pixel." })) {
      if (isOwn) square.setAttribute(key, value); else square.removeAttribute(key);
    }
    tabs.forEach((b, k) => b.setAttribute("aria-pressed", String(k === state.picture)));
    setPlayers();
  }
  // A button for each player, in the order of the bars, with its shape where there is room.
  function setPlayers() {
    const e = shown(), order = e.order || e.names.map((_, i) => i), few = order.length <= 12;
    players.style.setProperty("--n", order.length);
    players.classList.toggle("icg-fs-many", !few);
    players.setAttribute("aria-label", "Players, from most to least due");
    const held = players.contains(document.activeElement);
    players.replaceChildren(...order.map((i) => el("button", { type: "button", class: "icg-fs-player", onclick: () => look(i), onfocus: () => look(i) }, few ? icon(e, i) : null)));
    if (held) players.children[order.indexOf(state.player)].focus();
  }
  function icon(e, i) {
    if (e.labels) return el("span", { "aria-hidden": "true" }, e.labels[i]);
    const { box: [left, top, right, bottom], area, edge } = e.outlines[i], whole = i === e.names.length - 1 && e.kind === "objects";
    if (e.kind !== "objects") return small(e, left, top, right, bottom);
    const size = whole ? Math.max(e.width, e.height) : 13, x = (left + right - size) / 2, y = (top + bottom - size) / 2;
    const level = whole ? 0 : e.values[e.groups.indexOf(i)], rgb = shade(level).join(",");
    return svg("svg", { viewBox: x + " " + y + " " + size + " " + size, "aria-hidden": "true", class: whole ? "icg-fs-whole" : "icg-fs-shape" },
      svg("path", { d: area, style: "fill: rgb(" + rgb + ")", "shape-rendering": "crispEdges" }), whole ? null : svg("path", { d: edge, class: "icg-fs-rim" }));
  }
  function small(e, left, top, right, bottom) { // a block, cut out of its picture
    const canvas = el("canvas", { "aria-hidden": "true" }), values = [];
    for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) values.push(e.values[y * e.width + x]);
    paint(canvas, right - left, bottom - top, values, shade);
    return canvas;
  }

  function drawMarks() {
    const e = shown(), here = e.outlines[state.player];
    const cursor = e === own && document.activeElement === square
      ? [svg("rect", { x: state.cursor[0], y: state.cursor[1], width: 1, height: 1, class: "icg-fs-cursor" })] : [];
    view.marks.replaceChildren(
      ...e.outlines.map((o, i) => (e.kind === "objects" && i === e.names.length - 1 ? null : svg("path", { d: o.edge, class: "icg-fs-outline" }))).filter(Boolean),
      svg("path", { d: here.edge, class: "icg-fs-halo" }), svg("path", { d: here.edge, class: "icg-fs-here" }), ...cursor);
  }

  function scales() {
    const e = shown();
    if (!e.fair) return null;
    const values = [0, ...e.fair, ...methodsOf(e).flatMap((k) => sharesOf(e, k))], low = Math.min(...values), high = Math.max(...values);
    const room = 0.06 * (high - low || 1);
    return [[0, e.fair.length], [low - room, high + room]];
  }
  function drawColumns(plot) {
    const e = shown(), group = plot.x(1) - plot.x(0), apart = group >= 20 && !state.all, zero = plot.y(0);
    const wide = apart ? Math.min(24, 0.38 * group) : Math.min(44, 0.76 * group), lean = apart ? wide / 2 + 0.02 * group : 0;
    const bar = (i, at, value, size, kind) => svg("rect", { x: plot.x(i + 0.5) + at - size / 2, width: size, y: Math.min(zero, plot.y(value)), height: Math.max(0.8, Math.abs(plot.y(value) - zero)), class: kind });
    const here = e.order.indexOf(state.player), own = methodsOf(e);
    const spread = Math.min(13, (group - 12) / Math.max(1, own.length - 1));
    return [
      svg("rect", { x: plot.x(here), width: group, y: plot.top - 8, height: plot.bottom - plot.top + 16, class: "icg-fs-band" }),
      svgText(0, 10, "start", "share", "icg-x-axis"),
      ...plot.grid(niceTicks(plot.low, plot.high, 4), 8, number, (t) => (t === 0 ? "icg-fs-zero" : "icg-x-grid")),
      ...e.order.map((p, i) => bar(i, -lean, e.fair[p], wide, "icg-fs-fair")),
      ...(state.all
        ? e.order.flatMap((p, i) => own.map((k, j) => svg("path", { d: SIGNS[k % SIGNS.length], class: "icg-fs-dot icg-fs-" + k,
          transform: "translate(" + (plot.x(i + 0.5) + (spread > 2 ? (j - (own.length - 1) / 2) * spread : 0)).toFixed(1) + " " + plot.y(sharesOf(e, k)[p]).toFixed(1) + ")" + (group < 14 ? " scale(.6)" : "") })))
        : e.order.map((p, i) => bar(i, lean, sharesOf(e, state.method)[p], apart ? wide : 0.5 * wide, "icg-fs-bar icg-fs-" + state.method)))];
  }

  function show() {
    const e = shown(), n = e.fair ? digits(e) : 2;
    heading.replaceChildren(el("b", {}, e.scenario), e.title ? ": " + e.title : e.job && !e.job.done ? ": the page asks its network …" : ": draw on it, and the bars follow");
    stage.classList.toggle("icg-fs-stale", e === own && !!e.job && !e.job.done);
    drawMarks();
    data.methods.forEach((m, k) => {
      const { node, numbers } = methods[k], there = has(e, k);
      node.hidden = !there;
      node.setAttribute("aria-pressed", String(!state.all && k === state.method));
      if (!there || !e.fair) { numbers.replaceChildren(); return; }
      const r = correlationWith(sharesOf(e, k), e.fair);
      numbers.replaceChildren(el("span", {}, "distance " + number(distanceFrom(sharesOf(e, k), e.fair), 2)), el("span", {}, "correlation " + (r === null ? "–" : number(r, 2))));
    });
    every.node.setAttribute("aria-pressed", String(state.all));
    every.numbers.replaceChildren(el("span", {}, "every method at once"));
    key.replaceChildren(el("span", {}, el("i", { class: "icg-fs-swatch" }), "fair"),
      ...(state.all ? [] : [state.method]).map((k) => el("span", {}, sign(k), data.methods[k].name)));
    columns.node.style.visibility = e.fair ? "" : "hidden"; // not the bars of the picture before
    columns.draw();
    if (!e.fair) { sentence.textContent = facts.textContent = ""; return; }
    e.order.forEach((p, i) => {
      const node = players.children[i], on = p === state.player;
      node.setAttribute("aria-pressed", String(on));
      node.setAttribute("tabindex", on ? 0 : -1);
      node.setAttribute("aria-label", bare(e, p) + ": due " + number(e.fair[p], n) + (state.all ? "" : ", gets " + number(sharesOf(e, state.method)[p], n)));
    });
    const parts = say(e, state.player, n);
    sentence.replaceChildren(...parts);
    const due = sumOf(e.fair), got = state.all ? null : sumOf(sharesOf(e, state.method));
    facts.textContent = "Divided is the probability that the network " + e.network + " gives to “" + e.explained + "”: " + number(e.nobody, 2) + " where nothing is known, " + number(e.everybody, 2)
      + " where all is. So " + signed(due, 2) + " is due in all" + (got === null ? "." : "; " + data.methods[state.method].name + " hands out " + signed(got, 2) + ".")
      + " Each method asks for " + e.evaluations.toLocaleString("en") + " gradients."
      + (e.error ? " Fair shares of " + e.names.length + " blocks are estimated; standard error at most " + number(e.error, 3) + "." : "");
    spoken.say(sentence.textContent);
  }
  // "The light square at the top is due −0.02 and gets 0.85 by Integrated Gradients from black."
  function say(e, i, n) {
    const who = e.kind === "components" ? e.names[i][0].toUpperCase() + e.names[i].slice(1) : "The " + e.names[i];
    const value = (v) => el("b", {}, number(v, n));
    if (!state.all) return [who + " is due ", value(e.fair[i]), " and gets ", value(sharesOf(e, state.method)[i]), " by " + wordsOf(e, state.method) + "."];
    const own = methodsOf(e);
    return [who + " is due ", value(e.fair[i]), ". It gets ", ...own.flatMap((k, j) => [j ? (j === own.length - 1 ? " and " : ", ") : "", value(sharesOf(e, k)[i]), " by " + data.methods[k].name]), "."];
  }

  root.__explorable = { state, pictures, set, choose, own, ready: () => !own.job || own.job.done };
  return (async () => { // a little at a time
    await pause();
    setPictureOf(0);
    await pause();
    show();
    pause().then(maths);
  })();
}
