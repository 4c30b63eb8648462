"""The theme brings two thousand icons to every page, 1.5 MB; the built book keeps those that it shows."""

import re
from pathlib import Path

SCRIPT = "_static/scripts/fontawesome.js"
# name:[width, height, [other names and codes], "code", "path"], or two paths
_ICON = re.compile(
    r'(?:"(?P<quoted>[a-z0-9-]+)"|(?P<bare>[a-z0-9]+)):'
    r'\[\d+,\d+,\[(?P<others>[^\]]*)\],"[0-9a-f]+",(?:"[^"]*"|\["[^"]*","[^"]*"\])\],?'
)


def kept(script: str, names: set[str]) -> str:
    """The script of the icons with these names alone, which may be one of an icon's other names.

    >>> kept('{"a-b":[1,2,[],"f0","M0"],c:[1,2,[9,"d"],"f1","M1"],e:[1,2,[],"f2",["M","N"]]}', {"a-b", "d"})
    '{"a-b":[1,2,[],"f0","M0"],c:[1,2,[9,"d"],"f1","M1"],}'
    """

    def keep(icon: re.Match) -> str:
        known = {icon["quoted"] or icon["bare"], *re.findall(r'"([^"]+)"', icon["others"])}
        return icon[0] if known & names else ""

    return _ICON.sub(keep, script)


def used(folder: Path) -> set[str]:
    """Names of icons on the pages of a built book, and in the theme's scripts."""
    files = [*folder.rglob("*.html"), *(folder / "_static").glob("scripts/*-theme.js")]
    return {name for file in files for name in re.findall(r"\bfa-([a-z0-9-]+)", file.read_text("utf-8"))}


def slim(folder: Path) -> None:
    """Rewrite the script of a built book's icons, if it has one."""
    script = folder / SCRIPT
    if script.exists():
        script.write_text(kept(script.read_text("utf-8"), used(folder)), "utf-8")
