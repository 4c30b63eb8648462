// Playing: steps in time, and the button that plays and pauses.

// Does the reader ask for little motion?
function still() { return typeof matchMedia === "function" && matchMedia("(prefers-reduced-motion: reduce)").matches; }

// Calls step(milliseconds since the step before) every `wait()` milliseconds, or with every frame where that is 0.
function ticker(wait, step) {
  let stop = null; // while it runs
  function start() {
    halt();
    const between = wait();
    let then = null;
    const tick = (now) => {
      const passed = then === null ? 0 : now - then;
      then = now;
      step(passed);
    };
    if (between) {
      const id = setInterval(() => tick(performance.now()), between);
      stop = () => clearInterval(id);
    } else {
      let id = requestAnimationFrame(function frame(now) {
        id = requestAnimationFrame(frame);
        tick(now);
      });
      stop = () => cancelAnimationFrame(id);
    }
  }
  function halt() {
    if (stop) stop();
    stop = null;
  }
  return { start, halt, running: () => stop !== null };
}

// A button that plays and pauses. begin() comes before the first step; it plays until `step` gives true. With `words` the button
// says what it does, else it has a sign.
function player({ begin, wait, step, title = "Play", words = false }) {
  const loop = ticker(wait, (passed) => { if (step(passed)) pause(); });
  const sign = svg("path", {}), press = () => (loop.running() ? pause() : play());
  const node = words ? button("Play", press)
    : el("button", { type: "button", class: "icg-x-play", onclick: press }, svg("svg", { viewBox: "0 0 24 24", width: 20, height: 20, "aria-hidden": "true" }, sign));
  function play() {
    begin();
    loop.start();
    show();
  }
  function pause() {
    loop.halt();
    show();
  }
  function show() {
    const name = loop.running() ? "Pause" : "Play";
    if (words) { node.textContent = name; return; }
    sign.setAttribute("d", loop.running() ? "M6 4h4v16H6zM14 4h4v16h-4z" : "M7 4v16l13-8z");
    node.setAttribute("aria-label", name);
    node.title = loop.running() ? "Pause" : title;
  }
  show();
  return { node, pause, playing: loop.running };
}
