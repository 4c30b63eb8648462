"""The built book in Firefox and WebKit: every page opens clean, and explorables say what they say in Chromium.

One tour for all: each control of an explorable is moved by the mouse and by keys, and after each move all that the
explorable says must be the same, up to one in the last digit of a number. Chromium's tour is the reference.
"""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from drivers import HEIGHT, WIDTH, Chromium, firefox, webkit

BUILT = Path(__file__).resolve().parents[2] / "_build" / "html"
PAGES = sorted(path.relative_to(BUILT).as_posix() for path in BUILT.rglob("*.html") if "_static" not in path.parts)
PAGES = [page for page in PAGES if page != "index.html"]  # leads to book/index.html at once
EXPLORABLES = [page for page in PAGES if b'<div class="icg-x"' in (BUILT / page).read_bytes()]
TOUR = Path(__file__).with_name("tour.js").read_text(encoding="utf-8")
# Before a page's own scripts: gather what goes wrong, in the same way everywhere; the same random numbers, no motion.
RECORDER = b"""<script>
window.__trouble = [];
(() => {
  const say = (text) => window.__trouble.push(String(text));
  const lost = ({ target }) => "not loaded: " + (target.src || target.href);
  addEventListener("error", (event) => say(event.message || lost(event)), true);
  addEventListener("unhandledrejection", (event) => say(event.reason));
  document.addEventListener("securitypolicyviolation", (event) => say("refused by the rules: " + event.blockedURI));
  const error = console.error;
  console.error = (...all) => { say(all.join(" ")); error(...all); };
  let seed = 1;
  Math.random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const media = matchMedia.bind(window);
  window.matchMedia = (query) => media(query.replace("(prefers-reduced-motion: reduce)", "all"));
})();
</script>"""
# In Chromium's tour all that a page puts off, and all that its worker answers, comes late, as on a busy machine: an
# explorable that does not tell the tour to wait for it is heard too early every time, not once in a while.
LATE = """(() => {
  const soon = window.__soon = setTimeout, Plain = Worker, late = 250; // longer than hear() in tour.js listens
  window.Worker = class extends Plain {
    set onmessage(hear) { super.onmessage = (event) => soon(hear, late, event); }
  };
  window.setTimeout = (call, wait, ...rest) => soon(call, (wait || 0) + (window.__tour ? late : 0), ...rest);
})();"""
# A page may ask nobody but its own host.
RULES = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"


class _Recording(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def end_headers(self):
        self.send_header("Content-Security-Policy", RULES)
        super().end_headers()

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if path.suffix != ".html" or not path.is_file():
            return super().do_GET()
        page = path.read_bytes().replace(b"<head>", b"<head>" + RECORDER, 1)
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)


@pytest.fixture(scope="module")
def address():
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Recording, directory=BUILT)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module", params=[firefox, webkit], ids=["Firefox", "WebKit"])
def driver(request, tmp_path_factory):
    with request.param(tmp_path_factory.mktemp(request.param.__name__)) as found:
        if found is None:
            pytest.skip(f"needs {request.param.__doc__.split()[1]}: it is not installed")
        yield found


_references = {}


@pytest.fixture
def reference(request, browser, address):
    """The steps of Chromium's tour of this page, each with what the explorable then says."""
    path = request.getfixturevalue("path")
    if path not in _references:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.add_init_script(LATE)
        chromium = Chromium(page)
        _references[path] = list(tour(chromium, f"{address}/{path}"))
        assert trouble(chromium) == []
        page.close()
    return _references[path]


def trouble(driver) -> list[str]:
    """What a page complained about."""
    return driver.evaluate("() => window.__trouble")


def moves(driver, kind: str, name: str):
    """Move the control that was met last, each way in turn, and yield what was done."""
    ask = driver.evaluate

    def mouse():
        driver.point(*ask("(kind) => __tour.places(kind)", kind))

    def keys(*pressed):
        assert ask("() => __tour.focus()"), f"{name} takes no focus"
        driver.press(*pressed)

    if kind == "button" and name == "Play":
        ask("() => __tour.listen()")
        mouse()
        assert ask("() => __tour.called('Pause')"), "Play does not start by mouse"
        keys("Enter")
        assert ask("() => __tour.stopped()"), "Pause does not stop by key"
        for k in range(ask("() => __tour.ranges()")):  # where it stopped is chance
            ask("(k) => __tour.toRange(k)", k)
            driver.press("Home")
        yield "played, paused, back"
    elif kind == "button":
        mouse()
        yield "pressed"
        if ask("() => __tour.focus()"):  # unless it is gone, or off by now
            driver.press("Enter")
            yield "Enter"
    elif kind == "check":
        mouse()
        yield "pressed"
        keys("Space")
        yield "Space"
    elif kind == "radio":
        mouse()
        yield "pressed"
        keys("ArrowDown")
        yield "next by key"
    elif kind == "select":  # by mouse its list opens, which is the browser's own
        keys("ArrowDown")
        yield "next by key"
    elif kind == "range":
        mouse()
        yield "dragged to its end"
        keys("Home")
        yield "Home"
    elif kind == "number":
        mouse()
        keys("0", ".", "3", "Enter")
        yield "0.3 by key"
    elif kind == "handle":
        mouse()
        yield "dragged to the corner"
        keys("ArrowLeft", "ArrowLeft", "ArrowDown")
        yield "arrow keys"
    elif kind == "thing":
        mouse()
        yield "dragged"
        keys("ArrowLeft", "ArrowDown")
        yield "arrow keys"
    elif kind == "pad":
        keys("Space", "ArrowRight", "ArrowRight", "ArrowDown", "Space")
        yield "drawn by keys"
        # The points of a line by mouse are fractions of pixels, which differ: it is drawn, and taken back.
        before = ask("() => __tour.hear(false)")
        mouse()
        assert ask("() => __tour.hear(false)") != before, f"{name}: the mouse draws nothing"
        ask("() => __tour.toNamed('Undo')")
        kind = "button"
        mouse()
        yield "drawn on by mouse, and taken back"


def tour(driver, address: str, expected=None):
    """Move every control of the page's explorable; yields ``(step, words)``, or compares with these as it goes."""
    ask = driver.evaluate
    driver.open(address)
    ask(TOUR)
    assert ask("() => __tour.arrived()"), "the explorable does not start"
    expected = iter(expected or ())
    for step, whole in steps(driver):
        name, words = next(expected, (step, None))
        assert name == step
        heard = ask("(whole, words) => __tour.hear(whole, words)", whole, words)
        if words is not None:
            assert heard["same"], f"{step}: expected {heard['expected']}, got {heard['mine']}"
        yield step, heard.get("words")


def steps(driver):
    """Move one control after the other; yields what was done, and whether all must be heard now, however late."""
    yield "at the start", True
    for _ in range(80):
        control = driver.evaluate("() => __tour.next()")
        if control is None:
            yield "at the end", True
            return
        for done in moves(driver, **control):
            yield f"{control['kind']} {control['name']}: {done}", False
    raise AssertionError("the tour does not end")


LOADED = """async () => {
  for (let k = 0; k < 600 && document.readyState !== "complete"; k++) await new Promise((done) => setTimeout(done, 50));
  return document.readyState === "complete" && document.querySelector("h1") !== null;
}"""


@pytest.mark.parametrize("path", PAGES)
def test_page_opens_clean(driver, address, path):
    driver.open(f"{address}/{path}")
    assert driver.evaluate(LOADED)
    driver.evaluate("() => scrollTo(0, 1e6)")
    assert trouble(driver) == []


@pytest.mark.parametrize("path", EXPLORABLES)
def test_explorable_says_what_it_says_in_chromium(driver, address, reference, path):
    steps = list(tour(driver, f"{address}/{path}", reference))
    assert len(steps) == len(reference) > 3
    assert trouble(driver) == []
