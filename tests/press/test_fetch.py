"""What `make book` says before it fetches data sets, and that it goes on without; all from this computer."""

import hashlib
import io
import tarfile
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from torchvision import datasets

from icg_book.kit import downloads, folders
from icg_book.scenarios import photographs
from press import build, fetch

CLOSED = "http://127.0.0.1:9/"


@pytest.fixture(autouse=True)
def nothing_here(tmp_path, monkeypatch):
    monkeypatch.setenv("ICG_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(datasets.MNIST, "mirrors", [CLOSED])
    monkeypatch.setattr(photographs, "ARCHIVE", replace(photographs.ARCHIVE, url=f"{CLOSED}imagenette2-160.tgz"))
    monkeypatch.setattr(downloads, "PAUSE", 0.0)


@pytest.fixture
def server(tmp_path):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *message):
            pass

    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield SimpleNamespace(folder=folder, url=f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()


def archive():
    """One photograph of each class for each split, packed."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for split in photographs.COUNTS:
            for name in photographs.FOLDERS:
                member = tarfile.TarInfo(f"imagenette2-160/{split}/{name}/one.JPEG")
                member.size = 3
                tar.addfile(member, io.BytesIO(b"one"))
    return packed.getvalue()


def serve(server, content, monkeypatch, digest=None):
    (server.folder / "imagenette2-160.tgz").write_bytes(content)
    changes = {"url": f"{server.url}imagenette2-160.tgz", "size": len(content), "space": 0}
    changes["sha256"] = digest or hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(photographs, "ARCHIVE", replace(photographs.ARCHIVE, **changes))
    monkeypatch.setattr(photographs, "COUNTS", dict.fromkeys(photographs.COUNTS, len(photographs.FOLDERS)))


def test_it_says_first_what_and_how_much_and_goes_on_without(capfd, tmp_path):
    assert fetch.main() == 0
    first, *others = capfd.readouterr().out.splitlines()
    assert first == f"Fetching MNIST (12 MB) and Imagenette (99 MB) to {tmp_path / 'data'}"
    assert [line.partition(",")[0] for line in others] == ["Going on without MNIST", "Going on without Imagenette"]
    assert all("stand in for it" in line and "Connection refused" in line for line in others)
    assert not any("Set the environment" in line for line in others)


def test_what_is_here_is_not_spoken_of(capfd, server, monkeypatch):
    serve(server, archive(), monkeypatch)
    assert fetch.main() == 0
    out = capfd.readouterr().out
    assert out.startswith("Fetching MNIST (12 MB) and Imagenette (99 MB)") and "without Imagenette" not in out
    assert [data.name for data in folders.missing()] == ["MNIST"]
    fetch.main()
    assert "Imagenette" not in capfd.readouterr().out
    monkeypatch.setattr(fetch, "missing", lambda: [])
    fetch.main()
    assert capfd.readouterr().out == ""


def test_other_bytes_than_expected_are_one_line_and_not_kept(capfd, server, monkeypatch, tmp_path):
    serve(server, archive(), monkeypatch, digest="0" * 64)
    assert fetch.main() == 0
    said = capfd.readouterr().out.splitlines()[-1]
    assert said.startswith("Going on without Imagenette") and "SHA-256 is not 0000" in said
    assert not list((tmp_path / "data").glob("imagenette*"))


# ---- the build


@pytest.fixture
def building(tmp_path, monkeypatch):
    """`make book` with commands that are noted instead of run; returns the notes."""
    monkeypatch.setattr(build, "BUILD", tmp_path / "_build")
    monkeypatch.setattr(build, "INDEX", tmp_path / "_build" / "index.html")
    monkeypatch.setattr(build, "digest", lambda *names: f"digest of {len(names)}")
    monkeypatch.setattr(build.slim, "shed", lambda folder: None)
    monkeypatch.setattr(build, "get_cache", lambda folder: SimpleNamespace(list_cache_records=lambda: []))
    monkeypatch.delenv("ICG_FETCH", raising=False)
    done = []

    def run(command, **options):
        done.append("fetch" if "press.fetch" in command else "build")
        (tmp_path / "_build" / "index.html").touch()
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(build.subprocess, "run", run)
    return done


def test_what_is_missing_is_fetched_before_the_build(building, monkeypatch, capsys):
    assert build.main() == 0 and building == ["fetch", "build"]
    monkeypatch.setenv("ICG_FETCH", "no")
    assert build.main() == 0 and building == ["fetch", "build"]
    assert "up to date" in capsys.readouterr().out


def test_a_book_without_data_sets_is_built_again_when_they_are_here(building, monkeypatch, tmp_path):
    monkeypatch.setenv("ICG_FETCH", "no")
    build.main()
    cache = tmp_path / "_build" / ".jupyter_cache"
    cache.mkdir()
    monkeypatch.setattr(build, "missing", lambda: [])
    build.main()
    assert building == ["build", "build"] and not cache.exists()  # what was computed without them is not shown
    build.main()
    assert building == ["build", "build"]
