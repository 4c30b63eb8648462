"""What tests of explorables share: their data, their scripts without a page, and a reader's hands and eyes."""

import base64
import json
import re
import shutil
import subprocess
import zlib

import numpy as np
import pytest

from icg_book.kit.page.explorable import scripts

PHONE = {"width": 390, "height": 844}


# ---- without a browser


def sent(explorable) -> dict:
    """All that an explorable's page gets: its data, and the colours."""
    text = re.search(r'<script type="application/json">(.*?)</script>', explorable._repr_html_(), re.S).group(1)
    return json.loads(text)


def payload(explorable) -> dict:
    """The data of an explorable as its page gets them."""
    return sent(explorable)["data"]


def inflate(text: str, dtype) -> np.ndarray:
    """What the page unpacks."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text), -15), dtype)


class Script:
    """A script in Node, where no page is: ``ask(code, a)`` is the value of a JavaScript expression of ``x`` and ``a``.

    Args:
        path: the script; those that it uses come before it.
        x: an expression of its functions and of ``data``.
        data, a, and what is returned: anything JSON can hold; typed arrays become lists.
    """

    LOOP = """
      const [files, x] = JSON.parse(process.argv[1]), fs = require("fs");
      const source = files.map((file) => fs.readFileSync(file, "utf8")).join("\\n");
      const plain = (_, v) => (ArrayBuffer.isView(v) ? Array.from(v) : v === undefined ? null : v);
      let known = null;
      require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
        const { code, a } = JSON.parse(line), answer = {};
        try {
          known = known || new Function("data", '"use strict";' + source + "\\nreturn (" + x + ");")(a);
          if (code !== null) answer.value = new Function("x", "a", "return (" + code + ");")(known, a);
        } catch (error) { answer.error = String(error.stack); }
        process.stdout.write(JSON.stringify(answer, plain) + "\\n");
      });
    """

    def __init__(self, path, x: str, data=None):
        node = shutil.which("node")
        if node is None:
            pytest.skip("needs Node (the command node)")
        files = [str(file) for file in scripts(path)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
        self.process = subprocess.Popen([node, "-e", self.LOOP, json.dumps([files, x])], **pipes)
        self(None, data)

    def __call__(self, code: str | None, a=None):
        self.process.stdin.write(json.dumps({"code": code, "a": a}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer.get("value")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


# ---- in a browser


def call(root, code: str, argument=None):
    """A JavaScript expression of ``x`` (what the explorable shows to tests) and ``a`` (the argument)."""
    return root.evaluate("(r, a) => { const x = r.__explorable; return " + code + " }", argument)


def plain(text: str) -> str:
    """In one line, with the minus that Python reads."""
    return text.replace("−", "-").replace("\n", " ")


def place(element, x: float = 0.5, y: float = 0.5, dx: float = 0, dy: float = 0) -> tuple[float, float]:
    """Where on the screen a point of an element is: shares of its width and height, and pixels beyond."""
    box = element.bounding_box()
    return box["x"] + x * box["width"] + dx, box["y"] + y * box["height"] + dy


def drag(page, start, *points, steps: int = 5, button: str = "left") -> None:
    """Press the mouse at a point, move it to others, and let it go."""
    page.mouse.move(*start)
    page.mouse.down(button=button)
    for point in points:
        page.mouse.move(*point, steps=steps)
    page.mouse.up(button=button)


def pixels(canvas) -> np.ndarray:
    """A canvas as ``(H, W, 4)``."""
    height, width, data = canvas.evaluate(
        """c => {
          const copy = new OffscreenCanvas(c.width, c.height).getContext('2d'); // no warning
          copy.drawImage(c, 0, 0);
          const bytes = copy.getImageData(0, 0, c.width, c.height).data;
          return [c.height, c.width, btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(''))];
        }"""
    )
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4).astype(int)


def luminance(colour) -> float:
    """Of ``rgb(…)``, or of three numbers in [0, 1], as WCAG defines it."""
    if isinstance(colour, str):
        colour = np.array([float(v) for v in re.findall(r"[\d.]+", colour)[:3]]) / 255
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def ratio(colour, other) -> float:
    """WCAG contrast of two colours."""
    dark, light = sorted(map(luminance, (colour, other)))
    return (light + 0.05) / (dark + 0.05)


def contrast(element, of: str | None = None) -> tuple[float, bool]:
    """WCAG contrast of an element's text, or another of its colours, with its explorable, and whether that is dark."""
    ink, paper = element.evaluate(
        """(e, of) => [getComputedStyle(e)[of || (e instanceof SVGElement ? 'fill' : 'color')],
                       getComputedStyle(e.closest('.icg-x')).backgroundColor]""",
        of,
    )
    return ratio(ink, paper), luminance(paper) < 0.1


def assert_large(controls, least: int = 40) -> None:
    """Each of these is as wide and as high as a finger needs, in pixels."""
    for control in controls.all():
        box = control.bounding_box()
        assert min(box["width"], box["height"]) >= least, control


def read_number(text: str) -> float:
    """A number as pages write it: 1.5×10⁻⁴, −3."""
    return float(plain(text).replace("×10", "e").translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")))
