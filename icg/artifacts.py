"""Trained weights and measured results: where they are, and that they are what they say.

In a checkout they lie in ``data/``. Outside of one (an installed wheel, Colab) the same calls download them from the
repository's address, once, into the user's cache. Either way ``data/manifest.json`` names the SHA-256 of every file,
and every weights file has a card: a JSON file that says how it was made.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from importlib.metadata import entry_points
from pathlib import Path
from secrets import token_hex

import torch
from safetensors.torch import load_file

from .models import ARCHITECTURES

# The one place of the repository's address; `python -m icg repository URL` rewrites it here and where texts need it.
REPOSITORY = "https://github.com/fair-attribution/icg-book"
BRANCH = "main"


class ArtifactError(ValueError):
    """Weights or results that are missing, damaged, or not what was asked for."""

    def _render_traceback_(self) -> list[str]:  # what a notebook shows
        return [str(self)]


# ---- Files


@contextmanager
def atomic_write(path: Path):
    """A temporary path beside ``path`` that takes its place when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{token_hex(4)}.part")  # in containers numbers of processes are alike
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def tidy(path: Path) -> None:
    """Remove what killed processes began to write to ``path``. Inside of :func:`claimed`."""
    for part in path.parent.glob(f".{escape(path.name)}.*.part"):
        part.unlink(missing_ok=True)


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """A block for one process at a time; gives False to one that comes while another is in it.

    Args:
        path: of what the work is saved in. The system ends the claim with the process, however that ends.
    """
    try:
        import fcntl
    except ImportError:  # Windows: there each process would have to be told what is its own
        yield True
        return
    mine, lock = True, path.with_name(f".{path.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            mine = False
        except OSError:  # a file system without locks
            pass
        yield mine


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def data_folder() -> Path | None:
    """The checkout's ``data/``, or ``None`` when the package was installed without it."""
    folder = Path(__file__).resolve().parent.parent / "data"
    return folder if (folder / "manifest.json").exists() else None


def data_url() -> str:
    """Where ``data/`` is downloaded from; the environment variable ``ICG_DATA_URL`` names another place (a mirror)."""
    raw = REPOSITORY.replace("https://github.com/", "https://raw.githubusercontent.com/")
    return os.environ.get("ICG_DATA_URL", f"{raw}/{BRANCH}/data").rstrip("/")


def find(name: str) -> Path:
    """Path of the file ``name`` of ``data/`` (e.g. ``weights/burnt-snacks.safetensors``), downloaded if need be.

    Raises:
        ArtifactError: no such file, no network, or contents that don't match the manifest.
    """
    folder = data_folder()
    if folder is not None:
        path = folder / name
        if not path.exists():
            raise ArtifactError(f"{name} is not in {folder}; `python -m icg info` lists what is there")
        return path
    import pooch

    cache = Path(pooch.os_cache("icg"))
    try:
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtifactError(f"can't make the folder {cache} for downloads: {error}") from None
    manifest = _manifest(cache)
    if name == "manifest.json":
        return cache / name
    if name not in manifest:
        raise ArtifactError(f"{name} is not in the manifest at {data_url()}; it has {', '.join(sorted(manifest))}")
    return _retrieve(name, f"sha256:{manifest[name]}", name, cache)


def _manifest(cache: Path) -> dict:
    """The manifest, fetched anew each time: it says whether the rest is still right. If that fails, the last good one.

    An answer takes its place only if it is a manifest, and not the page of a hotel's network.
    """
    kept, fresh = cache / "manifest.json", cache / "manifest.json.new"
    try:
        fresh.unlink(missing_ok=True)
        found = _parsed(_retrieve(kept.name, None, fresh.name, cache))
        os.replace(fresh, kept)
        return found
    except (ArtifactError, OSError) as error:
        if kept.exists():
            return _parsed(kept)
        raise ArtifactError(error) from None


def _parsed(path: Path) -> dict:
    try:
        found = json.loads(path.read_text("utf-8"))
        if {len(bytes.fromhex(digest)) for digest in found.values()} == {32}:
            return found
    except (ValueError, TypeError, AttributeError):
        pass
    raise ArtifactError(f"the manifest at {data_url()} is not JSON of checksums; is that the address of data/?")


def _retrieve(name: str, known: str | None, file: str, cache: Path) -> Path:
    import pooch

    url = f"{data_url()}/{name}"
    pooch.get_logger().setLevel("WARNING")
    try:
        return Path(pooch.retrieve(url, known, fname=file, path=cache, progressbar=name.endswith(".safetensors")))
    except Exception as error:
        why = "is this computer online?" if "Max retries" in str(error) else f"{type(error).__name__}: {error}"
        raise ArtifactError(f"could not download {url}: {why}".splitlines()[0]) from None


def shipped() -> list[str]:
    """Names of all files that the manifest lists, e.g. ``"weights/burnt-snacks.json"``, in order.

    >>> "weights/burnt-snacks.json" in shipped()
    True
    """
    return sorted(json.loads(find("manifest.json").read_text()))


# ---- Models and results


def load_card(name: str) -> dict:
    """The card of a model: architecture, training, metrics, SHA-256, versions, device, date."""
    return read_json("card", _weights(name, ".json"))


def _weights(name: str, suffix: str) -> Path:
    """The file of weights, or their card; ``name`` is one of the shipped ones or a path of weights of your own."""
    if not str(name).endswith(".safetensors"):
        return find(f"weights/{name}{suffix}")
    path = Path(name).with_suffix(suffix)
    if not path.is_file():
        raise ArtifactError(f"{path} is not there; weights of your own are a .safetensors file with a card beside it")
    return path


def architecture(name: str | None) -> type[torch.nn.Module]:
    """The networks of that name: of :mod:`icg.models`, or of an entry point of ``icg.architectures``.

    Raises:
        ArtifactError: there are none.
    """
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    others = entry_points(group="icg.architectures")
    if name in others.names:
        return others[name].load()
    known = sorted({*ARCHITECTURES, *others.names})
    raise ArtifactError(f"the architecture {name!r} is not known; this version knows {', '.join(known)}")


def load_model(name: str, *, device: str | torch.device = "cpu") -> torch.nn.Module:
    """A trained model in eval mode, verified against its card.

    Args:
        name: e.g. "burnt-snacks"; ``python -m icg info`` lists them. Or the path of weights of your own, which end in
            ``.safetensors``, with their card beside them (``python -m icg train --images`` writes both).

    Raises:
        ArtifactError: unknown name; weights missing, cut short or altered; a card for another architecture.

    >>> model = load_model("burnt-snacks")
    >>> model(torch.zeros(1, 2, 50, 50)).shape
    torch.Size([1, 2])
    """
    card, path = load_card(name), _weights(name, ".safetensors")
    try:
        make = architecture(card.get("architecture"))
    except ArtifactError as error:
        raise ArtifactError(f"the card of {name}: {error}") from None
    if sha256(path) != card.get("sha256"):
        raise ArtifactError(f"{path} is cut short or altered (its SHA-256 is not the card's); restore or download it")
    try:
        model = make(**card.get("config", {}))
        model.load_state_dict(load_file(path))
    except Exception as error:
        raise ArtifactError(
            f"{path} does not fit {make.__name__}, the architecture of its card: {str(error).splitlines()[0]}"
        ) from None
    return model.eval().to(device)


def load_result(name: str) -> dict:
    """A result of ``python -m icg reproduce NAME``."""
    return read_json("result", find(f"results/{name}.json"))


def read_json(what: str, path: Path) -> dict:
    """A JSON file of ``data/``; :class:`ArtifactError`, which calls it ``what``, if it can't be read as one."""
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError):
        raise ArtifactError(f"the {what} {path} is not valid JSON; restore it from the repository") from None
