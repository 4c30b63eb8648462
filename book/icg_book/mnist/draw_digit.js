// uses networks.js
// "Draw a digit": a network reads what is being drawn, and a map says what it goes by.

function build(root, stage, data, colours) {
  const n = data.size, plane = n * n, classes = data.classes, network = openNetwork(data.network, n);
  const METHODS = [
    { name: "ICG", path: "from no certainty to full", start: "nothing known" },
    { name: "zero IG", path: "from the zero baseline", start: "an empty picture" },
  ];
  const FINEST = 0.35, SLACK = 0.06, ERASER = 1.7; // units of the drawing: between points; of a stroke's shape; radius
  const STEP = 0.5, SPEED = 38; // units: of an arrow key; a second, when a drawing is played
  const GOOD = 4e-4, QUICK = 11; // error of a map, as a share of all of it; milliseconds at a time
  const touch = typeof matchMedia === "function" && matchMedia("(pointer: coarse)").matches;
  const still = () => typeof matchMedia === "function" && matchMedia("(prefers-reduced-motion: reduce)").matches;

  // ---- drawings: strokes of points [x, y] in a square of n x n, in whole units of a code -----------------------------

  const whole = (v) => Math.round(Math.min(n, Math.max(0, v)) * data.perUnit) / data.perUnit;
  function toCode(strokes) {
    const pair = (v) => { const k = Math.round(v * data.perUnit); return data.letters[k >> 6] + data.letters[k & 63]; };
    return strokes.map((stroke) => stroke.map(([x, y]) => pair(x) + pair(y)).join("")).join(".");
  }
  function fromCode(text) {
    const at = (pair) => (64 * data.letters.indexOf(pair[0]) + data.letters.indexOf(pair[1])) / data.perUnit;
    return text ? text.split(".").map((part) => part.match(/..../g).map((p) => [at(p.slice(0, 2)), at(p.slice(2))])) : [];
  }
  const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
  const drawings = data.drawings.map((d) => ({ ...d, strokes: fromCode(d.code) }));

  // Leave out the points that lie on the line between others (Douglas and Peucker), so that codes stay short.
  function simplify(stroke) {
    if (stroke.length < 3) return stroke;
    const a = stroke[0], b = stroke[stroke.length - 1];
    let far = 0, where = 0;
    for (let i = 1; i < stroke.length - 1; i++) {
      const d = distance(stroke[i][0], stroke[i][1], a, b);
      if (d > far) { far = d; where = i; }
    }
    if (far <= SLACK) return [a, b];
    return [...simplify(stroke.slice(0, where + 1)).slice(0, -1), ...simplify(stroke.slice(where))];
  }
  function distance(x, y, a, b) { // of a point to the line from a to b
    const u = b[0] - a[0], v = b[1] - a[1];
    const t = Math.min(1, Math.max(0, ((x - a[0]) * u + (y - a[1]) * v) / Math.max(u * u + v * v, 1e-12)));
    return Math.hypot(x - a[0] - t * u, y - a[1] - t * v);
  }
  function erase(strokes, at) { // a stroke that is cut in the middle becomes two
    const kept = [];
    for (const stroke of strokes) {
      const close = stroke.length === 1 ? apart(stroke[0], at) < ERASER : stroke.some((p, i) => i && distance(at[0], at[1], stroke[i - 1], p) < ERASER);
      if (!close) { kept.push(stroke); continue; }
      let piece = [];
      stroke.forEach((p, i) => {
        const parts = i ? Math.ceil(apart(stroke[i - 1], p) / FINEST) : 1;
        for (let k = 1; k <= parts; k++) {
          const q = i ? [0, 1].map((d) => whole(stroke[i - 1][d] + (p[d] - stroke[i - 1][d]) * k / parts)) : p;
          if (apart(q, at) >= ERASER) piece.push(q);
          else { if (piece.length > 1) kept.push(simplify(piece)); piece = []; }
        }
      });
      if (piece.length > 1) kept.push(simplify(piece));
    }
    return kept;
  }

  // What MNIST would have made of it: rasterise() of icg.scenarios.drawn_digits.
  function ink(lines) {
    const values = new Float64Array(plane).fill(Infinity), reach = data.radius + data.edge / 2;
    for (const [a, b] of lines) {
      const from = (d) => Math.max(0, Math.floor(Math.min(a[d], b[d]) - reach)), to = (d) => Math.min(n - 1, Math.ceil(Math.max(a[d], b[d]) + reach));
      for (let y = from(1); y <= to(1); y++) for (let x = from(0); x <= to(0); x++) {
        values[y * n + x] = Math.min(values[y * n + x], distance(x + 0.5, y + 0.5, a, b));
      }
    }
    return values.map((d) => Math.min(1, Math.max(0, (data.radius - d) / data.edge + 0.5)));
  }
  function rasterise(strokes) {
    const points = strokes.flat();
    if (!points.length) return { values: new Float64Array(plane), place: (p) => p };
    const low = [0, 1].map((d) => Math.min(...points.map((p) => p[d]))), high = [0, 1].map((d) => Math.max(...points.map((p) => p[d])));
    const scale = Math.min(data.largest, (data.box - 2 * data.radius - data.edge) / Math.max(high[0] - low[0], high[1] - low[1], 1e-9));
    const move = [0, 1].map((d) => data.centre - scale * (low[d] + high[d]) / 2), place = (p) => [p[0] * scale + move[0], p[1] * scale + move[1]];
    const lines = () => strokes.flatMap((stroke) => {
      const placed = stroke.map(place);
      return placed.length === 1 ? [[placed[0], placed[0]]] : placed.slice(1).map((p, i) => [placed[i], p]);
    });
    const mass = [0, 0, 0];
    ink(lines()).forEach((v, i) => { mass[0] += v * (i % n + 0.5); mass[1] += v * (Math.floor(i / n) + 0.5); mass[2] += v; });
    move[0] += data.centre - mass[0] / mass[2];
    move[1] += data.centre - mass[1] / mass[2];
    // As float32, like the tensor in Python.
    return { values: Float64Array.from(new Float32Array(ink(lines()))), place, scale };
  }

  // ---- the map -------------------------------------------------------------------------------------------------------

  const input = (values, certainty) => {
    const joined = new Float64Array(2 * plane);
    joined.set(values);
    return joined.fill(certainty, plane);
  };
  const read = (values, certainty) => softmax(network.forward(input(values, certainty === undefined ? 1 : certainty)));

  const GAUSS = [[0.0694318442029737, 0.1739274225687269], [0.3300094782075719, 0.3260725774312731],
    [0.6699905217924281, 0.3260725774312731], [0.9305681557970263, 0.1739274225687269]];

  // Gradients along the path of a method, collected behind the layers that are straight along it: what those make of a
  // point of the path lies between what they make of its ends. So they are asked twice, and once on the way back.
  // refine() cuts the piece of the path that is worst integrated, until all are good or the time is over.
  function attribute(values, method, target) {
    const start = method === 0 ? input(values, 0) : input(new Float64Array(plane), 1), end = input(values, 1);
    const here = network.forward(start, 0, network.straight).slice(), there = network.forward(end, 0, network.straight).slice();
    const way = there.map((v, i) => v - here[i]), point = new Float64Array(way.length);
    const job = { from: 0, to: 0, gradients: 0, done: false, map: null, sum: 0 };
    const at = (share) => {
      for (let i = 0; i < point.length; i++) point[i] = here[i] + share * way[i];
      return softmax(network.forward(point, network.straight));
    };
    function measure(a, b, pa, pb) {
      const sum = new Float64Array(way.length);
      for (const [node, weight] of GAUSS) {
        const p = at(a + node * (b - a)), seed = p.map((v, k) => p[target] * ((k === target ? 1 : 0) - v));
        const slope = network.backward(seed, network.straight);
        for (let i = 0; i < sum.length; i++) sum[i] += weight * (b - a) * slope[i];
      }
      job.gradients += GAUSS.length;
      let change = 0;
      for (let i = 0; i < sum.length; i++) change += sum[i] * way[i];
      return { a, b, pa, pb, sum, change, error: Math.abs(change - (pb - pa)) };
    }
    function collect() {
      const total = new Float64Array(way.length);
      for (const { sum } of pieces) for (let i = 0; i < total.length; i++) total[i] += sum[i];
      const slope = network.backward(total, 0, network.straight);
      job.map = new Float64Array(plane);
      for (let i = 0; i < 2 * plane; i++) job.map[i % plane] += (end[i] - start[i]) * slope[i];
      job.sum = job.map.reduce((a, b) => a + b, 0);
    }
    const cuts = method === 0 ? [0, 0.5, 1] : [0, 0.1, 0.3, 1], p = cuts.map((share) => at(share)[target]);
    const pieces = cuts.slice(1).map((b, i) => measure(cuts[i], b, p[i], p[i + 1]));
    // Error that nothing is known of yet: a gap may be small by chance, so every first piece is cut at least once.
    for (const piece of pieces) piece.error += 0.01;
    job.from = p[0];
    job.to = p[p.length - 1];
    job.refine = (until) => {
      while (!job.done && performance.now() < until) {
        const worst = pieces.reduce((a, b) => (a.error > b.error ? a : b)), { a, b, pa, pb } = worst;
        if (worst.error < GOOD || b - a < 1e-4 || pieces.length > 300) { job.done = true; break; }
        const middle = (a + b) / 2, pm = at(middle)[target], halves = [measure(a, middle, pa, pm), measure(middle, b, pm, pb)];
        let off = 0;
        for (let i = 0; i < way.length; i++) off += Math.abs((worst.sum[i] - halves[0].sum[i] - halves[1].sum[i]) * way[i]);
        for (const half of halves) half.error = Math.max(half.error, off / 32); // Gauss: halves are far better than that
        pieces.splice(pieces.indexOf(worst), 1, ...halves);
      }
      collect();
      return job;
    };
    return job;
  }

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
  const flow = svg("svg", { class: "icg-dd-flow", height: 40, "aria-hidden": "true" });
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
    flow, sums, words,
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

  let full = null, playing = 0;
  function play(strokes) {
    stop();
    if (still() || !strokes.length) { change(strokes); return; }
    full = strokes;
    state.playing = true;
    const length = strokes.flatMap((s) => s.slice(1).map((p, i) => apart(s[i], p))).reduce((a, b) => a + b, 0);
    const begin = performance.now(), duration = Math.min(2200, 1000 * length / SPEED + 200);
    (function frame() {
      const share = (performance.now() - begin) / duration;
      if (share >= 1) { stop(); change(strokes); return; }
      let left = share * length;
      const part = [];
      for (const stroke of strokes) {
        if (left <= 0) break;
        const drawn = [stroke[0]];
        for (let i = 1; i < stroke.length && left > 0; i++) {
          const d = apart(stroke[i - 1], stroke[i]), t = Math.min(1, left / d);
          drawn.push([0, 1].map((k) => stroke[i - 1][k] + t * (stroke[i][k] - stroke[i - 1][k])));
          left -= d;
        }
        part.push(drawn);
      }
      change(part);
      playing = requestAnimationFrame(frame);
    })();
  }
  function stop() {
    cancelAnimationFrame(playing);
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

  let waiting = 0;
  function update() {
    state.job = null;
    if (!waiting) waiting = requestAnimationFrame(compute);
  }
  function compute() {
    waiting = 0;
    const begin = performance.now(), fresh = !state.job;
    if (fresh) {
      state.picture = rasterise(state.strokes);
      state.p = read(state.picture.values);
      state.best = state.p.indexOf(Math.max(...state.p));
      if (state.follow || state.target === null) state.target = state.best;
      state.job = attribute(state.picture.values, state.method, state.target);
    }
    state.job.refine(begin + QUICK);
    show(fresh);
    if (fresh) state.ms = performance.now() - begin;
    if (!state.job.done) waiting = requestAnimationFrame(compute);
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
    const { job, picture, p, best, target, method } = state, blank = !state.strokes.length;
    eraser.setAttribute("aria-pressed", String(state.eraser));
    undo.disabled = !history.length;
    clear.disabled = replay.disabled = blank;
    showPen();
    if (!job) return;
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
    showFlow(parts, job);
    words.textContent = say(parts, blank);
    cost.textContent = job.gradients + " gradients" + (job.done ? "" : " …");
    if (job.done) spoken.say("The network says " + classes[best] + ", " + number(100 * p[best], 0) + " percent. " + words.textContent);
  }
  // From the probability at the start of the path up by all that is for the digit, and down by all that is against it.
  let last = null;
  function showFlow(parts, job) {
    last = [parts, job];
    const width = flow.clientWidth, most = Math.max(1, job.from + parts.plus), px = (p) => 8 + (width - 16) * p / most;
    if (width < 80) return;
    flow.setAttribute("viewBox", "0 0 " + width + " 40");
    const bar = (a, b, y, kind) => svg("rect", { x: px(a), width: Math.max(0, px(b) - px(a)), y, height: 9, class: kind });
    flow.replaceChildren(
      ...[0, 0.5, 1].map((p) => svg("g", {}, svg("line", { x1: px(p), x2: px(p), y1: 2, y2: 24, class: "icg-x-grid" }),
        svg("text", { x: px(p), y: 37, "text-anchor": "middle" }, number(p)))),
      bar(job.from, job.from + parts.plus, 3, "icg-dd-up"), bar(job.from + parts.plus - parts.minus, job.from + parts.plus, 14, "icg-dd-down-bar"),
      svg("line", { x1: px(job.from), x2: px(job.from), y1: 0, y2: 26, class: "icg-dd-start" }),
      svg("line", { x1: px(job.to), x2: px(job.to), y1: 0, y2: 26, class: "icg-dd-end" }));
  }
  if (window.ResizeObserver) new ResizeObserver(() => { if (last) showFlow(...last); }).observe(flow);

  // Sums of the positive and the negative part, and the share of the map that lies where there is no ink.
  function split(values, picture) {
    const parts = { plus: 0, minus: 0, empty: 0 };
    values.forEach((v, i) => {
      parts[v > 0 ? "plus" : "minus"] += Math.abs(v);
      if (!picture[i]) parts.empty += Math.abs(v);
    });
    parts.empty /= Math.max(parts.plus + parts.minus, 1e-12);
    return parts;
  }
  function say(parts, blank) {
    const name = METHODS[state.method].name, share = number(100 * parts.empty, 0) + " %";
    if (blank) return state.method ? "The picture is the baseline: there is nothing to explain." : "Nothing is drawn, and the network still has to say something: the map is of the empty paper.";
    if (state.method) return "Empty pixels have the baseline’s value, so none of the map lies on them: " + name + " can’t see what you left out.";
    return share + " of the map lies on pixels without any ink: what you left out tells, too.";
  }

  root.__explorable = { state, drawings, network, set, change, press, drag, lift, play, erase, simplify, rasterise, read, attribute, toCode, fromCode, split,
    ready: () => !waiting && !state.playing && state.job !== null && state.job.done };
  update();
  cancelAnimationFrame(waiting);
  compute();
}
