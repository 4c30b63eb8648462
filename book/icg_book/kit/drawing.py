"""The figure that all chapters draw in: it shows itself as SVG, sharp on every screen, with letters that can be read.

A notebook, the book and Colab show the same picture, whatever the notebook's settings are. Lines and letters are
vectors. Pictures and maps stay as many pixels as they have, each of which the browser draws as a square.
"""

import io
import re
from base64 import b64decode, b64encode
from html import escape
from typing import NamedTuple

import matplotlib
import numpy as np
from IPython.display import display
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure as Plain
from matplotlib.image import AxesImage
from matplotlib.text import Text
from PIL import Image

COLUMN = 672  # CSS pixels: the widest that a page shows a figure
LEAST, LEAST_ON_PHONE = 9, 7  # CSS pixels: height of the smallest letters at this width, and on a phone
PER_POINT = 96 / 72  # CSS pixels
MANY = 200  # dots, which are smaller as a picture: of so fine pixels that none is seen
SMALL = 96 * 96  # pixels: a map of at most so many stays exact, to the pixel

NUMBER = re.compile(r"-?\d+\.\d{3,}")
EMBEDDED = re.compile(r'<image xlink:href="data:image/png;base64,\s*([^"]+)"([^>]*)/>')


class Figure(Plain):
    """matplotlib's figure on white.

    Attributes:
        alt: what it shows, in words, where the notebook's cell doesn't say it.
    """

    alt = ""

    def __init__(self, *args, **options):
        super().__init__(*args, **{"facecolor": "white"} | options)

    def _ipython_display_(self) -> None:
        display({"image/svg+xml": self.svg(), "text/plain": repr(self)}, raw=True)

    def svg(self) -> str:
        """The figure as SVG; its root says in ``data-letters`` how high the smallest letters are, in points."""
        letters = legible(self)
        for picture in self.findobj(AxesImage):
            picture.set_interpolation("none")  # or it is drawn in the pixels of some screen
        for dots in self.findobj(PathCollection):
            dots.set_rasterized(len(dots.get_offsets()) > MANY)
        with matplotlib.rc_context({"svg.hashsalt": "icg", "svg.fonttype": "path"}):
            text = io.StringIO()
            nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
            self.savefig(text, format="svg", bbox_inches="tight", pad_inches=0.05, dpi=200, metadata=nothing)
        label = f' aria-label="{escape(self.alt)}"' if self.alt else ""
        return packed(text.getvalue()).replace("<svg ", f'<svg role="img"{label} data-letters="{letters:.2f}" ', 1)


class Sizes(NamedTuple):
    """Of an SVG: its own width and height, and the width on a phone that keeps letters legible, in CSS pixels."""

    width: float
    height: float
    least: float


def sizes(svg: str) -> Sizes | None:
    """The sizes of a :class:`Figure`; None for any other picture."""
    root = re.match(r"\s*<svg [^>]+>", svg)
    found = root and re.search(r' data-letters="([\d.]+)".*? width="([\d.]+)pt" height="([\d.]+)pt"', root[0])
    if not found:
        return None
    letters, *both = (float(number) * PER_POINT for number in found.groups())
    width, height = both
    return Sizes(width, height, least=min(1, LEAST_ON_PHONE / letters) * width)


def legible(figure: Plain) -> float:
    """Make letters larger that would be shown smaller than ``LEAST``; returns the height of the smallest, in points."""
    for _ in range(2):  # larger letters may make the figure wider
        figure.draw_without_rendering()
        width = max(figure.get_tightbbox().width + 0.1, figure.get_figwidth()) * 72
        least = round(LEAST * max(1 / PER_POINT, width / COLUMN) + 0.005, 2)
        for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
            if any(label.get_fontsize() < least for label in axis.get_ticklabels()):
                axis.set_tick_params(labelsize=least)
        letters = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
        for text in letters:
            text.set_fontsize(max(text.get_fontsize(), least))
    return min((text.get_fontsize() for text in letters), default=10.0)


def packed(svg: str) -> str:
    """matplotlib's SVG in half as many bytes: without what no reader sees, and as short as it can be written."""
    for old, new in SHORTER:
        svg = re.sub(old, new, svg, flags=re.S)
    svg = EMBEDDED.sub(_repacked, svg)
    return re.sub(r"\n\s*", "\n", svg).strip()


def _tight(found: re.Match) -> str:
    """Numbers to a hundredth, in one line, without spaces at letters."""
    short = NUMBER.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), found[0])
    return re.sub(r" ?\b([A-Za-z]) ", r"\1", " ".join(short.split())) if short.startswith("d=") else short


SHORTER = (
    (r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>", ""),
    (r'(?<=\s)(?:d|x|y|points)="[^"]+"|translate\([^)]+\)', _tight),
    (r'<g id="[^"]*"', "<g"),  # nothing refers to a group
    (r'(<use xlink:href="[^"]+") transform="translate\(([\d.]+) 0\)"', r'\1 x="\2"'),
    (r"(id=\"|#)DejaVuSans-", r"\1D"),  # letters: the same in all figures, which may stand in one page
    (r'style="[^"]+"', lambda found: re.sub(r"([:;]) ", r"\1", found[0])),
)


def _repacked(found: re.Match) -> str:
    """An embedded picture with few colours as a palette; as WebP a photograph, or a large map where that is smaller."""
    picture, rest = Image.open(io.BytesIO(b64decode(found[1]))), found[2]
    if picture.mode == "RGBA" and picture.getextrema()[3][0] == 255:
        picture = picture.convert("RGB")
    photograph = picture.mode == "RGB" and picture.getcolors(256) is None
    files = {} if photograph else {"png": _saved(_as_palette(picture), "PNG", optimize=True)}
    if photograph or picture.width * picture.height > SMALL:
        files["webp"] = _saved(picture, "WEBP", quality=85, method=6)
    kind = min(files, key=lambda name: len(files[name]))
    if photograph or picture.height == 1:  # or the scale of colours: no squares
        rest = re.sub(r"image-rendering:[^;\"]+;?", "", rest)
    return f'<image xlink:href="data:image/{kind};base64,{b64encode(files[kind]).decode()}"{rest}/>'


def _as_palette(picture: Image.Image) -> Image.Image:
    """The same colours, up to 256 of them, to the bit (Pillow's ``quantize`` merges some); transparent ones as is."""
    if picture.mode != "RGB":
        return picture
    colours, index = np.unique(np.asarray(picture).reshape(-1, 3), axis=0, return_inverse=True)
    found = Image.frombytes("P", picture.size, index.astype(np.uint8).tobytes())
    found.putpalette(colours.astype(np.uint8).tobytes())
    return found


def _saved(picture: Image.Image, kind: str, **options) -> bytes:
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()
