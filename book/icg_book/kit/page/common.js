// Shared by all explorables; inlined before NAME.js inside one function, so nothing here is global.

// ---- elements -------------------------------------------------------------------------------------------------

function make(space, tag, attributes, children) {
  const node = space ? document.createElementNS(space, tag) : document.createElement(tag);
  for (const key of Object.keys(attributes || {})) {
    if (key.slice(0, 2) === "on") node.addEventListener(key.slice(2), attributes[key]);
    else if (attributes[key] !== null && attributes[key] !== false) node.setAttribute(key, attributes[key]);
  }
  for (const child of children) if (child !== null) node.append(child);
  return node;
}
function el(tag, attributes, ...children) { return make(null, tag, attributes, children); }
function svg(tag, attributes, ...children) { return make("http://www.w3.org/2000/svg", tag, attributes, children); }

// A native menu inside its label; `choose` gets the index.
function menu(label, choose) {
  const select = el("select", { onchange: () => choose(select.selectedIndex) });
  const box = el("label", { class: "icg-x-field" }, el("span", {}, label), select);
  let filled = null;
  box.fill = (names, index) => {
    if (String(names) !== filled) select.replaceChildren(...names.map((name) => el("option", {}, name)));
    filled = String(names);
    select.selectedIndex = index;
  };
  return box;
}

// A slider with its name and value above it. range = {min, max, step}; move(value) when a person moves it;
// words(value) is what stands beside the name and what screen readers say.
function slider(label, range, words, move) {
  const shown = el("b", {});
  const input = el("input", { type: "range", ...range, oninput: () => { show(); move(Number(input.value)); } });
  const node = el("label", { class: "icg-x-field icg-x-slider" }, el("span", {}, label + " ", shown), input);
  function show() {
    const text = words(Number(input.value));
    shown.textContent = text;
    input.setAttribute("aria-valuetext", text);
    input.style.setProperty("--done", 100 * (input.value - input.min) / (input.max - input.min) + "%");
  }
  return { node, input, set: (value) => { input.value = value; show(); } };
}

function button(text, press) { return el("button", { type: "button", class: "icg-x-button", onclick: press }, text); }

// Call at(share of the width, share of the height) where a picture is pressed or dragged, by mouse, pen or finger.
function draggable(node, at) {
  let dragging = false;
  const report = (event) => {
    const box = node.getBoundingClientRect();
    at((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height, event);
  };
  node.addEventListener("pointerdown", (event) => { dragging = true; node.setPointerCapture(event.pointerId); report(event); });
  node.addEventListener("pointermove", (event) => { if (dragging) report(event); });
  for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, () => { dragging = false; });
}

// A line that only screen readers get, spoken once the controls have come to rest.
function speaker() {
  const node = el("p", { class: "icg-x-spoken", "aria-live": "polite" });
  let waiting = null;
  return { node, say: (text) => { clearTimeout(waiting); waiting = setTimeout(() => { node.textContent = text; }, 600); } };
}

// ---- numbers --------------------------------------------------------------------------------------------------

// With `digits`, that many decimals; else three significant digits, or two and a power of ten. A real minus sign.
function number(value, digits) {
  const size = Math.abs(value);
  let text = String(Number(size.toPrecision(3)));
  if (digits !== undefined) text = size.toFixed(digits);
  else if (size >= 1e5 || (size < 1e-3 && size > 0)) {
    const [digit, power] = size.toExponential(1).split("e");
    text = digit + "×10" + String(Number(power)).replace(/./g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] || "⁻");
  }
  return (value < 0 && /[1-9]/.test(text) ? "−" : "") + text;
}
function signed(value, digits) {
  const text = number(value, digits);
  return (value > 0 && /[1-9]/.test(text) ? "+" : "") + text;
}

function percent(share) { // one decimal near the ends; 0 % and 100 % only where they are exact
  const off = Math.min(share, 1 - share);
  if (off > 0 && off < 0.0005) return (share < 0.5 ? "<0.1" : ">99.9") + " %";
  return number(100 * share, off > 0 && off < 0.0995 ? 1 : 0) + " %";
}

// y at `at` on the line through the points (x increasing).
function interpolate(x, y, at) {
  if (at <= x[0]) return y[0];
  for (let i = 1; i < x.length; i++) {
    if (at <= x[i]) return y[i - 1] + (y[i] - y[i - 1]) * (at - x[i - 1]) / (x[i] - x[i - 1]);
  }
  return y[y.length - 1];
}

// ---- maps on a canvas -----------------------------------------------------------------------------------------

// One canvas pixel per value; CSS enlarges it with sharp edges. colour(value) -> [r, g, b].
function paint(canvas, width, height, values, colour) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  for (let i = 0; i < values.length; i++) {
    const rgb = colour(values[i]);
    image.data[4 * i] = rgb[0];
    image.data[4 * i + 1] = rgb[1];
    image.data[4 * i + 2] = rgb[2];
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}
function grey(value) { return [value, value, value]; }
// The signed colour map comes from Python with the data: 255 colours for int8 values from -127 to 127.
function signedColours(lut) { return (value) => lut.subarray(3 * (value + 127), 3 * (value + 127) + 3); }

// Marks at points of a picture, as large on any screen: a green dot, or a ring. (x, y) in the units of the SVG.
function dotMark(x, y) {
  return ["rim", "dot"].map((kind) => svg("path", { d: "M" + x + " " + y + "h0", class: "icg-x-mark-" + kind }));
}
function ringMark(x, y, r) {
  return ["halo", "ring"].map((kind) => svg("circle", { cx: x, cy: y, r: r, class: "icg-x-mark-" + kind }));
}

// A titled square for a map: picture, marks on top, a note below.
function panel(title, description) {
  const canvas = el("canvas", { role: "img", "aria-label": description });
  const marks = svg("svg", { "aria-hidden": "true" });
  const note = el("span", { class: "icg-x-note" });
  const node = el("div", { class: "icg-x-panel" },
    el("span", { class: "icg-x-label" }, title), el("div", { class: "icg-x-picture" }, canvas, marks), note);
  return { node, canvas, marks, note };
}

// The scale of the signed colour map.
function signedLegend(colours, text) {
  const canvas = el("canvas", { role: "img", "aria-label": "colour scale: blue negative, white zero, orange positive" });
  paint(canvas, 255, 1, Array.from({ length: 255 }, (_, i) => i - 127), colours);
  return el("div", { class: "icg-x-legend" }, el("span", {}, "− max"), canvas, el("span", {}, "+ max"),
    text ? el("span", { class: "icg-x-hint" }, text) : null);
}

// ---- start ----------------------------------------------------------------------------------------------------

// Bytes from base64.
function base64Bytes(text) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

// Call start() when the element is in the window, or nearly: a long page does not begin with all that is further down.
function whenNear(root, start) {
  if (typeof IntersectionObserver !== "function") { start(); return; }
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    start();
  }, { rootMargin: "400px 0px" });
  observer.observe(root);
}

// A shorter sentence leaves its place free, as long as the stage is as wide: else all of the page below would move, by hand
// after hand, which is hard to read and takes long.
function steady(stage) {
  let width = 0;
  new ResizeObserver(([{ contentRect: now }]) => {
    if (now.width === width) { stage.style.minHeight = now.height + "px"; return; }
    width = now.width;
    requestAnimationFrame(() => {
      stage.style.minHeight = "";
      stage.style.minHeight = stage.offsetHeight + "px";
    });
  }).observe(stage);
}

// Let the page do what else is waiting.
function pause() { return new Promise((go) => { setTimeout(go); }); }

// Let the page lay out what it has, in a task of its own; a page that is not seen does not.
function laidOut() {
  return new Promise((go) => { requestAnimationFrame(() => setTimeout(go)); setTimeout(go, 100); });
}

// What Python sends: in the page, or in a file beside it that the book's build made of much (press/slim.py).
async function payloadOf(root) {
  const node = root.querySelector('script[type="application/json"]'), file = node.dataset.file;
  if (file && !node.textContent) {
    await new Promise((come, fail) => {
      root.append(el("script", { src: file, onload: come, onerror: () => fail(new Error(file + " is missing")) }));
    });
  }
  return JSON.parse(node.textContent);
}

// Find the element(s) of this output and build. Notebooks may run a script before its element is on the page, and may
// show one output twice: so wait a little, and take every copy that has not started yet. The static picture stays until
// there is something to see: where `build` returns a promise, until that is kept.
function mount(id, build) {
  let tries = 0;
  (function start() {
    const roots = Array.from(document.querySelectorAll('[id="' + id + '"]')).filter((root) => !root.dataset.state);
    if (!roots.length && tries++ < 100) { setTimeout(start, 50); return; }
    for (const root of roots) {
      root.dataset.state = "waiting";
      whenNear(root, () => open(root));
    }
  })();
  async function open(root) {
    const stage = el("div", { class: "icg-x-stage" });
    root.dataset.state = "starting";
    try {
      const payload = await payloadOf(root);
      root.append(stage);
      await pause(); // one long task less
      const shown = build(root, stage, payload.data, signedColours(base64Bytes(payload.lut)));
      if (shown instanceof Promise) await shown;
      await laidOut();
      root.dataset.state = "ready"; // hides the static picture
      steady(stage);
    } catch (error) {
      root.dataset.state = "failed"; // the static picture stays
      stage.remove();
      console.error("explorable " + id + " did not start:", error);
    }
  }
}
