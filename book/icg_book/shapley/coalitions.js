// uses player.js
// uses random.js
// "Coalition board": a lattice of coalitions with editable values, a walk through the orderings, and the averages of
// the marginal contributions. Coalitions are bit masks: player i is in k where bit i of k is set.

// ---- the arithmetic, free of the page ---------------------------------------------------------------------------

function allOrderings(n) {
  if (n === 0) return [[]];
  const walk = (rest) => (rest.length ? rest.flatMap((p) => walk(rest.filter((q) => q !== p)).map((o) => [p, ...o])) : [[]]);
  return walk(Array.from({ length: n }, (_, i) => i));
}
// What each player adds when they join in this order; indexed by player.
function marginalsOf(values, ordering) {
  const added = [];
  let mask = 0;
  for (const p of ordering) {
    added[p] = values[mask | (1 << p)] - values[mask];
    mask |= 1 << p;
  }
  return added;
}
// Exact values by the weights of the subsets: another way than the walk, so that the two can be compared.
function shapleyOf(values, n) {
  const factorial = (k) => (k < 2 ? 1 : k * factorial(k - 1)), phi = new Array(n).fill(0);
  values.forEach((value, mask) => {
    let size = 0;
    for (let i = 0; i < n; i++) size += (mask >> i) & 1;
    for (let i = 0; i < n; i++) {
      if ((mask >> i) & 1) continue;
      phi[i] += factorial(size) * factorial(n - size - 1) / factorial(n) * (values[mask | (1 << i)] - value);
    }
  });
  return phi;
}

function build(root, stage, data, colours) {
  const games = data.games;
  const state = { game: 0, values: [], orderings: [], step: 0, selected: 0, edited: false, seed: 1 };
  const ink = (value) => "rgb(" + Array.from(colours(value > 0 ? 64 : -64)).join(",") + ")";
  const n = () => games[state.game].players.length;
  const letters = () => games[state.game].players.map((name) => name[0].toUpperCase());
  const members = (mask) => letters().map((_, i) => i).filter((i) => (mask >> i) & 1);
  const called = (mask) => (mask === whole() ? "everybody" : mask ? members(mask).map((i) => games[state.game].players[i]).join(", ") : "nobody");
  const whole = () => (1 << n()) - 1;
  const last = () => n() * state.orderings.length;

  // ---- controls
  const gameMenu = menu("Game", choose);
  const reset = button("Reset values", () => { setValues(games[state.game].values.slice(), false); });
  const story = el("p", { class: "icg-x-caption" });

  const lattice = el("div", { class: "icg-c-lattice" });
  const edges = svg("svg", { "aria-hidden": "true", preserveAspectRatio: "none" });
  const added = el("span", { class: "icg-c-added", "aria-hidden": "true" });
  let nodes = [];
  // The stored value where the slider's grid lies beside it, so that 0.119 is not shown as 0.1.
  const grid = { min: 0, max: 1, step: 0.05 };
  const valueSlider = slider("Value of", { min: 0, max: 1, step: "any" }, (at) => {
    const kept = state.values[state.selected];
    return called(state.selected) + ": " + number(Math.abs(at - kept) <= grid.step / 2 ? kept : at, digits());
  }, (at) => setValue(state.selected, Number(at.toFixed(6))));
  valueSlider.node.classList.add("icg-c-value");

  const strip = el("div", { class: "icg-c-strip" });
  const sentence = el("p", { class: "icg-c-sentence" });
  const back = button("Back", () => { play.pause(); go(state.step - 1); });
  const step = button("Step", () => { play.pause(); go(state.step + 1); });
  const next = button("Next ordering", () => { play.pause(); go((Math.floor(state.step / n()) + 1) * n()); });
  const play = player({
    words: true,
    begin: () => { if (state.step === last()) go(0); },
    wait: () => Math.max(150, Math.min(700, 14000 / last())),
    step: () => { go(state.step + 1); return state.step === last(); },
  });
  const position = slider("Walked", { min: 0, max: 1, step: 1 }, (at) => walked(at), (at) => { play.pause(); go(at); });
  const shuffle = button("Shuffle", () => { play.pause(); mix(); go(0); });
  shuffle.title = "Walk through the orderings in a random order";
  step.classList.add("icg-c-main");

  const target = el("input", { type: "checkbox", onchange: () => draw() });
  target.checked = true;
  const table = el("table", { class: "icg-c-table" });
  const sum = el("p", { class: "icg-c-sum" });
  const spoken = speaker();
  const heading = (text) => el("p", { class: "icg-x-label" }, text);

  stage.append(
    el("div", { class: "icg-x-controls" }, gameMenu, reset), story,
    el("div", { class: "icg-c-columns" },
      el("div", {}, heading("What each coalition achieves"), lattice, valueSlider.node,
        heading("One newcomer at a time"), strip,
        el("div", { class: "icg-c-buttons" }, back, step, next, play.node), position.node, sentence),
      el("div", {}, heading("What each player adds, on average"), table,
        el("div", { class: "icg-c-below" },
          el("label", { class: "icg-x-check" }, target, "Shapley values (dashed)"), shuffle), sum)),
    spoken.node);

  // ---- moving
  function go(to) {
    state.step = Math.max(0, Math.min(last(), to));
    draw();
  }
  // Seeded, so that a page behaves the same each time it is opened.
  function mix() {
    const random = seeded(state.seed++ * 2654435761);
    for (let i = state.orderings.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1)), o = state.orderings;
      [o[i], o[j]] = [o[j], o[i]];
    }
  }
  function choose(index) {
    play.pause();
    state.game = index;
    state.orderings = allOrderings(n());
    state.step = 0;
    state.selected = whole();
    story.textContent = games[index].story;
    buildLattice();
    setValues(games[index].values.slice(), false);
  }
  function setValues(values, edited) {
    const low = Math.min(0, ...values), high = Math.max(0, ...values), span = high - low || 1;
    grid.step = Math.pow(10, Math.round(Math.log10(span))) / 20;
    grid.min = Math.floor((low - span / 2) / grid.step) * grid.step;
    grid.max = Math.ceil((high + span / 2) / grid.step) * grid.step;
    state.values = values;
    state.edited = edited;
    for (const node of nodes) {
      node.input.step = grid.step;
      node.input.value = Number(values[node.mask].toFixed(3));
    }
    drawMenu();
    select(state.selected);
    draw();
  }
  // One coalition's value, by its own field or by the slider.
  function setValue(mask, value, typed) {
    if (!Number.isFinite(value)) return;
    state.values[mask] = value;
    if (!typed) nodes.find((node) => node.mask === mask).input.value = Number(value.toFixed(3));
    if (!state.edited) { state.edited = true; drawMenu(); }
    select(mask);
    draw();
  }
  function select(mask) {
    const value = state.values[mask];
    state.selected = mask;
    const input = valueSlider.input;
    input.min = Math.min(grid.min, value);
    input.max = Math.max(grid.max, value);
    input.step = grid.step;
    valueSlider.set(value);
    for (const node of nodes) node.node.classList.toggle("icg-c-selected", node.mask === mask);
  }
  function drawMenu() {
    gameMenu.fill(games.map((g, i) => g.name + (i === state.game && state.edited ? " (edited)" : "")), state.game);
    idle(reset, !state.edited);
  }
  // Not `disabled`, which would take the focus away from a reader who steps to the end by keyboard.
  function idle(node, yes) { node.setAttribute("aria-disabled", yes); }

  // ---- the lattice: coalitions by size, an edge for each newcomer
  const PITCH = 76, TALL = 50;
  function buildLattice() {
    const size = (mask) => members(mask).length, rows = Array.from({ length: n() + 1 }, () => []);
    for (let mask = 0; mask <= whole(); mask++) rows[size(mask)].push(mask);
    // Alphabetical, so that a row reads AB, AC, AD, BC, … rather than by the size of its mask.
    for (const row of rows) row.sort((a, b) => (members(a).join("") < members(b).join("") ? -1 : 1));
    const widest = Math.max(...rows.map((row) => row.length)), height = PITCH * n() + TALL;
    const x = {};
    nodes = rows.flatMap((row, level) => row.map((mask, i) => {
      x[mask] = 50 + (i - (row.length - 1) / 2) * 100 / widest;
      const input = el("input", {
        type: "number", inputmode: "decimal", "aria-label": "value of " + called(mask),
        onfocus: () => select(mask),
        oninput: () => { if (input.value !== "") setValue(mask, Number(input.value), true); },
        onblur: () => { input.value = Number(state.values[mask].toFixed(3)); },
      });
      const name = mask ? members(mask).map((p) => letters()[p]).join("") : "nobody";
      const node = el("label", { class: "icg-c-node" }, el("span", { "aria-hidden": "true" }, name), input);
      node.style.left = x[mask] + "%";
      node.style.top = level * PITCH + "px";
      node.style.width = "min(" + 100 / widest + "% - 5px, 84px)";
      return { mask, level, node, input };
    }));
    edges.setAttribute("viewBox", "0 0 100 " + height);
    edges.replaceChildren();
    lattice.edges = {};
    for (const { mask, level } of nodes) {
      for (let p = 0; p < n(); p++) {
        if ((mask >> p) & 1) continue;
        const to = mask | (1 << p);
        const line = svg("line", { x1: x[mask], y1: level * PITCH + TALL, x2: x[to], y2: (level + 1) * PITCH, class: "icg-c-edge" });
        line.middle = [(x[mask] + x[to]) / 2, level * PITCH + (TALL + PITCH) / 2];
        lattice.edges[mask + "-" + to] = line;
        edges.append(line);
      }
    }
    lattice.style.height = height + "px";
    lattice.replaceChildren(edges, ...nodes.map((node) => node.node), added);
  }

  // ---- where the walk stands: the ordering on show, and how many have joined in it
  function standing(at) {
    const ordering = at === 0 ? 0 : Math.ceil(at / n()) - 1;
    return { ordering, joined: at - ordering * n() };
  }
  function walked(at) {
    const { ordering, joined } = standing(at);
    return "ordering " + (ordering + 1) + " of " + state.orderings.length + ", " + joined + " joined";
  }
  // Means of the marginal contributions met so far, and how many there were, for each player.
  function averages(at) {
    const { ordering, joined } = standing(at), total = new Array(n()).fill(0), count = new Array(n()).fill(0);
    for (let k = 0; k <= ordering; k++) {
      const order = state.orderings[k], m = marginalsOf(state.values, order);
      for (const p of k < ordering ? order : order.slice(0, joined)) { total[p] += m[p]; count[p]++; }
    }
    return total.map((t, p) => (count[p] ? t / count[p] : null));
  }

  // ---- drawing
  // Averages have three decimals, or one where numbers are long; values that are all whole have none.
  const fine = () => (Math.max(...state.values.map(Math.abs)) < 100 ? 3 : 1);
  const digits = () => (state.values.every((v) => Number.isInteger(v)) ? 0 : fine());
  function token(p, kind) { return el("span", { class: "icg-c-token icg-c-" + kind }, letters()[p]); }

  function draw() {
    const { ordering, joined } = standing(state.step), order = state.orderings[ordering], players = games[state.game].players;
    const m = marginalsOf(state.values, order), d = digits();
    position.input.max = last();
    position.set(state.step);
    idle(back, state.step === 0);
    idle(step, state.step === last());
    idle(next, state.step === last());

    // The path through the lattice.
    let mask = 0;
    const path = [0];
    for (const line of Object.values(lattice.edges)) line.setAttribute("class", "icg-c-edge");
    added.textContent = "";
    order.slice(0, joined).forEach((p, k) => {
      const to = mask | (1 << p), line = lattice.edges[mask + "-" + to], now = k === joined - 1;
      line.setAttribute("class", "icg-c-edge " + (now ? "icg-c-now" : "icg-c-past"));
      line.parentNode.append(line); // on top of the faint ones
      if (now) {
        added.textContent = signed(m[p], d);
        added.style.left = line.middle[0] + "%";
        added.style.top = line.middle[1] + "px";
      }
      mask = to;
      path.push(mask);
    });
    added.hidden = !joined;
    for (const node of nodes) {
      node.node.classList.toggle("icg-c-on", path.includes(node.mask));
      node.node.classList.toggle("icg-c-here", node.mask === mask);
    }

    // The newcomers of this ordering.
    strip.replaceChildren(...order.map((p, k) => el("span", { class: "icg-c-place" },
      token(p, k < joined - 1 ? "in" : k === joined - 1 ? "new" : "out"),
      el("b", {}, k < joined ? signed(m[p], d) : " "))));
    const text = say(order, joined, m, d);
    sentence.textContent = text;
    spoken.say(text);
    drawTable(ordering, joined, d);
    sum.textContent = "Everybody achieves " + number(state.values[whole()], d) + ", nobody " + number(state.values[0], d) + ": the difference of "
      + number(state.values[whole()] - state.values[0], d) + " is shared out in every ordering, so on average as well.";
  }

  function say(order, joined, m, d) {
    const value = (mask) => number(state.values[mask], d);
    if (!joined) return "Nobody is here yet, and the value is " + value(0) + ". Press Step: " + games[state.game].players[order[0]] + " comes first.";
    const p = order[joined - 1], before = order.slice(0, joined - 1).reduce((mask, q) => mask | (1 << q), 0);
    const text = games[state.game].players[p] + (before ? " joins " + called(before) : " comes first") + ": the value goes from "
      + value(before) + " to " + value(before | (1 << p)) + ", so " + games[state.game].players[p] + " adds " + signed(m[p], d) + ".";
    return text + (state.step === last() ? " That was the last ordering: the averages are the Shapley values." : "");
  }

  function drawTable(ordering, joined, d) {
    const players = games[state.game].players, exact = shapleyOf(state.values, n()), mean = averages(state.step);
    const all = state.orderings.map((order) => marginalsOf(state.values, order));
    const largest = Math.max(...all.flat().map(Math.abs)) || 1;
    // One scale for all steps, so that bars can be seen to move.
    const low = Math.min(0, ...all.flat()), high = Math.max(0, ...all.flat()), span = high - low || 1;
    const at = (v) => 100 * (v - low) / span;
    const bar = (p) => {
      const plot = el("div", { class: "icg-c-plot", "aria-hidden": "true" }), zero = el("i", { class: "icg-c-zero" });
      zero.style.bottom = at(0) + "%";
      if (mean[p] !== null) {
        const fill = el("i", { class: "icg-c-bar" });
        fill.style.bottom = at(Math.min(0, mean[p])) + "%";
        fill.style.height = at(Math.abs(mean[p]) + low) + "%";
        fill.style.background = ink(mean[p]);
        plot.append(fill);
      }
      plot.append(zero);
      if (target.checked) {
        const mark = el("i", { class: "icg-c-goal" });
        mark.style.bottom = at(exact[p]) + "%";
        plot.append(mark);
      }
      return plot;
    };
    const cell = (p, row) => {
      const known = row < ordering || (row === ordering && state.orderings[row].indexOf(p) < joined);
      const td = el("td", {}, known ? signed(all[row][p], d) : "·");
      const share = known ? Math.abs(all[row][p]) / largest : 0;
      if (share > 1e-9) td.style.background = "rgba(" + (all[row][p] > 0 ? "235,131,23," : "80,166,252,") + (0.1 + 0.38 * share).toFixed(3) + ")";
      if (!known) td.className = "icg-c-later";
      return td;
    };
    // Sums of averages are right only where all players have been counted equally often.
    const add = (values) => values.reduce((a, b) => a + b, 0), even = joined === n();
    const line = (name, values, total) => el("tr", {}, el("th", { scope: "row" }, name),
      ...values.map((v) => el("td", {}, v === null ? "–" : number(v, fine()))), el("td", {}, total === null ? "·" : number(total, d)));
    table.replaceChildren(
      el("thead", {},
        el("tr", {}, el("th", {}), ...players.map((name, p) => el("th", { scope: "col" }, token(p, "in"), el("span", { class: "icg-c-name" }, name))),
          el("th", { scope: "col" }, el("span", { class: "icg-c-name" }, "sum"))),
        el("tr", { class: "icg-c-bars" }, el("th", {}), ...players.map((_, p) => el("td", {}, bar(p))), el("td", {})),
        line("average", mean, even ? add(mean) : null), target.checked ? line("Shapley", exact, add(exact)) : null),
      el("tbody", {}, ...state.orderings.map((order, row) => el("tr", {
        class: row === ordering && joined ? "icg-c-row" : "", onclick: () => { play.pause(); go((row + 1) * n()); } },
        el("th", { scope: "row" }, order.map((p) => letters()[p]).join(" ")), ...players.map((_, p) => cell(p, row)),
        row < ordering || (row === ordering && even) ? el("td", {}, number(add(all[row]), d)) : el("td", { class: "icg-c-later" }, "·")))));
  }

  choose(0);
  go(n() + 2); // one ordering done, another begun: at the very start there is nothing to see yet
  root.__explorable = {
    games, state, playing: play.playing, go, choose, setValue: (mask, value) => setValue(mask, value), shuffle: mix,
    shapley: () => shapleyOf(state.values, n()), averages: () => averages(state.step),
    marginals: () => state.orderings.map((order) => marginalsOf(state.values, order)),
  };
}
