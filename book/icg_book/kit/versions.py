"""Whether what is installed is new enough, said in one sentence before anything fails for it.

Nothing is imported here that may be too old itself.
"""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement  # pooch and matplotlib bring it


class TooOld(ImportError):
    """A package is missing or too old for the book; the message is one sentence."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback: the reader did nothing wrong in any of its lines."""
        return [str(self)]


def check(package: str = "icg") -> None:
    """Compare what ``package`` needs with what is installed.

    Raises:
        TooOld: something is missing or too old.
    """
    if found := list(unmet(package)):
        raise TooOld(f"This notebook needs {' and '.join(found)}.")


def unmet(package: str) -> Iterator[str]:
    """What ``package`` needs and has not: ``"torch 2.6 or newer (here is 2.4.1)"``.

    Nothing for a package that is not installed, such as a checkout that is only on the path.
    """
    try:
        lines = requires(package) or []
    except PackageNotFoundError:
        return
    for requirement in map(Requirement, lines):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            here = version(requirement.name)
        except PackageNotFoundError:
            here = "none"
        if here == "none" or not requirement.specifier.contains(here, prereleases=True):
            wanted = " and ".join(
                f"{bound.version} or newer" if bound.operator == ">=" else str(bound) for bound in requirement.specifier
            )
            yield f"{' '.join(filter(None, (requirement.name, wanted)))} (here is {here})"
