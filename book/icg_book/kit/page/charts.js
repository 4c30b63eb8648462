// Charts: a picture as wide as its place, with a scale on each side.

function niceTicks(low, high, about) {
  const raw = (high - low) / about, power = Math.pow(10, Math.floor(Math.log10(raw)));
  const step = power * [1, 2, 2.5, 5, 10].find((m) => m * power >= raw * 0.999);
  const ticks = [];
  for (let t = Math.ceil(low / step - 1e-9) * step; t <= high + step * 1e-9; t += step) ticks.push(Number(t.toPrecision(12)));
  return ticks;
}

function svgText(x, y, anchor, what, kind) { return svg("text", { x, y, "text-anchor": anchor, class: kind || "" }, what); }

// The rectangle of a plot, from `left` to `right` and from `top` to `bottom` in pixels, where x runs over [from, to] and y
// over [low, high]; and what is drawn in it, in the units of x and y.
function plotted({ left, right, top, bottom }, [from, to], [low, high]) {
  const x = (v) => left + (right - left) * (v - from) / (to - from), y = (v) => top + (bottom - top) * (high - v) / (high - low);
  const upright = (v, kind, start = top, end = bottom) => svg("line", { x1: x(v), x2: x(v), y1: start, y2: end, class: kind });
  const across = (v, kind) => svg("line", { x1: left, x2: right, y1: y(v), y2: y(v), class: kind });
  const path = (points) => points.map((p, i) => (i ? "L" : "M") + x(p[0]).toFixed(1) + " " + y(p[1]).toFixed(1)).join("");
  return {
    left, right, top, bottom, from, to, low, high, x, y, upright, across, path,
    line: (points, kind, more) => svg("path", { d: path(points), class: kind, ...more }),
    dot: (v, w, r, kind, more) => svg("circle", { cx: x(v), cy: y(w), r, class: kind, ...more }),
    // Lines across with their numbers on the left; numbers below; what x is.
    grid: (ticks, gap = 8, words = number, kind = () => "icg-x-grid") => ticks.map((t) =>
      svg("g", {}, across(t, kind(t)), svgText(left - gap, y(t) + 4, "end", words(t)))),
    below: (ticks, gap, words = number) => ticks.map((t) => svgText(x(t), bottom + gap, "middle", words(t))),
    name: (what, at, kind = "icg-x-axis") => svgText((left + right) / 2, at, "middle", what, kind),
    inside: (pixels) => from + Math.min(1, Math.max(0, (pixels - left) / (right - left))) * (to - from),
  };
}

// A chart that is drawn again when its width changes, with margins and a height in pixels (else the style sheet's) and more
// attributes. `scales()` gives the ranges of x and y, or null as long as there is nothing to draw; `draw(plot)` gives what is
// drawn; `pick(x)` is called where it is pressed or dragged. How large it is, the browser says when it has laid out the page:
// to ask for it while the page is changed would lay out all of it, once for every chart.
function chart({ left, right, top, bottom, height, ...attributes }, { scales, draw, pick }) {
  const ground = svg("g", { "aria-hidden": "true" });
  const node = svg("svg", { class: "icg-x-chart", "aria-hidden": "true", height: height || null, ...attributes }, ground);
  const self = { node, plot: null, draw: redraw };
  let width = 0, tall = 0;
  function resized() {
    [width, tall] = [node.clientWidth, height || node.clientHeight];
    redraw();
  }
  function redraw() {
    const ranges = width < 80 ? null : scales();
    if (!ranges) return;
    node.setAttribute("viewBox", "0 0 " + width + " " + tall);
    self.plot = plotted({ left, right: width - right, top, bottom: tall - bottom }, ...ranges);
    ground.replaceChildren(...draw(self.plot).filter(Boolean));
  }
  if (pick) draggable(node, (share) => { if (self.plot) pick(self.plot.inside(share * width)); });
  new ResizeObserver(resized).observe(node);
  return self;
}
