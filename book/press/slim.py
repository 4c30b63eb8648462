"""What a built book sheds, so that every page comes quickly: no page shows it, or not at once.

- styles for what is on no page, and the icons that no style names; the theme sends 560 kB of both, and 150 kB of fonts;
- the script that draws the same icons a second time, and the index for a search that is switched off;
- pictures below the first screen come when they are near; those that stand in a page's text become files for that;
- the data of a large explorable come when it starts.
"""

import json
import os
import re
from base64 import b64decode
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import tinycss2
from fontTools import subset
from PIL import Image

VENDORED = "katex"  # a folder of _static whose names of classes are put together by a script
MADE = ("bs-", "tooltip")  # begin names that Bootstrap puts together
SMALL = 2000  # letters of a picture that may stay in the text
MUCH = 50_000  # letters of an explorable's data that may not
_SEARCH = re.compile(r'\s*<script src="(?:[^"]*/)?(?:searchtools|language_data|searchindex)\.js[^"]*"></script>')
_ICONS = re.compile(r'\s*<script defer src="[^"]*/scripts/fontawesome\.js[^"]*"></script>')
_INLINE = re.compile(r"""src=(["'])data:image/(png|jpeg|webp);base64,([A-Za-z0-9+/=]+)\1""")
_DATA = re.compile(r'<script type="application/json">([^<]+)</script>')  # of an explorable (kit/page/explorable.py)
_SOURCE = re.compile(r"""\ssrc=(["'])(?!data:|https?:)([^"'?#]+)[^"']*\1""")
_SIZED = re.compile(r"""\s(?:width|height)=|style=["'][^"']*\b(?:width|height)\b""")


def shed(folder: Path) -> None:
    """Make a built book light, in place; a second time changes nothing."""
    pages = {file: file.read_text("utf-8") for file in folder.rglob("*.html") if "_static" not in file.parts}
    for file, text in pages.items():
        pages[file] = light(text, file, folder)
        file.write_text(pages[file], "utf-8")
    static = folder / "_static"
    scripts = (
        file.read_text("utf-8")
        for file in static.rglob("*.js")
        if file.name != "fontawesome.js" and "explorables" not in file.parts
    )
    names = {name for text in (*pages.values(), *scripts) for name in re.findall(r"[\w-]+", text)}
    codes = set()
    for file in static.rglob("*.css"):
        if VENDORED not in file.parts:
            style = purged(file.read_text("utf-8"), names)
            file.write_text(style, "utf-8")
            codes |= set(map(ord, re.findall("[\ue000-\uf8ff]", style)))  # where Unicode leaves room for icons
    for font in static.rglob("fa-*.woff2"):
        keep_glyphs(font, codes)


# ---- pages ------------------------------------------------------------------------------------------------------


def light(page: str, file: Path, folder: Path) -> str:
    """The text of a page without what it does not need at once; writes the pictures that stood in it to ``_images``."""
    page = _ICONS.sub("", page)
    if "search_as_you_type = false" in page and file.name != "search.html":
        page = _SEARCH.sub("", page)
    head, article, rest = page.partition("<article")
    rest = _DATA.sub(lambda data: _data_file(data, file, folder), rest)
    return head + article + re.sub(r"<img\b[^>]*>", _Later(file, folder), rest)


def _data_file(data: re.Match, page: Path, folder: Path) -> str:
    """A script that writes the data where they stood: from a folder on disk a page can read nothing but scripts."""
    if len(data[1]) <= MUCH:
        return data[0]
    name = f"{sha256(data[1].encode()).hexdigest()[:32]}.js"
    file = folder / "_static" / "explorables" / name
    file.parent.mkdir(exist_ok=True)
    fill = 'for (const node of document.querySelectorAll(`script[data-file$="${name}"]`)) node.textContent = text;'
    file.write_text(f"((name, text) => {{ {fill} }})({json.dumps(name)}, {json.dumps(data[1])});\n", "utf-8")
    return f'<script type="application/json" data-file="{_address(file, page)}"></script>'


def _address(file: Path, page: Path) -> str:
    return os.path.relpath(file, page.parent).replace(os.sep, "/")


class _Later:
    """Of a page's pictures the first comes at once, the others when they are near; a place is kept for each."""

    def __init__(self, page: Path, folder: Path):
        self.page, self.images, self.first = page, folder / "_images", True

    def __call__(self, found: re.Match) -> str:
        tag = _INLINE.sub(self._to_file, found[0])
        if not self.first and "loading=" not in tag and not _INLINE.search(tag):
            tag = tag.replace("<img", '<img loading="lazy"', 1)
        self.first = False
        source = _SOURCE.search(tag)
        if source and not _SIZED.search(tag):
            width, height = size(self.page.parent / unquote(source[2]))
            if width:
                tag = tag.replace("<img", f'<img width="{width}" height="{height}"', 1)
        return tag

    def _to_file(self, inline: re.Match) -> str:
        if len(inline[3]) <= SMALL:
            return inline[0]
        content = b64decode(inline[3])
        file = self.images / f"{sha256(content).hexdigest()[:32]}.{inline[2]}"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        return f'src="{_address(file, self.page)}"'


def size(picture: Path) -> tuple[int, int]:
    """Width and height of a picture in CSS pixels; zeros where the file does not tell."""
    if picture.suffix == ".svg" and picture.exists():
        head = picture.read_text("utf-8")[:2000]
        found = [re.search(rf'<svg\b[^>]*\s{side}="([\d.]+)(pt|px)?"', head) for side in ("width", "height")]
        return tuple(round(float(f[1]) * (4 / 3 if f[2] == "pt" else 1)) for f in found) if all(found) else (0, 0)
    try:
        with Image.open(picture) as image:
            return image.size
    except OSError:  # no file, or no picture
        return 0, 0


# ---- styles and icons -------------------------------------------------------------------------------------------


def purged(style: str, names: set[str]) -> str:
    """A style sheet without the rules for classes that are not among the names, and without spare white space.

    >>> purged("/* x */ .a, .b > .c { top: 0 } .d:not(.e) { top: 1px }  @media print { .b { top: 2px } }", {"a", "d"})
    '.a{top: 0}.d:not(.e){top: 1px}'
    """
    kept = []
    for rule in tinycss2.parse_stylesheet(style, skip_comments=True, skip_whitespace=True):
        if rule.type == "qualified-rule":
            selectors = [text for text, classes in _selectors(rule.prelude) if classes <= names]
            if selectors:
                kept.append(f"{','.join(selectors)}{{{_plain(rule.content)}}}")
        elif rule.type == "at-rule" and rule.content is not None and rule.lower_at_keyword in ("media", "supports"):
            inner = purged(tinycss2.serialize(rule.content), names)
            if inner:
                kept.append(f"@{rule.at_keyword} {_plain(rule.prelude)}{{{inner}}}")
        else:
            kept.append(rule.serialize())
    return "".join(kept)


def _plain(tokens) -> str:
    return "".join(
        " " if t.type == "whitespace" else "" if t.type == "comment" else t.serialize() for t in tokens
    ).strip()


def _selectors(prelude) -> Iterator[tuple[str, set[str]]]:
    """Each selector of a rule, and the classes that it asks for, those in brackets (``:not()``, ``:is()``) left out."""
    selectors = [[]]
    for token in prelude:
        if token == ",":
            selectors.append([])
        else:
            selectors[-1].append(token)
    for tokens in selectors:
        classes = {after.value for dot, after in pairwise(tokens) if dot == "." and after.type == "ident"}
        yield _plain(tokens), {name for name in classes if not name.startswith(MADE)}


def keep_glyphs(font: Path, codes: set[int]) -> None:
    """Rewrite a font of icons with these alone, from the ``.ttf`` beside it: the other needs a package to be read."""
    source = font.with_suffix(".ttf")
    if source.exists():
        options = subset.Options(flavor="woff")  # by another name than its own, which browsers don't mind
        whole = subset.load_font(source, options)
        maker = subset.Subsetter(options)
        maker.populate(unicodes=codes)
        maker.subset(whole)
        subset.save_font(whole, font, options)
