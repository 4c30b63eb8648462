"""Explorables: interactive pictures that need no kernel, no network and no library.

An `Explorable` is one HTML fragment: a title, a static picture, its data as inline JSON, and one plain script. The
same fragment runs in the built book (also from ``file://``), in JupyterLab and in Colab's sandboxed frames, because it
relies on nothing outside itself: the script finds its own element by id and keeps no globals. Until it has run, or
where scripts are off, the reader sees the static picture with its alt text.

A new explorable called NAME is a file ``NAME.js`` in its chapter's folder, which defines
``build(root, stage, data, colours)`` with the helpers of ``common.js`` and fills ``stage``; a ``NAME.py`` beside it,
with a function that checks its input and returns ``Explorable(script_beside(__file__), data, …)``; and a ``NAME.css``
where ``explorable.css`` does not do. A line ``// uses OTHER.js`` brings another script, from the same folder or from
this one: ``charts.js``, ``player.js``, ``packed.js``, ``networks.js``, ``random.js`` or ``beside.js``, which computes
in a worker. Maths of more than a few lines goes to ``NAME_maths.js``: functions that need no page, so that tests can
run them by themselves. An explorable starts when it comes into view.
"""

import base64
import hashlib
import html
import itertools
import json
import re
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from icg_book.kit.figures import signed_lut

HERE = Path(__file__).parent
_count = itertools.count(1)


@dataclass(frozen=True, repr=False)
class Explorable:
    """An interactive picture; the last value of a notebook cell is shown.

    Args:
        script: the file ``NAME.js`` that draws it; see :func:`script_beside`.
        data: anything JSON can hold; see `pack` for arrays.
        title: short heading, also the name that screen readers announce.
        alt: what the static picture shows, for those who do not see it.
        fallback: the static picture: PNG bytes, a path to a PNG, or a matplotlib figure.

    Raises:
        ValueError: no such script, an empty title or alt text, data that JSON cannot hold, a picture that is no PNG.
    """

    script: Path
    data: dict
    title: str
    alt: str
    fallback: object = None

    def __post_init__(self):
        object.__setattr__(self, "script", Path(self.script))
        if not (self.script.suffix == ".js" and self.script.is_file()):
            raise ValueError(f"expected the script of an explorable, a file NAME.js, got {self.script}")
        for what in ("title", "alt"):
            text = getattr(self, what)
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"expected {what} to be a sentence, got {text!r}")
        object.__setattr__(self, "fallback", png_bytes(self.fallback))
        self._json()  # fail here, not when the notebook shows it

    @property
    def name(self) -> str:
        """The script's name without its ending."""
        return self.script.stem

    def _json(self) -> str:
        payload = {"lut": base64.b64encode(signed_lut().tobytes()).decode(), "data": self.data}
        try:
            return script_json(payload)
        except (TypeError, ValueError) as error:
            raise ValueError(f"expected data that JSON can hold, got: {error}") from None

    def _repr_html_(self) -> str:
        data = self._json()
        # From content and a counter: the same notebook gives the same page, two outputs never share an id.
        digest = hashlib.sha256((self.name + data).encode()).hexdigest()[:8]
        ident = f"icg-{self.name}-{digest}-{next(_count)}"
        script = "\n".join([*map(_source, scripts(self.script)), f"mount({json.dumps(ident)}, build);"])
        style = _source(HERE / "explorable.css")
        if (own := self.script.with_suffix(".css")).is_file():
            style += _source(own)
        title, alt = html.escape(self.title), html.escape(self.alt)
        if self.fallback:
            picture = f'<img alt="{alt}" src="data:image/png;base64,{base64.b64encode(self.fallback).decode()}">'
        else:
            picture = f"<p>{alt}</p>"
        return (
            f'<div class="icg-x" id="{ident}" role="group" aria-label="{title}">\n'
            f"<style>{style}</style>\n"
            f'<p class="icg-x-title">{title}</p>\n'
            f'<div class="icg-x-static">{picture}</div>\n'
            f'<script type="application/json">{data}</script>\n'
            f'<script>(function () {{ "use strict";\n{script}\n}})();</script>\n'
            f"</div>"
        )

    def __repr__(self) -> str:
        return f"[explorable] {self.title}: {self.alt}"

    def to_file(self, path) -> Path:
        """Write a page that holds only this explorable, to open from disk or to embed; returns its path."""
        return write_page(path, self)


def write_page(path, *explorables: Explorable) -> Path:
    """Write one plain HTML page with these explorables."""
    path = Path(path)
    body = "\n".join(e._repr_html_() for e in explorables)
    path.write_text(
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(explorables[0].title)}</title>\n"
        '<link rel="icon" href="data:,">\n'
        "<style>:root { color-scheme: light dark } body { max-width: 46rem; margin: 1rem auto; padding: 0 .75rem }"
        "</style>\n</head>\n<body>\n"
        f"{body}\n</body>\n</html>\n",
        encoding="utf-8",
    )
    return path


def script_json(value) -> str:
    """JSON that may stand inside ``<script>``: no ``</script>``, no ``<!--``; NaN is refused."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def script_beside(module_file: str) -> Path:
    """The script of the explorable whose Python file is ``module_file``: same folder, same name."""
    return Path(module_file).with_suffix(".js")


def scripts(script: Path) -> list[Path]:
    """The scripts that ``script`` needs, in the order in which they must come: common.js first, itself last."""
    found = [HERE / "common.js"]

    def add(path: Path) -> None:
        for name in re.findall(r"^// uses (\w+\.js)$", path.read_text(encoding="utf-8"), re.M):
            add(next(p for p in (path.with_name(name), HERE / name) if p.is_file()))
        if path not in found:
            found.append(path)

    add(script)
    return found


def _source(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if "</script" in text.lower() or "</style" in text.lower():
        raise ValueError(f"expected {path.name} to hold no closing tag of its own element, got one")
    return text


def pack(*arrays: np.ndarray) -> str:
    """Arrays of one-byte numbers, one after the other, deflated and in base64; ``unpack`` in packed.js reverses it.

    Raw deflate rather than PNG or the browser's own stream: pixels read back from a canvas are altered by some
    privacy modes, and browsers of 2022 lack ``DecompressionStream``. packed.js inflates by itself, everywhere alike.
    """
    for a in arrays:
        if a.dtype not in (np.int8, np.uint8):
            raise ValueError(f"expected int8 or uint8 arrays, got {a.dtype}")
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    raw = b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)
    return base64.b64encode(deflate.compress(raw) + deflate.flush()).decode()


def quantise_signed(values: np.ndarray, scale) -> np.ndarray:
    """int8 in [-127, 127] such that ``q / 127 * scale`` is within ``scale / 254`` of the value; 0 stays 0."""
    return np.rint(np.divide(values, scale, out=np.zeros_like(values), where=scale > 0) * 127).astype(np.int8)


def step_difference(frames: np.ndarray) -> np.ndarray:
    """Each frame minus the one before, modulo 256: neighbours along a path are alike, so this deflates well."""
    raw = frames.view(np.uint8)
    return np.concatenate([raw[:1], raw[1:] - raw[:-1]])


def png_bytes(picture) -> bytes | None:
    """PNG bytes from bytes, a path or a matplotlib figure; ``None`` stays ``None``."""
    if picture is None:
        return None
    if hasattr(picture, "savefig"):
        buffer = BytesIO()
        picture.savefig(buffer, format="png", dpi=110, facecolor="white", metadata={"Software": None})
        picture = buffer.getvalue()
    elif isinstance(picture, (str, Path)):
        picture = Path(picture).read_bytes()
    if not isinstance(picture, bytes) or not picture.startswith(b"\x89PNG"):
        raise ValueError(f"expected a PNG (bytes, a path or a matplotlib figure), got {type(picture).__name__}")
    return picture
