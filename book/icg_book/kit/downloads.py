"""Downloads of data sets: resumed after an interruption, checked, and unpacked without trust in what is inside.

pooch and torchvision begin an interrupted download again from the start, and unpack in place, where half of an archive
looks like all of it. What is here goes on from where it stopped, and a folder appears only when it is complete.
Errors are one line each, as ``ValueError``. Nothing is downloaded when this module is imported.
"""

import gzip
import os
import re
import shutil
import tarfile
import time
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tqdm import tqdm

from icg.artifacts import sha256

TIMEOUT = 30  # seconds without a byte
TRIES, PAUSE = 5, 1.0  # tries in a row that bring nothing new, and seconds between two


@dataclass(frozen=True)
class Archive:
    """A tar archive on the net that unpacks to one folder.

    Attributes:
        url: its address. folder: the name of that folder.
        size, sha256: of the archive. space: bytes that archive and folder need together on the disk.
    """

    url: str
    folder: str
    size: int
    sha256: str
    space: int


def install(archive: Archive, parent: Path, *, progress: bool = True) -> Path:
    """The archive's folder in ``parent``: downloaded and unpacked, unless it is there.

    An archive that already lies in ``parent`` under its own name is unpacked, and stays. Two processes that want the
    same folder take turns, and the second finds it.

    Raises:
        ValueError: no network, a server that fails or gives other bytes, no space, no permission, a broken archive.
            What has come by then is kept, and the next call goes on from there.
    """
    parent = Path(parent)
    folder, path = parent / archive.folder, parent / PurePosixPath(archive.url).name
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with _alone(parent):
            if folder.exists():
                return folder
            free = shutil.disk_usage(parent).free
            if free < archive.space:
                raise ValueError(f"no space left in {parent}: {_mb(archive.space)} needed, {_mb(free)} free")
            was_there = path.exists()
            if not was_there:
                fetch(archive.url, path, size=archive.size, digest=archive.sha256, progress=progress)
            elif sha256(path) != archive.sha256:
                raise ValueError(f"{path} is cut short or altered (its SHA-256 is not {archive.sha256}); move it away")
            unpack(path, folder, progress=progress)
            if not was_there:
                path.unlink()
    except OSError as error:
        raise ValueError(f"can't write to {parent}: {error.strerror or error}") from None
    return folder


def fetch(url: str, path: Path, *, size: int, digest: str, progress: bool = True) -> None:
    """Download a file of which size and SHA-256 are known; ``path`` appears when it is complete and right.

    Until then it is ``path`` with ``.part`` behind it, and a later call goes on from its end. A server that can't do
    that is asked for everything again.

    Raises:
        ValueError: no network, an error of the server, other bytes than expected.
        OSError: of writing.
    """
    part = path.with_name(f"{path.name}.part")
    for _ in range(2):
        old = _length(part)
        _receive_all(url, part, size, progress)
        if sha256(part) == digest:
            os.replace(part, path)
            return
        part.unlink()
        if not old:  # else the fault may be in what was there before: once more, from the start
            break
    raise ValueError(f"what {url} gave is not what it should be (its SHA-256 is not {digest}); it was thrown away")


def _receive_all(url: str, part: Path, size: int, progress: bool) -> None:
    best, tries = _length(part), 0
    # The delay: without a network there is only the error to see.
    with tqdm(
        total=size,
        initial=best,
        desc=PurePosixPath(url).name,
        unit="B",
        unit_scale=True,
        delay=1e-3,
        disable=not progress,
    ) as bar:
        while _length(part) < size:
            reason = _receive(url, part, size, bar)
            if (now := _length(part)) > best:
                best, tries = now, 0
            else:
                tries += 1
            if now < size and tries == TRIES:
                raise ValueError(
                    f"{url} broke off {TRIES} times at {now:,} of {size:,} bytes ({reason}); "
                    "what has come is kept, and the next try goes on from there"
                )
            if now < size:
                time.sleep(PAUSE)


def _receive(url: str, part: Path, size: int, bar) -> str:
    """Add to ``part`` what one answer of the server brings; returns why it ended, if not all is there."""
    have = _length(part)
    try:
        answer = urlopen(Request(url, headers={"Range": f"bytes={have}-"} if have else {}), timeout=TIMEOUT)
    except HTTPError as error:
        if error.code == 416 and have:
            part.unlink()
        elif error.code < 500 and error.code != 429:
            raise ValueError(f"{url} answers {error.code} {error.reason}") from None
        return f"{error.code} {error.reason}"
    except URLError as error:
        raise ValueError(f"no connection to {url}: {error.reason}") from None
    except (OSError, HTTPException) as error:
        return _words(error)
    with answer:
        start = 0
        if answer.status == 206:
            place = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
            start = int(place[1]) if place else -1
        if answer.status not in (200, 206) or start not in (0, have):
            part.unlink(missing_ok=True)
            return f"an answer that was not asked for, {answer.status} from byte {start}"
        if answer.length is not None and start + answer.length != size:  # a page of a hotel's network, for example
            raise ValueError(f"{url} offers {start + answer.length:,} bytes instead of {size:,}")
        bar.update(start - bar.n)
        with open(part, "ab" if start else "wb") as file:
            while start < size:
                try:
                    block = answer.read1(min(1 << 18, size - start))
                except (OSError, HTTPException) as error:
                    return _words(error)
                if not block:
                    return "the connection was closed"
                file.write(block)
                start += len(block)
                bar.update(len(block))
    return ""


def unpack(archive: Path, folder: Path, *, progress: bool = True) -> None:
    """Unpack a tar archive that holds one folder, of the name of ``folder``; all of it or nothing.

    It goes to a temporary folder beside, which takes its name in the end. Only ordinary files and folders are taken,
    and only their contents: owners and modes are not, and an archive with anything else in it (an absolute path, "..",
    a link, a device) is refused. That is stricter than ``tarfile``'s data filter, and the same on every Python.

    Raises:
        ValueError: such an archive, or one that can't be read. OSError: of writing.
    """
    temporary = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed
    temporary.mkdir(parents=True)
    try:
        with tarfile.open(archive) as tar:
            for member in tqdm(tar, f"unpack {archive.name}", unit=" files", mininterval=0.5, disable=not progress):
                _check(member, archive, folder.name)
                target = temporary / member.name
                if member.isdir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with open(target, "xb") as file:
                    shutil.copyfileobj(tar.extractfile(member), file)
        if not (temporary / folder.name).is_dir():
            raise ValueError(f"{archive} is empty")
        os.rename(temporary / folder.name, folder)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"can't read {archive}: {_words(error)}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _check(member: tarfile.TarInfo, archive: Path, name: str) -> None:
    path = PureWindowsPath(member.name)  # knows both slashes, and drives
    if not (member.isfile() or member.isdir()):
        reason = "is a link or a device"
    elif ".." in path.parts or path.parts[:1] != (name,):
        reason = f"does not lie below {name}"
    else:
        return
    raise ValueError(f"refused to unpack {archive}: {member.name[:80]!r} {reason}")


@contextmanager
def _alone(folder: Path):
    """One process at a time; others wait. The system ends the lock with the process, however that ends.

    Unlike :func:`icg.artifacts.claimed`, which says no at once and leaves a file: nothing is left in a data folder.
    """
    try:
        import fcntl
    except ImportError:  # Windows: two at a time would find out by the SHA-256
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _mb(n: int) -> str:
    return f"{n / 1e6:,.0f} MB"


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
