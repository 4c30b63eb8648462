// uses strokes.js
// A pad for a lab: its strokes go as text into a field of the notebook's widgets, and the kernel does the rest.

function build(root, stage, data) {
  const field = "." + data.field + " textarea", { toCode, fromCode } = strokeCode(data), scale = 16; // canvas pixels a unit
  const canvas = el("canvas", { class: "icg-x-pad", width: scale * data.size, height: scale * data.size,
    role: "img", "aria-label": "drawing pad, for mouse, pen and finger" });
  const status = el("p", { class: "icg-x-note", role: "status" });
  let strokes = [], pen = null, waiting = null; // pen: the pointer that draws; other fingers do not

  function draw() {
    const context = canvas.getContext("2d");
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.strokeStyle = "#fff";
    context.lineWidth = data.pen * scale;
    context.lineCap = context.lineJoin = "round";
    for (const line of strokes) {
      context.beginPath();
      context.moveTo(line[0][0] * scale, line[0][1] * scale);
      for (const p of line) context.lineTo(p[0] * scale + 0.01, p[1] * scale); // or a dot would not be drawn
      context.stroke();
    }
    undo.disabled = clear.disabled = !strokes.length;
  }

  function send() {
    clearTimeout(waiting);
    const area = document.querySelector(field);
    status.textContent = area ? "" : "The lab is not running: run this cell.";
    if (!area) return;
    area.value = toCode(strokes);
    for (const event of ["input", "change"]) area.dispatchEvent(new Event(event, { bubbles: true }));
  }
  function change(lines) { strokes = lines; draw(); send(); }

  draggable(canvas, (x, y, event) => {
    const inside = (share) => Math.min(1, Math.max(0, share)) * data.size, point = [inside(x), inside(y)];
    if (event.type === "pointerdown") {
      if (pen !== null || event.button > 0) return;
      pen = event.pointerId;
      clearTimeout(waiting);
      strokes.push([point]);
    } else {
      if (event.pointerId !== pen) return;
      const line = strokes[strokes.length - 1], last = line[line.length - 1];
      if (Math.hypot(point[0] - last[0], point[1] - last[1]) < 0.4) return; // units; keeps the code short
      line.push(point);
    }
    draw();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => {
      if (event.pointerId !== pen) return;
      pen = null;
      waiting = setTimeout(send, 400); // the pen may come down again: a 4 has two strokes
    });
  }
  const undo = button("Undo", () => change(strokes.slice(0, -1)));
  const clear = button("Clear", () => change([]));

  // A code that was pasted into the field is shown here as well.
  document.addEventListener("input", (event) => {
    if (event.isTrusted && event.target.matches(field)) { strokes = fromCode(event.target.value); draw(); }
  });

  stage.append(el("div", { class: "icg-x-pad-row" }, canvas, el("div", { class: "icg-x-pad-side" },
    el("p", {}, "Draw with the mouse, a pen or a finger. When you pause, the network of the lab below reads it."),
    el("p", { class: "icg-x-note" }, "Without a pointer: choose a digit below, or paste the code of a drawing there."),
    el("div", { class: "icg-x-pad-buttons" }, undo, clear), status)));
  draw();
  root.__explorable = { state: () => strokes, toCode, fromCode, change };
}
