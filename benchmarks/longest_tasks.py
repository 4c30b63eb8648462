"""For how long each explorable of the built book keeps its page from answering, on a device four times slower.

    make book                                        # what is measured
    python benchmarks/longest_tasks.py               # every explorable, on a phone's width and a desktop's
    python benchmarks/longest_tasks.py damage --widths 1280 --rounds 1 --steps

A page answers to nothing while a task runs in its main thread. Measured is the longest one while an explorable starts
(the page is there, and then scrolled to it), and while its controls are moved: every control is dragged or pressed by
mouse, then moved by keys, as `tests/browser/tour.js` finds them; of those that are alike, the first two. The time of a
task is that for which the thread itself ran (``tdur`` in Chromium's trace), so that other programs of a busy machine
count little, times four. Work that ends by the clock, as some does after 12 ms, counts four times as well. Steps are
repeated in fresh pages, and the best of the rounds counts for each step; the longest step is shown. The layout shift is
the sum of Chromium's ``layout-shift`` entries while the explorable starts.
"""

import argparse
import json
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import torch
from playwright.sync_api import sync_playwright

from icg_book.kit.records import provenance, write_json

HERE = Path(__file__).parent
BUILT = HERE.parent / "_build" / "html"
TOUR, HOLD = ((HERE.parent / "tests" / "browser" / name).read_text(encoding="utf-8") for name in ("tour.js", "hold.js"))
SLOWER, LIMIT = 4, 100  # times; milliseconds
HEIGHTS = {390: 844}  # of the window, by its width
SHIFTS = """
window.__shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.__shift += entry.value;
}).observe({ type: "layout-shift" });
"""
RESTED = """() => { const { ready } = document.querySelector(".icg-x").__explorable; return ready ? ready() : true; }"""


class Quiet(SimpleHTTPRequestHandler):
    """A server that does not say what it is asked."""

    def log_message(self, *_):
        pass


def explorables() -> dict[str, str]:
    """The page of every explorable, by its script's name."""
    found = {}
    for path in sorted((BUILT / "book").glob("*.html")):
        before, mark, after = path.read_text(encoding="utf-8").partition('<div class="icg-x" id="icg-')
        if mark:
            found[after.split("-")[0]] = f"book/{path.name}"
    return found


def moves(page, kind: str):
    """Move the control that the tour met last: by mouse, then by keys. Yields functions, and what they do."""
    mouse = page.mouse
    (x, y), *others = page.evaluate("(kind) => __tour.places(kind)", kind)

    def drag():
        mouse.move(x, y)
        mouse.down()
        for to in others:
            mouse.move(*to, steps=6)
        mouse.up()

    if kind != "select":  # its list is the browser's own
        yield "mouse", drag
    if page.evaluate("() => __tour.focus()"):
        keys = {
            "select": ["ArrowDown", "ArrowUp", "ArrowUp"], "button": ["Enter"], "check": ["Space"],
            "range": ["Home", "ArrowRight", "ArrowRight", "End", "ArrowLeft"], "radio": ["ArrowDown"],
            "pad": ["Space", "ArrowRight", "ArrowDown", "Space"], "number": ["0", ".", "3", "Enter"],
        }  # fmt: skip
        yield "keys", lambda: [page.keyboard.press(key) for key in keys.get(kind, ["ArrowLeft", "ArrowDown"])]


def measure(browser, address: str, width: int) -> tuple[dict[str, float], float]:
    """One visit: the longest task of each step in milliseconds of this machine, and the layout shift of the start."""
    page = browser.new_page(viewport={"width": width, "height": HEIGHTS.get(width, 900)})
    page.add_init_script(HOLD + SHIFTS)
    page.goto(address)
    page.wait_for_function("() => window.__begin.length > 0")
    page.evaluate(TOUR)
    page.wait_for_timeout(300)

    def step(name, act):
        page.evaluate("(name) => performance.mark('icg begins ' + name)", name)
        act()
        page.wait_for_timeout(100)
        page.wait_for_function(RESTED, polling=100)
        page.wait_for_timeout(100)
        page.evaluate("(name) => performance.mark('icg ends ' + name)", name)

    def start():
        page.evaluate('() => { document.querySelector(".icg-x").scrollIntoView(); __begin.forEach((go) => go()); }')
        page.wait_for_selector(".icg-x[data-state=ready]", state="attached")

    shift = page.evaluate("() => window.__shift")
    browser.start_tracing(page=page, categories=["toplevel", "blink.user_timing"])
    step("start", start)
    shift = page.evaluate("() => window.__shift") - shift
    page.evaluate("() => __tour.arrived()")
    while control := page.evaluate("() => __tour.next()"):
        for way, act in moves(page, control["kind"]):
            step(f"{control['kind']} {control['name'][:40]}: {way}", act)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    page.close()
    return longest(events), shift


def longest(events: list[dict]) -> dict[str, float]:
    """The longest task in milliseconds that began in each step, by Chromium's trace."""
    marks = [e for e in events if e["name"].startswith("icg ") and "blink.user_timing" in e["cat"]]
    thread = marks[0]["pid"], marks[0]["tid"]
    tasks = [(e["ts"], e["tdur"] / 1000) for e in events if "tdur" in e and (e["pid"], e["tid"]) == thread]
    spans, found = {}, {}
    for event in sorted(marks, key=lambda e: e["ts"]):
        _, kind, name = event["name"].split(" ", 2)
        if kind == "begins":
            spans[name] = event["ts"]
        else:
            ran = [time for at, time in tasks if spans[name] < at < event["ts"]]
            found[name] = max(found.get(name, 0), *ran)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    pages = explorables()
    parser.add_argument("names", nargs="*", help=f"any of {', '.join(pages)} (default: all)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--widths", type=int, nargs="+", default=[390, 1280])
    parser.add_argument("--steps", action="store_true", help="show every step, too")
    parser.add_argument("--dry", action="store_true", help="only show: leave results.json as it is")
    options = parser.parse_args()
    if not pages:
        parser.error(f"expected a built book in {BUILT}, got no page with an explorable: run make book")
    unknown = set(options.names) - set(pages)
    if unknown:
        parser.error(f"unknown explorables {', '.join(sorted(unknown))}")
    path = HERE / "results.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=BUILT)) as server,
        sync_playwright() as playwright,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        for width in options.widths:
            print(
                f"\n{'explorable':16s} {width:5d} px  start, move in ms (at most {LIMIT}), layout shift; longest move"
            )
            rows = []
            for name in options.names or pages:
                address = f"http://127.0.0.1:{server.server_port}/{pages[name]}"
                rounds = [measure(browser, address, width) for _ in range(options.rounds)]
                steps = {s: SLOWER * min(r[s] for r, _ in rounds if s in r) for s in rounds[0][0]}
                start, shift = steps.pop("start"), min(shift for _, shift in rounds)
                step, move = max(steps.items(), key=lambda item: item[1])
                verdict = "met" if max(start, move) <= LIMIT else "MISSED"
                print(f"{name:16s} {start:10.0f} {move:7.0f}  {verdict:6s} {shift:.3f}  {step}", flush=True)
                if options.steps:
                    for step, time in sorted(steps.items(), key=lambda item: -item[1]):
                        print(f"{'':16s} {time:18.0f}  {step}")
                rows += [
                    {"what": f"{name}: start", "ms": round(start, 1), "target": LIMIT},
                    {"what": f"{name}: move ({step})", "ms": round(move, 1), "target": LIMIT},
                    {"what": f"{name}: layout shift", "ratio": round(shift, 4), "target": None},
                ]
            if options.dry or options.names:  # a part would take the place of the whole
                continue
            made = provenance("python benchmarks/longest_tasks.py", 0, torch.device("cpu"))
            results[f"longest tasks, {width} px"] = {"rows": rows, **made, "browser": browser.version}
            write_json(path, results)
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
