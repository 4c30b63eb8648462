// uses draw_digit_maths.js
// uses strokes.js
// uses charts.js
// uses player.js
// "Draw a digit": a network reads what is being drawn, and a map says what it goes by.

function build(root, stage, data, colours) {
  const n = data.size, classes = data.classes;
  const METHODS = [
    { name: "ICG", path: "from no certainty to full", start: "nothing known" },
    { name: "zero IG", path: "from the zero baseline", start: "an empty picture" },
  ];
  const STEP = 0.5, SPEED = 38; // units: of an arrow key; a second, when a drawing is played
  const QUICK = 11; // milliseconds of refining a map at a time
  const touch = typeof matchMedia === "function" && matchMedia("(pointer: coarse)").matches;

  const { whole, apart, simplify, erase, lengthOf, beginning, rasterise, read, attribute, split, FINEST, ERASER } = drawDigitMaths(data);
  const { toCode, fromCode } = strokeCode(data);
  const drawings = data.drawings.map((d) => ({ ...d, strokes: fromCode(d.code) }));

  // ---- controls ------------------------------------------------------------------------------------------------------

  const state = { strokes: drawings[data.first].strokes, eraser: false, method: 0, follow: true, target: null, picture: null, p: null, job: null,
    cursor: [n / 2, n / 4], down: false, ms: 0, playing: false };
  let history = [];

  const FINE = 24; // canvas pixels for a unit
  const pad = panel("Draw here", "");
  const map = panel("", "");
  const outline = el("canvas", { "aria-hidden": "true", class: "icg-dd-outline" });
  for (const canvas of [pad.canvas, outline]) canvas.width = canvas.height = FINE * n;
  map.canvas.after(outline);
  const pen = svg("circle", { r: data.radius, class: "icg-dd-pen" });
  pad.marks.setAttribute("viewBox", "0 0 " + n + " " + n);
  pad.marks.append(pen);
  const hint = el("span", { class: "icg-dd-hint", "aria-hidden": "true" }, "draw a digit");
  const square = pad.canvas.parentElement;
  square.append(hint);
  for (const [key, value] of Object.entries({ tabindex: 0, role: "application", "data-lm-suppress-shortcuts": "true", // JupyterLab's
    "aria-label": "Drawing area. Arrow keys move the pen, with shift further; space puts it down and lifts it; backspace takes the last change back." })) square.setAttribute(key, value);
  square.classList.add("icg-dd-pad");
  pad.canvas.removeAttribute("role");
  pad.canvas.setAttribute("aria-hidden", "true");
  pad.note.textContent = touch ? "with a finger or a pen" : "mouse, or keys: arrows, space for the pen";

  const verdict = el("b", {});
  pad.node.querySelector(".icg-x-label").append(el("span", { class: "icg-dd-verdict" }, "the network says ", verdict));

  const eraser = button("Eraser", () => { state.eraser = !state.eraser; show(); });
  const undo = button("Undo", () => back());
  const clear = button("Clear", () => { keep(); stop(); change([]); });
  const replay = button("Replay", () => play(state.playing ? full : state.strokes));
  const methods = METHODS.map(({ name }, k) => button(name, () => set({ method: k })));
  const follow = button("the prediction", () => set({ follow: !state.follow, target: state.follow ? state.target : null }));
  const presets = drawings.map((d, k) => el("button", { type: "button", class: "icg-dd-preset", "aria-label": "Drawing of a " + d.label, onclick: () => { keep(); play(d.strokes); } },
    svg("svg", { viewBox: "0 0 " + n + " " + n, "aria-hidden": "true" }, ...d.strokes.map((s) => svg("path", { d: "M" + s.map((p) => p.join(" ")).join("L") })))));
  const bars = classes.map((name, k) => {
    const fill = el("i", {}), value = el("span", { class: "icg-dd-value" });
    const node = el("button", { type: "button", class: "icg-dd-bar", onclick: () => set({ target: k, follow: false }) },
      el("span", { class: "icg-dd-track" }, fill, value), el("b", {}, name));
    return { node, fill, value };
  });
  const seen = panel("The network sees", "the drawing as the network gets it, 28 by 28 pixels");
  const flow = chart({ left: 8, right: 8, top: 2, bottom: 16, height: 40, class: "icg-dd-flow" }, {
    scales: () => shown && [[0, Math.max(1, shown.from + shown.plus)], [0, 1]], draw: drawFlow,
  });
  const sums = el("p", { class: "icg-x-readout icg-dd-sums" });
  const words = el("p", { class: "icg-x-caption icg-dd-words" });
  const code = el("input", { type: "text", readonly: "", "aria-label": "Code of the drawing", class: "icg-dd-code", onfocus: () => code.select() });
  const copied = el("span", { class: "icg-x-note", role: "status" });
  const copy = button("Copy drawing", () => copyCode());
  const cost = el("span", { class: "icg-x-note icg-dd-cost" });
  const spoken = speaker();
  stage.append(
    el("div", { class: "icg-dd-two" },
      el("div", {}, pad.node, el("div", { class: "icg-dd-tools", role: "group", "aria-label": "Drawing" }, eraser, undo, clear, replay)),
      el("div", {}, map.node, el("div", { class: "icg-dd-tools", role: "group", "aria-label": "Method" }, ...methods, signedLegend(colours)))),
    el("div", { class: "icg-dd-presets", role: "group", "aria-label": "Drawings to start from" }, ...presets),
    el("div", { class: "icg-dd-answer" }, el("div", { class: "icg-dd-seen" }, seen.node),
      el("div", { class: "icg-dd-says" },
        el("p", { class: "icg-x-label" }, "The network says, in %"),
        el("div", { class: "icg-dd-bars", role: "group", "aria-label": "Probability of each digit; press one to explain it" }, ...bars.map((b) => b.node)),
        el("p", { class: "icg-dd-follow" }, el("span", { class: "icg-x-note" }, "The map explains the digit you press, or"), follow))),
    flow.node, sums, words,
    el("div", { class: "icg-dd-copy" }, copy, code, copied, cost),
    spoken.node);

  function set(choice) {
    Object.assign(state, choice);
    update();
  }
  function keep() { history = [...history.slice(-49), state.playing ? full : state.strokes]; }
  function change(strokes) {
    state.strokes = strokes;
    update();
  }
  function back() {
    if (!history.length) return;
    stop();
    const before = history[history.length - 1];
    history = history.slice(0, -1);
    state.down = false;
    change(before);
  }

  // ---- the pen

  function press(at) {
    stop();
    keep();
    state.down = true;
    if (state.eraser) change(erase(state.strokes, at));
    else change([...state.strokes, [at]]);
  }
  function drag(at) {
    if (state.eraser) { change(erase(state.strokes, at)); return; }
    const stroke = state.strokes[state.strokes.length - 1];
    if (apart(stroke[stroke.length - 1], at) < FINEST) return;
    change([...state.strokes.slice(0, -1), [...stroke, at]]);
  }
  function lift() {
    if (!state.down) return;
    state.down = false;
    if (!state.eraser && state.strokes.length) change([...state.strokes.slice(0, -1), simplify(state.strokes[state.strokes.length - 1])]);
    else update();
  }
  let pointer = null; // the one that draws; other fingers do not
  square.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button > 0) return;
    event.preventDefault(); // no text selection, no page that follows the finger
    square.focus({ preventScroll: true });
    square.setPointerCapture(event.pointerId);
    pointer = event.pointerId;
    state.cursor = place(event);
    press(state.cursor);
  });
  square.addEventListener("pointermove", (event) => {
    const on = event.pointerId === pointer;
    if (!on && pointer !== null) return;
    const all = on && event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const part of all.length ? all : [event]) {
      state.cursor = place(part);
      if (on) drag(state.cursor);
    }
    showPen();
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    square.addEventListener(end, (event) => { if (event.pointerId === pointer) { pointer = null; lift(); } });
  }
  function place(event) {
    const box = pad.canvas.getBoundingClientRect();
    return [whole(n * (event.clientX - box.left) / box.width), whole(n * (event.clientY - box.top) / box.height)];
  }
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }, held = new Set();
  square.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (arrows[event.key]) { // two arrows together go aslant
      held.add(event.key);
      const by = STEP * (event.shiftKey ? 4 : 1), aslant = [0, 1].map((d) => Math.sign([...held].reduce((sum, key) => sum + arrows[key][d], 0)));
      const step = arrows[event.key].map((v, d) => (aslant[d] || v) * by);
      state.cursor = [0, 1].map((d) => whole(state.cursor[d] + step[d]));
      if (state.down) drag(state.cursor);
    } else if (event.key === " ") {
      if (!event.repeat) { if (state.down) lift(); else press(state.cursor); spoken.say(state.down ? "pen down" : "pen up"); }
    } else if (event.key === "Backspace" || event.key === "Delete") back();
    else if (event.key === "Escape") lift();
    else return;
    event.preventDefault();
    showPen();
  });
  square.addEventListener("keyup", (event) => held.delete(event.key));
  square.addEventListener("blur", () => { held.clear(); lift(); showPen(); });
  square.addEventListener("focus", () => showPen());
  for (const name of ["pointerenter", "pointerleave"]) square.addEventListener(name, () => { square.classList.toggle("icg-dd-over", name === "pointerenter"); showPen(); });
  function showPen() {
    pen.setAttribute("cx", state.cursor[0]);
    pen.setAttribute("cy", state.cursor[1]);
    pen.setAttribute("r", state.eraser ? ERASER : data.radius);
    square.classList.toggle("icg-dd-down", state.down);
  }

  // ---- a drawing, stroke by stroke as it would be drawn

  let full = null, length = 0, passed = 0;
  const replaying = ticker(() => 0, (ms) => {
    passed += ms;
    const share = passed / Math.min(2200, 1000 * length / SPEED + 200);
    if (share < 1) change(beginning(full, share * length));
    else { stop(); change(full); }
  });
  function play(strokes) {
    stop();
    if (still() || !strokes.length) { change(strokes); return; }
    [full, length, passed] = [strokes, lengthOf(strokes), 0];
    state.playing = true;
    change([]);
    replaying.start();
  }
  function stop() {
    replaying.halt();
    state.playing = false;
  }

  // ---- the text of a drawing

  function copyCode() {
    code.value = toCode(state.strokes);
    code.hidden = false;
    const done = () => { copied.textContent = "Copied. In Python: drawn_digits.from_code(\"…\")"; };
    const by = () => { code.select(); if (document.execCommand && document.execCommand("copy")) done(); else copied.textContent = "Copy the selected text"; };
    if (navigator.clipboard && navigator.clipboard.writeText) navigator.clipboard.writeText(code.value).then(done, by);
    else by();
  }
  code.hidden = true;

  // ---- drawing and computing: once a frame at most, and better and better while nothing changes

  let waiting = false, changed = false;
  function update() {
    changed = true;
    goOn();
  }
  function goOn() {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      const begin = performance.now(), fresh = changed;
      if (fresh) { look(); explain(); }
      state.job.refine(begin + QUICK);
      if (fresh) state.ms = performance.now() - begin;
      requestAnimationFrame(() => drawn(fresh)); // in a task of its own
    });
  }
  function look() {
    changed = false;
    state.picture = rasterise(state.strokes);
    state.p = read(state.picture.values);
    state.best = state.p.indexOf(Math.max(...state.p));
    if (state.follow || state.target === null) state.target = state.best;
  }
  function explain() {
    const { method, target } = state;
    state.job = Object.assign(attribute(state.picture.values, method, target), { method, target });
  }
  function drawn(fresh) {
    show(fresh);
    waiting = false;
    if (changed || !state.job.done) goOn();
  }

  function strokesOn(context, strokes, width) {
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = width;
    for (const stroke of strokes) {
      context.beginPath();
      stroke.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](FINE * x, FINE * y));
      if (stroke.length === 1) context.lineTo(FINE * stroke[0][0] + 0.01, FINE * stroke[0][1]);
      context.stroke();
    }
  }
  const percent = (p) => (p > 0.9995 ? ">99.9" : p >= 0.005 ? number(100 * p, p > 0.0995 && p < 0.9 ? 0 : 1) : "");

  function show(fresh) {
    const { job, picture, p, best } = state, blank = !state.strokes.length;
    eraser.setAttribute("aria-pressed", String(state.eraser));
    undo.disabled = !history.length;
    clear.disabled = replay.disabled = blank;
    showPen();
    if (!job) return;
    const { method, target } = job;
    const context = pad.canvas.getContext("2d");
    if (fresh !== false) {
      context.clearRect(0, 0, FINE * n, FINE * n);
      context.strokeStyle = "#fff";
      strokesOn(context, state.strokes, 2 * data.radius * FINE);
      hint.hidden = !blank || state.down;
      paint(seen.canvas, n, n, picture.values, (v) => grey(Math.round(255 * v)));
      const edge = outline.getContext("2d"), placed = state.strokes.map((stroke) => stroke.map(picture.place));
      edge.globalCompositeOperation = "source-over";
      edge.clearRect(0, 0, FINE * n, FINE * n);
      edge.strokeStyle = "#1d2733";
      strokesOn(edge, placed, 2 * data.radius * FINE);
      edge.globalCompositeOperation = "destination-out"; // all but the rim
      strokesOn(edge, placed, 2 * data.radius * FINE - 5);
      bars.forEach((bar, k) => {
        bar.fill.style.height = 100 * p[k] + "%";
        bar.value.textContent = percent(p[k]);
        bar.value.style.bottom = "calc(" + 100 * p[k] + "% " + (p[k] > 0.8 ? "- 17px)" : "+ 1px)");
        bar.value.classList.toggle("icg-dd-inside", p[k] > 0.8);
        bar.node.classList.toggle("icg-dd-best", k === best);
        bar.node.setAttribute("aria-pressed", String(k === target));
        bar.node.setAttribute("aria-label", classes[k] + ", probability " + number(p[k], 3) + (k === target ? ", explained by the map" : ""));
      });
      verdict.textContent = classes[best] + " (" + percent(p[best]) + " %)";
      methods.forEach((b, k) => b.setAttribute("aria-pressed", String(k === method)));
      follow.setAttribute("aria-pressed", String(state.follow));
    }
    const most = job.map.reduce((a, v) => Math.max(a, Math.abs(v)), 0), scale = Math.max(most, 1e-3);
    paint(map.canvas, n, n, job.map, (v) => colours(Math.round(127 * v / scale)));
    const name = METHODS[method], parts = split(job.map, picture.values);
    map.node.querySelector(".icg-x-label").textContent = name.name + ": for and against a " + classes[target];
    map.canvas.setAttribute("aria-label", name.name + " map for the " + classes[target] + ", " + name.path);
    map.note.textContent = "largest value " + number(most, 3) + (target === best ? "" : "; the network says " + classes[best]);
    const equals = Math.abs(job.sum - (job.to - job.from)) < 0.0011 ? "=" : "≈";
    sums.replaceChildren(
      el("span", {}, "for ", el("b", { class: "icg-dd-plus" }, number(parts.plus, 3))),
      el("span", {}, "− against ", el("b", { class: "icg-dd-minus" }, number(parts.minus, 3))),
      el("span", {}, equals, " your drawing ", el("b", {}, number(job.to, 3))),
      el("span", {}, "− " + name.start + " ", el("b", {}, number(job.from, 3))));
    shown = { from: job.from, to: job.to, ...parts };
    flow.draw();
    words.textContent = say(parts, blank);
    cost.textContent = job.gradients + " gradients" + (job.done ? "" : " …");
    if (job.done) spoken.say("The network says " + classes[best] + ", " + number(100 * p[best], 0) + " percent. " + words.textContent);
  }
  // From the probability at the start of the path up by all that is for the digit, and down by all that is against it.
  let shown = null;
  function drawFlow(plot) {
    const { from, to, plus, minus } = shown;
    const bar = (a, b, y, kind) => svg("rect", { x: plot.x(a), width: Math.max(0, plot.x(b) - plot.x(a)), y, height: 9, class: kind });
    return [
      ...[0, 0.5, 1].map((p) => svg("g", {}, plot.upright(p, "icg-x-grid"), svgText(plot.x(p), 37, "middle", number(p)))),
      bar(from, from + plus, 3, "icg-dd-up"), bar(from + plus - minus, from + plus, 14, "icg-dd-down-bar"),
      plot.upright(from, "icg-dd-start", 0, 26), plot.upright(to, "icg-dd-end", 0, 26)];
  }

  function say(parts, blank) {
    const name = METHODS[state.method].name, share = number(100 * parts.empty, 0) + " %";
    if (blank) return state.method ? "The picture is the baseline: there is nothing to explain." : "Nothing is drawn, and the network still has to say something: the map is of the empty paper.";
    if (state.method) return "Empty pixels have the baseline’s value, so none of the map lies on them: " + name + " can’t see what you left out.";
    return share + " of the map lies on pixels without any ink: what you left out tells, too.";
  }

  root.__explorable = { state, set, ready: () => !waiting && !state.playing && state.job !== null && state.job.done };
  return (async () => { // a little at a time
    waiting = true;
    for (const work of [look, explain, () => state.job.refine(performance.now() + QUICK), () => drawn(true)]) {
      await pause();
      work();
    }
  })();
}
