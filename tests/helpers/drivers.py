"""Three browsers, each driven by as little as does: Chromium by Playwright, the others by what they speak themselves.

Each has ``open(address)``, ``evaluate(function, *arguments)`` (JavaScript; arguments and value as JSON),
``point(*places)`` (the mouse is pressed at the first, moved to the others and let go) and ``press(*keys)``.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import websocket

WIDTH, HEIGHT = 1280, 900
KEYS = {  # as the WebDriver standard numbers them
    "Tab": "\ue004", "Enter": "\ue007", "Home": "\ue011", "End": "\ue010", "ArrowLeft": "\ue012", "ArrowUp": "\ue013",
    "ArrowRight": "\ue014", "ArrowDown": "\ue015", "Space": " ",
}  # fmt: skip
# Nothing on its own account: no first page, no updates, no experiments, no reports.
FIREFOX_SETTINGS = """
user_pref("app.normandy.enabled", false);
user_pref("app.update.disabledForTesting", true);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("datareporting.healthreport.uploadEnabled", false);
user_pref("extensions.update.enabled", false);
user_pref("messaging-system.rsexperimentloader.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,");
user_pref("toolkit.telemetry.enabled", false);
"""


def key_actions(keys: tuple[str, ...]) -> list[dict]:
    """Keys one after the other, as both WebDriver protocols want them."""
    strokes = [{"type": kind, "value": KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")]
    return [{"type": "key", "id": "keys", "actions": strokes}]


def mouse_actions(places: tuple[tuple[int, int], ...]) -> list[dict]:
    """A press, moves, and the release."""
    moves = [{"type": "pointerMove", "x": x, "y": y, "duration": 0} for x, y in places]
    down, up = ({"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp"))
    mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}}
    return [mouse | {"actions": [moves[0], down, *moves[1:], up]}]


@contextmanager
def process(command: list[str], **options):
    """A program, and all that it starts, until the end of the block."""
    started = subprocess.Popen(command, text=True, start_new_session=True, **options)
    try:
        yield started
    finally:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(started.pid, sign)
                started.wait(10)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass


class Chromium:
    """A page of Playwright's."""

    name = "Chromium"

    def __init__(self, page):
        self.page = page

    def open(self, address):
        self.page.goto(address)

    def evaluate(self, function, *arguments):
        return self.page.evaluate(f"(all) => ({function})(...all)", list(arguments))

    def point(self, *places):
        mouse = self.page.mouse
        mouse.move(*places[0])
        mouse.down()
        for place in places[1:]:
            mouse.move(*place)
        mouse.up()

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)


class Firefox:
    """By WebDriver BiDi, which Firefox speaks over a web socket."""

    name = "Firefox"

    def __init__(self, address):
        self.socket, self.sent = websocket.create_connection(address, suppress_origin=True, timeout=120), 0
        self.send("session.new", capabilities={})
        self.context = self.send("browsingContext.create", type="tab")["context"]  # the first one has no focus
        self.send("browsingContext.setViewport", context=self.context, viewport={"width": WIDTH, "height": HEIGHT})

    def send(self, method, **parameters):
        self.sent += 1
        self.socket.send(json.dumps({"id": self.sent, "method": method, "params": parameters}))
        while (answer := json.loads(self.socket.recv())).get("id") != self.sent:
            pass
        if answer["type"] == "error":
            raise RuntimeError(f"{method}: {answer['message']}")
        return answer["result"]

    def open(self, address):
        self.send("browsingContext.navigate", context=self.context, url=address, wait="complete")

    def evaluate(self, function, *arguments):
        answer = self.send(
            "script.callFunction",
            functionDeclaration=f"async (all) => JSON.stringify(await ({function})(...JSON.parse(all)) ?? null)",
            arguments=[{"type": "string", "value": json.dumps(arguments)}],
            target={"context": self.context},
            awaitPromise=True,
            userActivation=True,
        )
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    def point(self, *places):
        self.send("input.performActions", context=self.context, actions=mouse_actions(places))

    def press(self, *keys):
        self.send("input.performActions", context=self.context, actions=key_actions(keys))


class WebKit:
    """By WebDriver, which WebKit's driver speaks over HTTP."""

    name = "WebKit"

    def __init__(self, address):
        self.session = address
        self.session += "/session/" + self.send("", {"capabilities": {"alwaysMatch": {}}}, "/session")["sessionId"]
        self.send("/timeouts", {"script": 90000})  # longer than the patience of tour.js
        high = HEIGHT + 200
        for _ in range(2):  # the window's frame takes some
            self.send("/window/rect", {"width": WIDTH, "height": high})
            high += HEIGHT - self.evaluate("() => innerHeight")

    def send(self, path, body, before=""):
        request = urllib.request.Request(
            self.session + before + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}: {json.load(error)['value']['message']}") from None

    def open(self, address):
        self.send("/url", {"url": address})

    def evaluate(self, function, *arguments):
        script = (
            "const [all, done] = arguments;"
            f"(async () => ({function})(...all))()"
            ".then((value) => done([value ?? null]), (error) => done(String(error)))"
        )
        answer = self.send("/execute/async", {"script": script, "args": [list(arguments)]})
        if isinstance(answer, str):
            raise RuntimeError(answer)
        return answer[0]

    def point(self, *places):
        self.send("/actions", {"actions": mouse_actions(places)})

    def press(self, *keys):
        self.send("/actions", {"actions": key_actions(keys)})


@contextmanager
def firefox(folder):
    """A Firefox whose profile is this empty folder, or None where none is installed."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        yield None
        return
    (folder / "user.js").write_text(FIREFOX_SETTINGS, encoding="utf-8")
    command = [program, "--headless", "--no-remote", "--profile", str(folder), "--remote-debugging-port", "0"]
    with (folder / "log").open("w") as log, process(command, stdout=log, stderr=log) as started:
        for _ in range(600):
            if found := re.search(r"ws://\S+", (folder / "log").read_text("utf-8", errors="replace")):
                break
            assert started.poll() is None, f"Firefox stopped: {(folder / 'log').read_text()[-500:]}"
            time.sleep(0.1)
        yield Firefox(found[0] + "/session")


@contextmanager
def webkit(folder):
    """A WebKit in a screen of its own, or None where none is installed."""
    if not all(map(shutil.which, ("WebKitWebDriver", "xvfb-run"))):
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    screen = ["xvfb-run", "-a", "-s", f"-screen 0 {WIDTH + 200}x{HEIGHT + 300}x24 -nolisten tcp"]
    with (
        (folder / "log").open("w") as log,
        process([*screen, "WebKitWebDriver", f"--port={port}"], stdout=log, stderr=log) as started,
    ):
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert started.poll() is None, f"WebKit stopped: {(folder / 'log').read_text()[-500:]}"
                time.sleep(0.1)
        yield WebKit(f"http://127.0.0.1:{port}")
