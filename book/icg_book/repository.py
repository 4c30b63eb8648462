"""The project's public address: kept once, as ``REPOSITORY`` in ``icg/artifacts.py``, and rewritten everywhere else.

Links in Markdown, notebooks and metadata must spell the address out. Whoever hosts a copy runs
``python -m icg repository https://github.com/OWNER/NAME`` once, and every link leads to that copy.
"""

import re
import subprocess
from pathlib import Path

_ADDRESS = re.compile(r"https://github\.com/([A-Za-z0-9][A-Za-z0-9-]*)/([A-Za-z0-9_.-]+)")
# The places where GitHub, or a service that opens its files, puts OWNER/NAME in an address.
_BEFORE = r"(?<=github\.com/)|(?<=raw\.githubusercontent\.com/)|(?<=colab\.research\.google\.com/github/)"

_END = r"(?![\w-])(?!\.(?!git\b)\w)"


def current(root: str | Path) -> str:
    """The address that the checkout at ``root`` has now.

    Raises:
        ValueError: ``icg/artifacts.py`` is missing there or names no ``REPOSITORY``.
    """
    source = Path(root, "icg", "artifacts.py")
    # Read, not imported: the checkout at root need not be the package that runs.
    found = re.search(r'^REPOSITORY = "([^"]+)"', source.read_text("utf-8"), re.M) if source.is_file() else None
    if not found:
        raise ValueError(f'expected a line REPOSITORY = "https://github.com/OWNER/NAME" in {source}')
    return found[1]


def text_files(root: str | Path) -> list[Path]:
    """Every text file of the checkout that git tracks or would track, as absolute paths.

    Raises:
        ValueError: ``root`` is not a git checkout.
    """
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True)
    if listed.returncode:
        raise ValueError(f"{root} is not a git checkout: {listed.stderr.decode().strip()}")
    paths = sorted({Path(root, name) for name in listed.stdout.decode().split("\0") if name})
    return [path for path in paths if path.is_file() and not path.is_symlink() and b"\0" not in path.read_bytes()]


def mentions(url: str) -> re.Pattern:
    """A pattern for OWNER/NAME of ``url`` inside GitHub, raw and Colab addresses, and not inside a longer name.

    >>> mentions("https://github.com/a/b").sub("c/d", "https://github.com/a/b.git github.com/a/b-2 x.com/a/b")
    'https://github.com/c/d.git github.com/a/b-2 x.com/a/b'
    """
    owner, name = _split(url)
    return re.compile(rf"(?:{_BEFORE}){re.escape(owner)}/{re.escape(name)}{_END}")


def pages(url: str) -> re.Pattern:
    """A pattern for the address of ``url``'s published pages, without its https.

    >>> pages("https://github.com/a/b").sub("c.github.io/d", "https://a.github.io/b/x a.github.io/b-2 aa.github.io/b")
    'https://c.github.io/d/x a.github.io/b-2 aa.github.io/b'
    """
    owner, name = _split(url)
    return re.compile(rf"(?<![\w.-]){re.escape(owner)}\.github\.io/{re.escape(name)}{_END}")


def rewrite(url: str, root: str | Path) -> list[Path]:
    """Replace the checkout's address by ``url`` in all its text files (GitHub, raw, Colab and Pages links alike).

    Args:
        url: the new address, ``https://github.com/OWNER/NAME``.
        root: the checkout.

    Returns:
        The changed files, relative to ``root``; empty when the address was already this one.

    Raises:
        ValueError: ``url`` is not such an address, or ``root`` is not a git checkout of this project.
    """
    owner, name = _split(url)
    old_url = current(root)
    places = {mentions(old_url): f"{owner}/{name}", pages(old_url): f"{owner}.github.io/{name}"}
    changed = {}
    for path in text_files(root):
        # Latin-1 maps bytes to characters one to one, so encoding and line ends stay as they are.
        old = path.read_bytes().decode("latin-1")
        new = old
        for pattern, replacement in places.items():
            new = pattern.sub(replacement, new)
        if new != old:
            changed[path] = new
    for path, new in changed.items():
        path.write_bytes(new.encode("latin-1"))
    return [path.relative_to(root) for path in changed]


def _split(url: str) -> tuple[str, str]:
    found = _ADDRESS.fullmatch(url)
    if not found or found[2] in {".", ".."} or found[2].endswith(".git"):
        raise ValueError(f"expected an address of the form https://github.com/OWNER/NAME, got {url!r}")
    return found[1], found[2]
