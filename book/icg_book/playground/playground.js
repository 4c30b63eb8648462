// uses credit.js
// The playground: a picture to play with, and who gets the credit.

function build(root, stage, data, colours) {
  const maths = sceneMaths(data), spoken = speaker();
  const COLUMNS = [{ name: "fair", long: "Fair share", short: "Fair share" }, ...METHODS.map((m) => ({ ...m, short: m.name }))];
  const state = { things: [], selected: 0, preset: 0, asked: 0, p: null, answer: { paid: {}, maps: {} }, done: false, times: {} };
  const copy = (things) => things.map((thing) => ({ ...thing }));

  // ---- the picture: a canvas, and on it a button for each object -----------------------------------------------------

  const picture = panel("", "");
  picture.canvas.removeAttribute("role");
  picture.canvas.setAttribute("aria-hidden", "true");
  const field = picture.canvas.parentElement;
  field.classList.add("icg-pg-field");
  field.setAttribute("role", "application");
  field.setAttribute("aria-label", "Picture. Each object is a button: arrow keys move it, with shift further; plus and minus resize it; "
    + "page up and page down make it lighter and darker; T turns a triangle; Delete removes it.");
  const handle = el("span", { class: "icg-pg-handle", "aria-hidden": "true" });

  const knobs = {
    square: button("+ Square", () => add("square")),
    triangle: button("+ Triangle", () => add("triangle")),
    smaller: button("Smaller", () => resize(state.selected, -1)),
    larger: button("Larger", () => resize(state.selected, 1)),
    turn: button("Turn", () => turn(state.selected)),
    remove: button("Remove", () => remove(state.selected)),
  };
  const light = slider("Lightness", { min: 0, max: 1, step: 1 }, (level) => Math.round(100 * level / 255) + " %", (level) => change(state.selected, { level }));
  const chosen = el("b", { class: "icg-pg-chosen" });
  const presets = data.presets.map(({ name }, k) => button(name, () => { load(k); }));

  // ---- the answer ----------------------------------------------------------------------------------------------------

  const sure = el("b", {}), sureBar = el("i", {});
  const verdict = el("div", { class: "icg-pg-verdict" }, el("span", {}, "The network: ", sure), el("span", { class: "icg-pg-sure", "aria-hidden": "true" }, sureBar));
  const maps = COLUMNS.map(({ long }) => panel("", "map of " + long));
  const head = el("tr", {}, el("th", { scope: "col", class: "icg-pg-who" }, el("span", { class: "icg-x-spoken" }, "object")), ...COLUMNS.map((c, k) =>
    el("th", { scope: "col", title: c.long }, el("span", { class: "icg-pg-name" }, el("span", { class: "icg-pg-long" }, c.long), el("span", { class: "icg-pg-short" }, c.short)), maps[k].canvas.parentElement)));
  const body = el("tbody", {}), foot = el("tr", {});
  const table = el("table", { class: "icg-pg-table" }, el("caption", { class: "icg-x-spoken" }, "Shares of the credit, by object and method"), el("thead", {}, head), body, el("tfoot", {}, foot));
  const sentence = el("p", { class: "icg-pg-sentence" }), facts = el("p", { class: "icg-pg-facts" });

  stage.append(
    el("p", { class: "icg-pg-hint" }, "Drag the shapes, add some, change their lightness. Each is due a share of the network’s answer; three methods say what it gets."),
    el("div", { class: "icg-pg-presets", role: "group", "aria-label": "Pictures to begin with" }, ...presets),
    el("div", { class: "icg-pg-two" },
      el("div", { class: "icg-pg-left" }, field,
        el("div", { class: "icg-pg-tools" }, knobs.square, knobs.triangle),
        el("div", { class: "icg-pg-own", role: "group", "aria-label": "The chosen object" }, light.node,
          el("div", { class: "icg-pg-tools" }, knobs.smaller, knobs.larger, knobs.turn, knobs.remove))),
      el("div", { class: "icg-pg-right" }, verdict, sentence, table, facts)),
    spoken.node);
  light.node.firstChild.prepend(chosen, " ");

  // ---- changes -------------------------------------------------------------------------------------------------------

  function load(k) {
    state.preset = k;
    state.things = copy(data.presets[k].things);
    state.selected = 0;
    arranged();
  }
  function touched() { state.preset = -1; }
  // Change an object if there is room; of a move that is blocked, the part along one side.
  function change(k, wanted) {
    if (!state.things[k]) return false;
    const now = state.things[k];
    const ways = [wanted];
    if ("top" in wanted && "left" in wanted) ways.push({ ...wanted, left: now.left }, { ...wanted, top: now.top });
    for (const way of ways) {
      const moved = { ...now, ...way };
      if (maths.fits(state.things, k, moved)) {
        if (Object.keys(way).every((key) => way[key] === now[key])) return false;
        state.things[k] = moved;
        touched();
        arranged();
        return true;
      }
    }
    return false;
  }
  // Another size or turn about the same centre, or a little beside it.
  function reshape(k, changes) {
    const now = state.things[k];
    if (!now) return;
    const next = { ...now, ...changes }, [h, w] = maths.extent(now), [H, W] = maths.extent(next);
    const near = [0, 1, -1, 2, -2, 3, -3].flatMap((dy) => [0, 1, -1, 2, -2, 3, -3].map((dx) => [dy, dx])).sort((a, b) => Math.hypot(...a) - Math.hypot(...b));
    for (const [dy, dx] of near) {
      if (change(k, { ...changes, top: now.top + Math.trunc((h - H) / 2) + dy, left: now.left + Math.trunc((w - W) / 2) + dx })) return;
    }
  }
  function resize(k, by) {
    const thing = state.things[k];
    if (!thing) return;
    const size = Math.min(data.sizes[thing.kind].length - 1, Math.max(0, thing.size + by));
    if (size !== thing.size) reshape(k, { size });
  }
  function turn(k) { if (state.things[k]) reshape(k, { turn: { 0: 2, 2: 6, 6: 4, 4: 0 }[state.things[k].turn & 6] }); }
  function add(kind) {
    if (state.things.length >= data.most) return;
    const level = kind === "square" ? 210 : 100, thing = { kind, size: kind === "square" ? 4 : 3, turn: 0, level, top: 0, left: 0 };
    const places = [];
    for (let top = 1; top < SIDE; top += 2) for (let left = 1; left < SIDE; left += 2) places.push([top, left]);
    places.sort((a, b) => Math.hypot(a[0] - 21, a[1] - 21) - Math.hypot(b[0] - 21, b[1] - 21));
    const things = [...state.things, thing], k = things.length - 1;
    const room = places.find(([top, left]) => maths.fits(things, k, { ...thing, top, left }));
    if (!room) { spoken.say("There is no room for another object."); return; }
    state.things = [...state.things, { ...thing, top: room[0], left: room[1] }];
    state.selected = k;
    touched();
    arranged();
    buttons[k].focus({ preventScroll: true });
  }
  function remove(k) {
    if (!state.things[k]) return;
    const focused = buttons.includes(document.activeElement);
    state.things = state.things.filter((_, i) => i !== k);
    state.selected = Math.max(0, Math.min(k, state.things.length - 1));
    touched();
    arranged();
    if (focused) (buttons[state.selected] || knobs.square).focus({ preventScroll: true });
  }
  function choose(k) {
    if (state.selected === k) return;
    state.selected = k;
    mark();
  }

  // ---- hands: mouse, finger, keys ------------------------------------------------------------------------------------

  let buttons = [];
  function thingButton(k) {
    const node = el("button", { type: "button", class: "icg-pg-thing", "data-lm-suppress-shortcuts": "true", onfocus: () => choose(k) }, el("span", { class: "icg-pg-letter" }, LETTERS[k]));
    const place = (event) => { // in pixels of the picture
      const box = picture.canvas.getBoundingClientRect();
      return [(event.clientY - box.top) / box.height * SIDE, (event.clientX - box.left) / box.width * SIDE];
    };
    let held = null;
    node.addEventListener("pointerdown", (event) => {
      const thing = state.things[k], [y, x] = place(event);
      choose(k);
      node.focus({ preventScroll: true });
      node.setPointerCapture(event.pointerId);
      held = { y: y - thing.top, x: x - thing.left, size: handle.contains(event.target) };
      event.preventDefault();
    });
    node.addEventListener("pointermove", (event) => {
      const thing = state.things[k];
      if (!held || !thing) return;
      const [y, x] = place(event);
      if (held.size) { // the size whose corner is nearest
        const wanted = Math.max(y - thing.top, x - thing.left), sizes = data.sizes[thing.kind];
        const size = sizes.reduce((best, [h, w], i) => (Math.abs((h + w) / 2 - wanted) < Math.abs((sizes[best][0] + sizes[best][1]) / 2 - wanted) ? i : best), 0);
        if (size !== thing.size) change(k, { size });
      } else change(k, { top: Math.round(y - held.y), left: Math.round(x - held.x) });
    });
    for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, () => { held = null; });
    node.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const thing = state.things[k], step = event.shiftKey ? 5 : 1, arrows = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
      const [low, high] = data.levels[thing.kind], level = (by) => change(k, { level: Math.min(high, Math.max(low, thing.level + by)) });
      if (arrows[event.key]) change(k, { top: thing.top + step * arrows[event.key][0], left: thing.left + step * arrows[event.key][1] });
      else if (event.key === "+" || event.key === "=") resize(k, 1);
      else if (event.key === "-" || event.key === "_") resize(k, -1);
      else if (event.key === "PageUp") level(8);
      else if (event.key === "PageDown") level(-8);
      else if (event.key === "t" || event.key === "T") turn(k);
      else if (event.key === "Delete" || event.key === "Backspace") remove(k);
      else return;
      event.preventDefault();
    });
    return node;
  }

  // ---- drawing -------------------------------------------------------------------------------------------------------

  const shade = (level) => "rgb(" + [level, level, level].join() + ")";
  const kinds = () => state.things.map(maths.kindOf);
  function icon(thing) { // a small copy of the object
    const rows = maths.bitmapOf(thing), side = 11;
    const path = rows.map((row, r) => { const first = row.indexOf(1), count = row.reduce((a, b) => a + b); return "M" + first + " " + r + "h" + count + "v1h" + -count + "z"; }).join("");
    return svg("svg", { viewBox: [(rows[0].length - side) / 2 - 1, (rows.length - side) / 2 - 1, side + 2, side + 2].join(" "), class: "icg-pg-icon", "aria-hidden": "true" }, svg("path", { d: path, fill: shade(thing.level) }));
  }
  // After any change of the objects: the picture at once, the numbers when they come.
  function arranged() {
    const { things } = state;
    paint(picture.canvas, SIDE, SIDE, maths.valuesOf(things), (v) => grey(Math.round(255 * v)));
    while (buttons.length > things.length) buttons.pop().remove();
    while (buttons.length < things.length) { buttons.push(thingButton(buttons.length)); field.append(buttons[buttons.length - 1]); }
    things.forEach((thing, k) => {
      const [h, w] = maths.extent(thing), of = (v) => 100 * v / SIDE + "%";
      Object.assign(buttons[k].style, { top: of(thing.top - 1), left: of(thing.left - 1), height: of(h + 2), width: of(w + 2) });
      buttons[k].setAttribute("aria-label", LETTERS[k] + ", " + KINDS[maths.kindOf(thing)] + ", " + w + " by " + h + ", lightness " + Math.round(100 * thing.level / 255) + " percent, at row " + thing.top + ", column " + thing.left);
    });
    mark();
    rows();
    ask();
  }
  function mark() {
    const { things, selected } = state, thing = things[selected];
    buttons.forEach((node, k) => node.classList.toggle("icg-pg-here", k === selected));
    if (thing) buttons[selected].append(handle);
    presets.forEach((node, k) => node.setAttribute("aria-pressed", String(k === state.preset)));
    for (const name of ["square", "triangle"]) knobs[name].disabled = things.length >= data.most;
    for (const name of ["smaller", "larger", "remove"]) knobs[name].disabled = !thing;
    knobs.turn.disabled = !thing || thing.kind !== "triangle";
    light.input.disabled = !thing;
    if (!thing) return;
    [light.input.min, light.input.max] = data.levels[thing.kind];
    light.set(thing.level);
    chosen.textContent = LETTERS[selected];
    body.querySelectorAll("tr").forEach((row, k) => row.classList.toggle("icg-pg-row-here", k === selected));
  }

  // Rows of the table, one for each object and one for the rest; numbers come later.
  let cells = [];
  function rows() {
    const labels = [...state.things.map((thing, k) => [el("b", {}, LETTERS[k]), icon(thing), el("span", { class: "icg-pg-kind" }, KINDS[maths.kindOf(thing)])]),
      [el("b", {}, " "), el("span", { class: "icg-pg-kind icg-pg-rest" }, "the rest")]];
    if (cells.length !== labels.length) {
      cells = labels.map(() => COLUMNS.map(() => barCell()));
      body.replaceChildren(...cells.map((row, k) => el("tr", { onpointerenter: () => { if (k < state.things.length) choose(k); } }, el("th", { scope: "row", class: "icg-pg-who" }), ...row.map((c) => c.node))));
      mark();
    }
    body.querySelectorAll("th").forEach((node, k) => node.replaceChildren(el("span", {}, ...labels[k])));
  }
  function barCell() {
    const bar = el("i", {}), due = el("u", {}), text = el("span", {});
    return { node: el("td", {}, el("span", { class: "icg-pg-bar", "aria-hidden": "true" }, bar, due), text), bar, due, text };
  }
  function showAnswer(whole) {
    const { answer, things } = state, n = things.length + 1;
    if (!answer.fair || answer.fair.length !== n) return;
    const columns = COLUMNS.map(({ name }) => (name === "fair" ? answer.fair : answer.paid[name])).map((values) => (values && values.length === n ? values : null));
    const every = columns.filter(Boolean).flat();
    // One scale for all bars, in steps of a quarter, so that it doesn't tremble.
    const steps = (most, least) => Math.max(least, Math.ceil(4 * most - 0.05) / 4);
    const low = -steps(-Math.min(...every), 0.25), high = steps(Math.max(...every), 0.5), at = (v) => 100 * (Math.min(high, Math.max(low, v)) - low) / (high - low);
    columns.forEach((values, c) => cells.forEach((row, i) => {
      const { node, bar, due, text } = row[c];
      bar.hidden = !values;
      if (!values) { text.textContent = "…"; return; }
      const v = values[i], off = c ? v - answer.fair[i] : 0;
      text.replaceChildren(signed(v, 2), Math.abs(off) < FAIR_ENOUGH ? "" : el("em", {}, off < 0 ? "too little" : "too much"));
      bar.className = v < 0 ? "icg-pg-minus" : "icg-pg-plus";
      bar.style.left = at(Math.min(0, v)) + "%";
      bar.style.width = at(Math.max(0, v)) - at(Math.min(0, v)) + "%";
      due.style.left = at(answer.fair[i]) + "%";
      node.style.setProperty("--zero", at(0) + "%");
      node.classList.toggle("icg-pg-off", Math.abs(off) >= FAIR_ENOUGH);
    }));
    COLUMNS.forEach(({ name }, c) => {
      const map = name === "fair" ? fairMap(answer) : answer.maps[name];
      if (!map || !columns[c]) return;
      const most = map.reduce((a, v) => Math.max(a, Math.abs(v)), 1e-9);
      paint(maps[c].canvas, SIDE, SIDE, map, (v) => colours(Math.round(127 * v / most)));
    });
    if (!whole) return; // the columns belong together
    const distances = METHODS.map(({ name }) => distanceFromFair(answer.paid[name], answer.fair));
    const shown = distances.map((d) => number(d, 2)), nearest = number(Math.min(...distances), 2); // of several, if the digits say so
    foot.replaceChildren(el("th", { scope: "row", class: "icg-pg-who" }, "how far off"), el("td", {}),
      ...shown.map((d) => el("td", { class: d === nearest ? "icg-pg-nearest" : null }, d)));
    sentence.textContent = whoIsCheated(answer.things.map(maths.kindOf), answer.fair, answer.paid);
    facts.textContent = "Fair shares are exact Shapley values: what an object adds when it becomes known, averaged over all orders. They add up to the way from " + percent(answer.nobody)
      + " (nothing is known) to " + percent(answer.everybody) + ". Thin lines mark them beside what a method pays. Expected Gradients: the mean over " + data.referencesCount + " fixed pictures of the training data.";
  }
  function fairMap({ fair, groups }) { // each player's share, spread over its pixels
    const sizes = fair.map(() => 0);
    for (const player of groups) sizes[player]++;
    return Float32Array.from(groups, (player) => fair[player] / sizes[player]);
  }
  function showProbability() {
    sure.textContent = percent(state.p) + " sure that there is a dark square";
    sureBar.style.width = 100 * state.p + "%";
  }

  // ---- asking the network, beside the page ---------------------------------------------------------------------------

  // Columns come one by one; until then each keeps what it had, if there were as many objects.
  const asked = new Map(); // number: {time, groups, kinds}
  function ask() {
    const number = asker(copy(state.things));
    asked.set(number, { time: performance.now(), things: copy(state.things) });
    state.asked = number;
    state.done = false;
  }
  const asker = openAsker(data, (message) => {
    const of = asked.get(message.number), { answer } = state, newest = message.number === state.asked;
    if (message.p !== undefined) {
      if (newest) { state.p = message.p; state.times.p = performance.now() - of.time; showProbability(); }
      return;
    }
    if (message.fair) {
      for (const k of asked.keys()) if (k < message.number) asked.delete(k);
      Object.assign(answer, { things: of.things, fair: message.fair, nobody: message.nobody, everybody: message.everybody, groups: maths.groupsOf(of.things) });
    }
    if (message.method) {
      answer.paid[message.method] = message.shares;
      answer.maps[message.method] = message.map;
    }
    if (message.quick) { state.quick = message.number; state.times.quick = performance.now() - of.time; }
    if (message.done) state.done = newest;
    if (of.things.length === state.things.length) showAnswer(message.quick || message.done);
    if (state.done) spoken.say(verdict.firstChild.textContent + ". " + sentence.textContent);
  });

  root.__explorable = { state, load, ready: () => state.done, quick: () => state.quick === state.asked };
  load(0);
}
