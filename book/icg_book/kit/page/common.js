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
  box.fill = (names, index) => {
    select.replaceChildren(...names.map((name) => el("option", {}, name)));
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

// y at `at` on the line through the points (x increasing).
function interpolate(x, y, at) {
  if (at <= x[0]) return y[0];
  for (let i = 1; i < x.length; i++) {
    if (at <= x[i]) return y[i - 1] + (y[i] - y[i - 1]) * (at - x[i - 1]) / (x[i] - x[i - 1]);
  }
  return y[y.length - 1];
}

// ---- packed bytes ---------------------------------------------------------------------------------------------

function base64Bytes(text) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

// Raw deflate (RFC 1951) into `size` bytes.
function inflate(input, size) {
  const out = new Uint8Array(size);
  let position = 0, bit = 0, at = 0;

  function bits(n) {
    let value = 0;
    for (let i = 0; i < n; i++) {
      value |= ((input[at] >> bit) & 1) << i;
      if (++bit === 8) { bit = 0; at++; }
    }
    return value;
  }
  // Canonical Huffman code: how many codes of each length, and the symbols in order.
  function tree(lengths) {
    const count = new Uint16Array(16), start = new Uint16Array(16), symbols = new Uint16Array(lengths.length);
    for (const n of lengths) count[n]++;
    count[0] = 0;
    for (let n = 1; n < 15; n++) start[n + 1] = start[n] + count[n];
    lengths.forEach((n, symbol) => { if (n) symbols[start[n]++] = symbol; });
    return { count, symbols };
  }
  function symbol(t) {
    let code = 0, first = 0, index = 0;
    for (let n = 1; n < 16; n++) {
      code |= (input[at] >> bit) & 1;
      if (++bit === 8) { bit = 0; at++; }
      const count = t.count[n];
      if (code - count < first) return t.symbols[index + code - first];
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw new Error("packed data are damaged");
  }

  const lengthBase = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
  const lengthBits = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
  const backBase = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
  const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

  for (let last = 0; !last;) {
    last = bits(1);
    const kind = bits(2);
    if (kind === 0) {
      if (bit) { bit = 0; at++; }
      const n = input[at] | (input[at + 1] << 8);
      out.set(input.subarray(at + 4, at + 4 + n), position);
      at += 4 + n;
      position += n;
      continue;
    }
    let literals, backs;
    if (kind === 1) {
      literals = tree(Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8)));
      backs = tree(new Array(30).fill(5));
    } else {
      const nLiterals = bits(5) + 257, nBacks = bits(5) + 1, nCodes = bits(4) + 4, codes = new Array(19).fill(0);
      for (let i = 0; i < nCodes; i++) codes[order[i]] = bits(3);
      const codeTree = tree(codes), lengths = [];
      while (lengths.length < nLiterals + nBacks) {
        const s = symbol(codeTree);
        if (s < 16) { lengths.push(s); continue; }
        const value = s === 16 ? lengths[lengths.length - 1] : 0;
        for (let n = s === 16 ? 3 + bits(2) : s === 17 ? 3 + bits(3) : 11 + bits(7); n; n--) lengths.push(value);
      }
      literals = tree(lengths.slice(0, nLiterals));
      backs = tree(lengths.slice(nLiterals));
    }
    for (let s = symbol(literals); s !== 256; s = symbol(literals)) {
      if (s < 256) { out[position++] = s; continue; }
      const n = lengthBase[s - 257] + bits(lengthBits[s - 257]), b = symbol(backs);
      const back = backBase[b] + bits(b < 4 ? 0 : (b >> 1) - 1);
      for (let end = position + n; position < end; position++) out[position] = out[position - back];
    }
  }
  if (position !== size) throw new Error("expected " + size + " packed bytes, got " + position);
  return out;
}
function unpack(text, size) { return inflate(base64Bytes(text), size); }

// Undo step_difference: every frame of `plane` bytes was stored as the difference from the one before.
function addSteps(bytes, plane) {
  for (let i = plane; i < bytes.length; i++) bytes[i] += bytes[i - plane];
  return bytes;
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

// ---- a line chart ---------------------------------------------------------------------------------------------

function niceTicks(low, high, about) {
  const raw = (high - low) / about, power = Math.pow(10, Math.floor(Math.log10(raw)));
  const step = power * [1, 2, 2.5, 5, 10].find((m) => m * power >= raw * 0.999);
  const ticks = [];
  for (let t = Math.ceil(low / step - 1e-9) * step; t <= high + step * 1e-9; t += step) ticks.push(Number(t.toPrecision(12)));
  return ticks;
}

// One curve with a moving dot; what lies behind the dot is drawn bold. Redraws itself when its width changes.
// chart.set({x, y, from, to, label, axis}), chart.move(position, value); pick(position) when pressed or dragged.
function lineChart(pick) {
  const left = 60, right = 14, top = 24, height = 132, bottom = 38;
  const picture = svg("svg", { class: "icg-x-chart", height: height, "aria-hidden": "true" });
  let curve = null, place = null;

  function draw() {
    const width = picture.clientWidth;
    if (!curve || width < 80) return;
    picture.setAttribute("viewBox", "0 0 " + width + " " + height);
    const low = Math.min(...curve.y), high = Math.max(...curve.y), unit = low >= -0.02 && high <= 1.02;
    const pad = (high - low) * 0.06 || 1, y0 = unit ? -0.03 : low - pad, y1 = unit ? 1.03 : high + pad;
    const px = (x) => left + (width - left - right) * (x - curve.from) / (curve.to - curve.from);
    const py = (y) => top + (height - top - bottom) * (y1 - y) / (y1 - y0);
    const path = (points) => points.map((p, i) => (i ? "L" : "M") + px(p[0]).toFixed(1) + " " + py(p[1]).toFixed(1)).join("");
    const points = curve.x.map((x, i) => [x, curve.y[i]]);
    const past = points.filter((p) => p[0] < place.x).concat([[place.x, place.y]]);
    const text = (x, y, anchor, what, kind) => svg("text", { x, y, "text-anchor": anchor, class: kind || "" }, what);
    picture.replaceChildren(
      text(0, 12, "start", curve.label, "icg-x-axis"),
      ...(unit ? [0, 0.5, 1] : niceTicks(y0, y1, 3)).map((t) => svg("g", {},
        svg("line", { x1: left, x2: width - right, y1: py(t), y2: py(t), class: "icg-x-grid" }),
        text(left - 8, py(t) + 4, "end", number(t)))),
      ...niceTicks(curve.from, curve.to, width < 420 ? 2 : 4).map((t) =>
        text(px(t), height - bottom + 16, "middle", number(t))),
      text(left + (width - left - right) / 2, height - 5, "middle", curve.axis, "icg-x-axis"),
      svg("line", { x1: px(place.x), x2: px(place.x), y1: top, y2: height - bottom, class: "icg-x-here" }),
      svg("path", { d: path(points), class: "icg-x-line" }),
      svg("path", { d: path(past), class: "icg-x-line icg-x-past" }),
      svg("circle", { cx: px(place.x), cy: py(place.y), r: 6, class: "icg-x-dot" }));
  }
  draggable(picture, (share) => {
    const width = picture.clientWidth, inside = (share * width - left) / (width - left - right);
    pick(curve.from + Math.min(1, Math.max(0, inside)) * (curve.to - curve.from));
  });
  if (window.ResizeObserver) new ResizeObserver(draw).observe(picture);
  else window.addEventListener("resize", draw);
  return { node: picture, set: (c) => { curve = c; }, move: (x, y) => { place = { x, y }; draw(); } };
}

// ---- start ----------------------------------------------------------------------------------------------------

// Find the element(s) of this output and build. Notebooks may run a script before its element is on the page, and may
// show one output twice: so wait a little, and take every copy that has not started yet.
function mount(id, build) {
  let tries = 0;
  (function start() {
    const roots = Array.from(document.querySelectorAll('[id="' + id + '"]')).filter((root) => !root.dataset.state);
    if (!roots.length && tries++ < 100) { setTimeout(start, 50); return; }
    for (const root of roots) {
      const stage = el("div", { class: "icg-x-stage" });
      root.dataset.state = "starting";
      try {
        const payload = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
        root.append(stage);
        build(root, stage, payload.data, signedColours(base64Bytes(payload.lut)));
        root.dataset.state = "ready"; // hides the static picture
      } catch (error) {
        root.dataset.state = "failed"; // the static picture stays
        stage.remove();
        console.error("explorable " + id + " did not start:", error);
      }
    }
  })();
}
