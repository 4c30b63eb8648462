"""What results were made of: a hash that changes when a file or an installed package does."""

import hashlib
from importlib.metadata import distributions

from press.chapters import ROOT

BUILD = ROOT / "_build"


def digest(*names: str) -> str:
    """A hash of the names and contents of these files and folders, and of the installed packages."""
    total = hashlib.sha256(repr(sorted({f"{d.name} {d.version}" for d in distributions()})).encode())
    for name in names:
        path = ROOT / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            relative = file.relative_to(ROOT)
            if file.is_file() and not any(part == "__pycache__" or part.startswith(".") for part in relative.parts):
                total.update(f"{relative.as_posix()} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()
