// What the tour of an explorable asks of a page; see test_three_browsers.py. Evaluated once, as a function.
() => {
  const root = document.querySelector(".icg-x");
  let stage = null; // there when the explorable has started, which it does when it is seen
  const KINDS = { select: "select", range: "input[type=range]", number: "input[type=number]", check: "input[type=checkbox]",
    radio: "input[type=radio]", pad: "[role=application][tabindex]", handle: "[role=slider]", thing: "[role=application] button",
    button: "button" };
  const all = () => [...stage.querySelectorAll(Object.values(KINDS).join())];
  const shown = (node) => node.isConnected && !node.disabled && node.getClientRects().length > 0 && getComputedStyle(node).visibility !== "hidden";
  const name = (node) => (node.getAttribute("aria-label") || (node.closest("label")?.querySelector("span") || node).textContent).trim();
  const met = new WeakSet(), counts = {}, PATIENCE = 60000;
  const wait = window.__soon || setTimeout; // the page's own timers may be made late

  // Controls that were not met yet, the next first; of those that are alike, the first two.
  function next() {
    for (const node of all()) {
      if (met.has(node) || !shown(node)) continue;
      met.add(node);
      const kind = Object.keys(KINDS).find((kind) => node.matches(KINDS[kind]));
      const alike = [kind, node.className.baseVal ?? node.className, node.parentElement.className].join();
      counts[alike] = (counts[alike] || 0) + 1;
      if (counts[alike] > 2) continue;
      api.control = node;
      return { kind, name: name(node) };
    }
    return null;
  }

  // Where to press the control, and where to drag it to. Afterwards it is in sight and at rest, and nothing lies over it.
  async function places(kind) {
    const node = api.control, place = () => { const { x, y, width, height } = node.getBoundingClientRect(); return [x, y, width, height].join(); };
    const end = performance.now() + PATIENCE;
    for (let still = 0, before = ""; still < 3; await frame()) {
      if (performance.now() > end) throw new Error(name(node) + " does not come to rest");
      node.scrollIntoView({ block: "center", behavior: "instant" });
      still = place() === before ? still + 1 : 0;
      before = place();
    }
    const box = node.getBoundingClientRect(), room = stage.getBoundingClientRect();
    const x = Math.round(box.left + box.width / 2), y = Math.round(box.top + box.height / 2);
    const over = document.elementFromPoint(x, y);
    const picture = kind === "handle" && node.closest("svg").parentElement; // some let what is pressed pass to the picture
    if (!over || !(node.contains(over) || over.contains(node) || (picture && picture.contains(over)))) throw new Error(name(node) + " lies under " + over?.outerHTML.slice(0, 80));
    if (kind === "range") return [[x, y], [Math.round(box.right) - 3, y], [Math.round(box.right) + 9, y]];
    if (kind === "handle") return [[x, y], [Math.round(room.right) + 9, 9]];
    if (kind === "pad") return [[x, y], [x + 30, y], [x + 30, y + 30]];
    if (kind === "thing") return [[x, y], [x + 33, y]];
    return [[x, y]];
  }

  function focus() {
    const node = api.control;
    node.focus({ preventScroll: true });
    if (node.select) node.select();
    return document.activeElement === node;
  }

  // All that the explorable says: its texts, and the values of its controls. Not what charts write along their axes, and
  // not what is spoken later. The playground's exact shares take seconds: only the whole has them.
  const LATE = ".icg-pg-sentence, .icg-pg-table, .icg-pg-facts";
  function words(whole) {
    const said = [], texts = document.createTreeWalker(stage, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const around = texts.currentNode.parentElement;
      if (texts.currentNode.data.trim() && !around.closest("svg, [aria-live], option" + (whole ? "" : ", " + LATE))) said.push(texts.currentNode.data.trim());
    }
    for (const node of all()) {
      const value = node.matches("input, select") ? node.value + (node.checked ? "*" : "") : "";
      said.push([name(node).slice(0, 40), value, node.getAttribute("aria-valuetext"), node.getAttribute("aria-pressed"), node.disabled ? "off" : ""].join("/"));
    }
    return said;
  }

  // Alike, up to one in the last digit of a number.
  const NUMBER = /\d+(?:\.\d+)?/g;
  function alike(a, b) {
    if (a === b) return true;
    const [some, others] = [a, b].map((text) => text.match(NUMBER) || []);
    return a.replace(NUMBER, "#") === b.replace(NUMBER, "#") && some.every((text, i) =>
      Math.abs(text - others[i]) <= 1.01 * 10 ** -Math.min(...[text, others[i]].map((t) => (t.split(".")[1] || "").length)));
  }
  const same = (mine, theirs) => mine.length === theirs.length && mine.every((text, i) => alike(text, theirs[i]));
  const frame = () => new Promise((done) => requestAnimationFrame(() => wait(done, 10)));
  function ready(whole) {
    const { quick, ready } = root.__explorable;
    return (whole || !quick ? ready : quick)?.() ?? true;
  }

  // Wait for these words, or, where none are given, until there is no more to say; then all words, or what differs.
  async function hear(whole, expected) {
    let mine = words(whole);
    const end = performance.now() + PATIENCE;
    for (let still = 0; performance.now() < end; ) {
      if (expected && same(mine, expected)) return { same: true };
      await frame();
      if (!expected) await new Promise((done) => wait(done, 40));
      const now = words(whole);
      still = ready(whole) && now.join() === mine.join() ? still + 1 : 0;
      mine = now;
      if (!expected && still > 2) return { words: mine };
    }
    if (!expected) throw new Error("the explorable does not come to rest");
    const at = mine.findIndex((text, i) => !alike(text, expected[i] ?? ""));
    return { same: false, mine: mine.slice(Math.max(0, at - 1), at + 3), expected: expected.slice(Math.max(0, at - 1), at + 3) };
  }

  async function until(condition) {
    for (const end = performance.now() + PATIENCE; performance.now() < end; await frame()) if (condition()) return true;
    return false;
  }

  // What the control is called from now on: on a busy machine all is played before one can ask.
  function listen() {
    const node = api.control, names = new Set();
    new MutationObserver(() => names.add(name(node))).observe(node, { attributes: true, childList: true, characterData: true, subtree: true });
    api.names = names;
  }

  const api = window.__tour = {
    listen, called: (text) => until(() => api.names.has(text)),
    next, places, focus, hear, words, name: () => name(api.control),
    arrived: async () => {
      root.scrollIntoView();
      const there = await until(() => root.dataset.state === "ready");
      stage = root.querySelector(".icg-x-stage");
      return there;
    },
    stopped: () => until(() => name(api.control) !== "Pause"),
    ranges: () => all().filter((node) => node.matches(KINDS.range) && shown(node)).length,
    toRange: (k) => { api.control = all().filter((node) => node.matches(KINDS.range) && shown(node))[k]; return focus(); },
    toNamed: (text) => { api.control = all().find((node) => shown(node) && name(node) === text) || null; return api.control !== null; },
  };
}
