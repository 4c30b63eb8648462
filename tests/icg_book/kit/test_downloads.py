"""Downloads from a server on this computer that breaks off, lies, sends elsewhere or fails, and archives that try to
write elsewhere. Nothing is fetched from the net."""

import errno
import hashlib
import http.server
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
import urllib.error

import pytest

from icg_book.kit import downloads
from icg_book.kit.downloads import Archive, fetch, install, unpack

CONTENT = bytes(range(256)) * 3000  # 768,000 bytes: several reads
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """Answers every request as the next of ``plan`` says, then in order.

    A plan is a dictionary: ``stop`` after so many bytes of the body, ``ignore`` the range, ``code`` of an error,
    ``to`` another address, ``length`` that is claimed (None: none), ``place`` of the range that is claimed, ``slow``
    seconds before the answer.
    """

    def __init__(self, content: bytes):
        self.content, self.plan, self.asked = content, [], []
        self.always = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *message):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *of: None  # clients hang up here
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/things.tgz"

    def answer(self, request):
        wanted = request.headers.get("Range")
        self.asked.append((request.path, wanted))
        how = self.plan.pop(0) if self.plan else self.always
        time.sleep(how.get("slow", 0))
        if "to" in how:
            request.send_response(302)
            request.send_header("Location", how["to"])
            request.end_headers()
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and not how.get("ignore") else 0
        if "code" in how or start >= len(self.content):
            request.send_error(how.get("code", 416))
            return
        body = how.get("content", self.content)[start:]
        request.send_response(206 if wanted and not how.get("ignore") else 200)
        if wanted and not how.get("ignore"):
            place = how.get("place", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
            request.send_header("Content-Range", place)
        if (length := how.get("length", len(body))) is not None:
            request.send_header("Content-Length", str(length))
        request.end_headers()
        request.wfile.write(body[: how.get("stop")])


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(downloads, "PAUSE", 0.0)
    monkeypatch.setattr(downloads, "TIMEOUT", 5)
    server = Server(CONTENT)
    yield server
    server.http.shutdown()
    server.http.server_close()


def get(server, path, **options):
    fetch(server.url, path, size=len(CONTENT), digest=DIGEST, progress=False, **options)


def ranges(server):
    return [wanted for _, wanted in server.asked]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "things.tgz"


def part_of(path):
    return path.with_name("things.tgz.part")


# ---- one file


def test_a_file_is_fetched_in_one_go(server, path, capsys):
    get(server, path)
    assert path.read_bytes() == CONTENT and ranges(server) == [None]
    assert [p.name for p in path.parent.iterdir()] == ["things.tgz"]
    assert capsys.readouterr().err == ""


def test_what_takes_long_has_a_bar(server, path, monkeypatch, capsys):
    monkeypatch.setattr(downloads, "PAUSE", 0.3)
    server.plan = [{"stop": 384_000}]
    fetch(server.url, path, size=len(CONTENT), digest=DIGEST)
    err = capsys.readouterr().err
    assert "things.tgz:  50%" in err and "things.tgz: 100%" in err and "768k/768k" in err


def test_what_breaks_off_is_resumed_in_the_same_call(server, path):
    server.plan = [{"stop": 300_000}, {"stop": 100_000}]
    get(server, path)
    assert path.read_bytes() == CONTENT and ranges(server) == [None, "bytes=300000-", "bytes=400000-"]


def test_what_breaks_off_for_good_is_resumed_by_the_next_call(server, path):
    server.plan, server.always = [{"stop": 300_000}], {"stop": 0}
    with pytest.raises(ValueError, match="broke off 5 times at 300,000 of 768,000 bytes .*goes on from there"):
        get(server, path)
    assert part_of(path).read_bytes() == CONTENT[:300_000] and not path.exists()
    server.always, server.asked = {}, []
    get(server, path)
    assert path.read_bytes() == CONTENT and ranges(server) == ["bytes=300000-"] and not part_of(path).exists()


def test_progress_between_two_failures_counts(server, path):
    server.plan = [{"stop": 100_000}, *([{"stop": 0}] * 4), {"stop": 100_000}, *([{"stop": 0}] * 4)]
    get(server, path)
    assert path.read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_sends_all_again(server, path):
    server.plan, server.always = [{"stop": 300_000}, {"ignore": True, "stop": 200_000}], {"ignore": True}
    get(server, path)
    assert path.read_bytes() == CONTENT and len(server.asked) == 3


def test_a_server_that_ignores_ranges_and_always_breaks_off_is_given_up(server, path):
    server.always = {"ignore": True, "stop": 300_000}
    with pytest.raises(ValueError, match="broke off 5 times at 300,000"):
        get(server, path)
    assert len(server.asked) == 6


@pytest.mark.parametrize("place", ["bytes 5-767999/768000", "bytes -1-5/9", "nonsense", ""])
def test_a_range_that_was_not_asked_for_is_not_used(server, path, place):
    server.plan = [{"stop": 300_000}, {"place": place}]
    get(server, path)
    assert path.read_bytes() == CONTENT and ranges(server) == [None, "bytes=300000-", None]


def test_a_server_that_always_gives_another_range_is_given_up(server, path):
    server.always = {"stop": 300_000, "place": "bytes 7-767999/768000"}
    with pytest.raises(ValueError, match="broke off 5 times"):
        get(server, path)
    assert len(server.asked) < 12


def test_a_part_that_is_complete_is_taken_without_asking(server, path):
    part_of(path).write_bytes(CONTENT)
    get(server, path)
    assert path.read_bytes() == CONTENT and server.asked == []


@pytest.mark.parametrize(
    "wrong", [CONTENT + b"more", CONTENT[:-1] + b"?", b"?" * 50_000], ids=["long", "last", "start"]
)
def test_a_part_of_something_else_is_thrown_away(server, path, wrong):
    part_of(path).write_bytes(wrong)
    get(server, path)
    assert path.read_bytes() == CONTENT and not part_of(path).exists()


def test_a_part_beyond_the_servers_file_starts_again(server, path):
    part_of(path).write_bytes(b"?" * 400_000)
    server.plan = [{"code": 416}]
    get(server, path)
    assert path.read_bytes() == CONTENT and ranges(server) == ["bytes=400000-", None]


# ---- lies


@pytest.mark.parametrize("stop", [None, 300_000])
def test_other_bytes_of_the_same_length_are_refused(server, path, stop):
    server.content = CONTENT[:-1] + b"?"
    server.plan = [{"stop": stop}]
    with pytest.raises(ValueError, match=f"not what it should be .*{DIGEST}"):
        get(server, path)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("content", [b"<html>Please log in</html>", CONTENT + b"more"], ids=["short", "long"])
def test_a_file_of_another_length_is_refused_before_it_is_written(server, path, content):
    part_of(path).write_bytes(CONTENT[:1000])
    server.content, server.always = content, {"ignore": True}
    with pytest.raises(ValueError, match=f"offers {len(content):,} bytes instead of 768,000"):
        get(server, path)
    assert part_of(path).read_bytes() == CONTENT[:1000] and not path.exists()


@pytest.mark.parametrize("length", [10, 10**9])
def test_a_length_that_is_a_lie_is_not_believed(server, path, length):
    server.always = {"length": length}
    with pytest.raises(ValueError, match=f"offers {length:,} bytes"):
        get(server, path)


@pytest.mark.parametrize("length", [None, "nonsense", "-5"])
def test_no_length_at_all_is_enough(server, path, length):
    server.plan, server.always = [{"length": length, "stop": 300_000}], {"length": length}
    get(server, path)
    assert path.read_bytes() == CONTENT and ranges(server) == [None, "bytes=300000-"]


def test_a_body_without_end_is_not_read_to_the_end(server, path):
    server.content, server.always = CONTENT + b"x" * 50_000_000, {"length": None}
    get(server, path)  # the first bytes are the right ones
    assert path.stat().st_size == len(CONTENT)


def test_a_login_page_without_a_length_does_no_lasting_harm(server, path):
    page = b"<html>Please log in</html>"
    part_of(path).write_bytes(CONTENT[:5])
    server.plan = [{"ignore": True, "content": page, "length": None}]
    get(server, path)  # goes on after the page, sees that the whole is wrong, and starts again
    assert path.read_bytes() == CONTENT and ranges(server) == ["bytes=5-", f"bytes={len(page)}-", None]


# ---- redirects and errors


def test_redirects_are_followed_with_the_range(server, path):
    elsewhere = server.url.replace("things.tgz", "elsewhere/a")
    server.plan = [{"to": elsewhere}, {"stop": 300_000}, {"to": elsewhere}]
    get(server, path)
    assert path.read_bytes() == CONTENT
    assert server.asked[1] == ("/elsewhere/a", None) and server.asked[3] == ("/elsewhere/a", "bytes=300000-")


def test_redirects_in_a_circle_and_to_files_are_one_line(server, path, tmp_path):
    server.always = {"to": server.url}
    with pytest.raises(ValueError, match="answers 302"):
        get(server, path)
    (tmp_path / "secret").write_bytes(CONTENT)
    server.always = {"to": f"file://{tmp_path / 'secret'}"}
    with pytest.raises(ValueError, match="answers 302"):
        get(server, path)
    assert not path.exists()


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_an_error_of_ours_is_final_and_keeps_what_has_come(server, path, code):
    server.plan, server.always = [{"stop": 300_000}], {"code": code}
    with pytest.raises(ValueError, match=f"things.tgz answers {code} ") as error:
        get(server, path)
    assert "\n" not in str(error.value) and len(server.asked) == 2
    assert part_of(path).read_bytes() == CONTENT[:300_000]


@pytest.mark.parametrize("code", [429, 500, 503])
def test_an_error_of_the_servers_may_pass(server, path, code):
    server.plan = [{"code": code}, {"stop": 300_000}, {"code": code}, {"code": code}]
    get(server, path)
    assert path.read_bytes() == CONTENT and len(server.asked) == 5
    path.unlink()
    server.always = {"code": code}
    with pytest.raises(ValueError, match=f"broke off 5 times at 0 of 768,000 bytes .{code} "):
        get(server, path)


def test_between_tries_there_is_a_pause(server, path, monkeypatch):
    slept = []
    monkeypatch.setattr(downloads.time, "sleep", lambda seconds: slept.append(seconds))
    monkeypatch.setattr(downloads, "PAUSE", 7)
    server.plan = [{"stop": 300_000}, {"stop": 0}]
    get(server, path)
    assert slept.count(7) == 2


def test_nobody_there_is_one_line_at_once(path, capsys):
    with pytest.raises(ValueError, match="no connection to http://127.0.0.1:9/things.tgz: .*refused"):
        fetch("http://127.0.0.1:9/things.tgz", path, size=5, digest="", progress=True)
    assert capsys.readouterr().err == "" and list(path.parent.iterdir()) == []


def test_no_name_resolution_is_one_line(path, monkeypatch):
    def unknown(*arguments, **options):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ValueError, match="no connection to http://icg.invalid/things.tgz: .*not known"):
        fetch("http://icg.invalid/things.tgz", path, size=5, digest="", progress=False)


def test_a_server_that_falls_silent_is_left(server, path, monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.2)
    server.plan, server.always = [{"stop": 300_000}], {"slow": 1}
    monkeypatch.setattr(downloads, "TRIES", 2)
    with pytest.raises(ValueError, match="broke off 2 times at 300,000.*[Tt]ime"):
        get(server, path)


# ---- archives


def tgz(path, *members, mode="w:gz"):
    """An archive of ``(name, content)``, or ``(name, type, link)`` for other things than files."""
    with tarfile.open(path, mode) as tar:
        for name, *rest in members:
            info = tarfile.TarInfo(name)
            content = b""
            if len(rest) == 1:
                content = rest[0]
                info.size, info.mode = len(content), 0o6777
            else:
                info.type, info.linkname = rest
            tar.addfile(info, io.BytesIO(content))
    return path


GOOD = [("things", tarfile.DIRTYPE, ""), ("things/val/a", b"A"), ("things/val/b", b"B" * 5000), ("./things/c", b"")]


def test_an_archive_is_unpacked_without_its_modes(tmp_path):
    unpack(tgz(tmp_path / "x.tgz", *GOOD), tmp_path / "things", progress=False)
    found = {p.relative_to(tmp_path).as_posix(): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert found.pop("x.tgz") and found == {"things/val/a": b"A", "things/val/b": b"B" * 5000, "things/c": b""}
    assert not (tmp_path / "things/val/a").stat().st_mode & 0o7111  # neither executable nor of another's rights
    assert sorted(p.name for p in tmp_path.iterdir()) == ["things", "x.tgz"]


EVIL = {
    "above": [("../evil", b"!")],
    "above from inside": [("things/../../evil", b"!")],
    "beside": [("evil", b"!")],
    "beside in a folder": [("thingsevil/evil", b"!")],
    "absolute": [("/evil-of-icg", b"!")],
    "Windows": [("things\\..\\..\\evil", b"!")],
    "Windows, inside": [("things/..\\..\\evil", b"!")],
    "drive": [("C:\\evil", b"!")],
    "drive, relative": [("C:evil", b"!")],
    "link": [("things/link", tarfile.SYMTYPE, "a")],
    "link out of it and through it": [("things/link", tarfile.SYMTYPE, ".."), ("things/link/evil", b"!")],
    "absolute link": [("things/link", tarfile.SYMTYPE, "/etc/passwd")],
    "hard link": [("things/a", b"!"), ("things/hard", tarfile.LNKTYPE, "things/a")],
    "hard link out of it": [("things/hard", tarfile.LNKTYPE, "../victim")],
    "the folder is a link": [("things", tarfile.SYMTYPE, ".")],
    "pipe": [("things/pipe", tarfile.FIFOTYPE, "")],
    "device": [("things/device", tarfile.CHRTYPE, "")],
    "block device": [("things/device", tarfile.BLKTYPE, "")],
}


@pytest.mark.parametrize("after", [False, True], ids=["alone", "after good ones"])
@pytest.mark.parametrize("members", EVIL.values(), ids=EVIL)
def test_an_archive_that_reaches_out_is_refused_whole(tmp_path, members, after):
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "victim").write_bytes(b"untouched")
    archive = tgz(tmp_path / "x.tgz", *(GOOD if after else []), *members)
    with pytest.raises(ValueError, match="refused to unpack .*x.tgz: .*(link or a device|does not lie below things)"):
        unpack(archive, inner / "things", progress=False)
    assert [p.name for p in inner.iterdir()] == ["victim"] and (inner / "victim").read_bytes() == b"untouched"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["inner", "x.tgz"] and not os.path.exists("/evil-of-icg")


def test_the_same_file_twice_is_refused(tmp_path):
    with pytest.raises(OSError):
        unpack(tgz(tmp_path / "x.tgz", *GOOD, ("things/c", b"other")), tmp_path / "things", progress=False)
    assert not (tmp_path / "things").exists()


@pytest.mark.parametrize("kind", ["cut", "noise", "bits", "empty", "no members", "cut tar", "a file for the folder"])
def test_an_archive_that_is_broken_leaves_nothing(tmp_path, kind):
    archive = tgz(tmp_path / "x.tgz", *GOOD, ("things/noise", os.urandom(5000)))
    whole = archive.read_bytes()
    broken = {
        "cut": whole[: len(whole) // 2],
        "noise": os.urandom(1000),
        "bits": whole[:60] + bytes(200) + whole[260:],
        "empty": b"",
        "no members": tgz(tmp_path / "y.tgz").read_bytes(),
        "cut tar": tgz(tmp_path / "y.tgz", *GOOD, mode="w").read_bytes()[:2900],
        "a file for the folder": tgz(tmp_path / "y.tgz", ("things", b"!")).read_bytes(),
    }[kind]
    archive.write_bytes(broken)
    with pytest.raises(ValueError, match="can't read .*x.tgz|x.tgz is empty"):
        unpack(archive, tmp_path / "things", progress=False)
    assert not {p.name for p in tmp_path.iterdir()} - {"x.tgz", "y.tgz"}


def test_unpacking_that_is_interrupted_never_looks_complete(tmp_path, monkeypatch):
    archive, real, copied = tgz(tmp_path / "x.tgz", *GOOD), shutil.copyfileobj, []

    def stopped(source, target):
        if copied:
            raise KeyboardInterrupt
        copied.append(1)
        real(source, target)

    monkeypatch.setattr(downloads.shutil, "copyfileobj", stopped)
    with pytest.raises(KeyboardInterrupt):
        unpack(archive, tmp_path / "things", progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["x.tgz"]
    monkeypatch.undo()
    killed = tmp_path / ".things.unpacking"  # what a process leaves that had no time to tidy up
    (killed / "things").mkdir(parents=True)
    (killed / "things/of another time").write_bytes(b"")
    unpack(archive, tmp_path / "things", progress=False)
    assert sorted(p.name for p in (tmp_path / "things").iterdir()) == ["c", "val"] and not killed.exists()


# ---- both


@pytest.fixture
def archive(server, tmp_path):
    server.content = tgz(tmp_path / "origin", *GOOD, ("things/noise", os.urandom(300_000))).read_bytes()
    digest = hashlib.sha256(server.content).hexdigest()
    return Archive(server.url, "things", len(server.content), digest, space=1_000_000)


def test_a_folder_is_installed_once(server, archive, tmp_path, capsys):
    parent = tmp_path / "new" / "data"
    assert install(archive, parent) == parent / "things"
    assert (parent / "things/val/a").read_bytes() == b"A"
    assert [p.name for p in parent.iterdir()] == ["things"]  # neither the archive nor anything else
    err = capsys.readouterr().err
    assert "unpack things.tgz: 5 files" in err
    install(archive, parent)
    assert len(server.asked) == 1 and capsys.readouterr().err == ""


def test_a_folder_that_is_there_is_never_touched(server, archive, tmp_path):
    (tmp_path / "things").mkdir()
    install(archive, tmp_path)
    assert server.asked == [] and list((tmp_path / "things").iterdir()) == []


def test_an_archive_that_was_fetched_by_hand_is_unpacked_and_kept(server, archive, tmp_path):
    path = tmp_path / "things.tgz"
    path.write_bytes(server.content)
    install(archive, tmp_path, progress=False)
    assert server.asked == [] and path.exists() and (tmp_path / "things/c").exists()
    shutil.rmtree(tmp_path / "things")
    path.write_bytes(server.content[:-5])
    with pytest.raises(ValueError, match="things.tgz is cut short or altered .*move it away"):
        install(archive, tmp_path, progress=False)
    assert server.asked == [] and path.read_bytes() == server.content[:-5] and not (tmp_path / "things").exists()


def test_ctrl_c_while_it_comes_keeps_what_has_come(server, archive, tmp_path, monkeypatch):
    real = downloads.tqdm

    class Stopped(real):
        def update(self, n=1):
            super().update(n)
            if self.n > 100_000:
                raise KeyboardInterrupt

    monkeypatch.setattr(downloads, "tqdm", Stopped)
    server.plan = [{"stop": 150_000}]
    with pytest.raises(KeyboardInterrupt):
        install(archive, tmp_path / "data")
    (part,) = (tmp_path / "data").iterdir()
    assert part.name == "things.tgz.part" and server.content.startswith(part.read_bytes())
    assert (size := part.stat().st_size) > 100_000
    monkeypatch.setattr(downloads, "tqdm", real)
    install(archive, tmp_path / "data", progress=False)
    assert ranges(server)[-1] == f"bytes={size}-" and (tmp_path / "data/things/c").exists()


def test_a_full_disk_is_said_before_and_on_the_way(server, archive, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"no space left in .*: 1,000,000 MB needed, [\d,]+ MB free"):
        install(Archive(archive.url, "things", 5, "", space=10**12), tmp_path, progress=False)
    assert server.asked == []

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(downloads.shutil, "copyfileobj", full)
    with pytest.raises(ValueError, match="^can't write to .*: No space left on device$"):
        install(archive, tmp_path, progress=False)
    assert not (tmp_path / "things").exists()
    monkeypatch.undo()
    install(archive, tmp_path, progress=False)
    assert len(server.asked) == 1  # the archive was whole


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
def test_a_disk_that_is_full_for_the_download_is_one_line(server, archive, tmp_path):
    (tmp_path / "things.tgz.part").symlink_to("/dev/full")
    with pytest.raises(ValueError, match="^can't write to .*: No space left on device$"):
        install(archive, tmp_path, progress=False)


def test_a_folder_that_may_not_be_written_to_is_one_line(server, archive, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ValueError, match="^can't write to .*file"):
            install(archive, place, progress=False)

    def forbidden(*arguments, **options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(downloads.os, "replace", forbidden)
    with pytest.raises(ValueError, match="^can't write to .*: Permission denied$"):
        install(archive, tmp_path, progress=False)


def test_two_at_a_time_take_turns(server, archive, tmp_path):
    pytest.importorskip("fcntl")
    server.always = {"slow": 0.3}
    failed = []

    def one():
        try:
            install(archive, tmp_path / "data", progress=False)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and len(server.asked) == 1 and [p.name for p in (tmp_path / "data").iterdir()] == ["things"]


def test_a_killed_process_holds_nobody_up(server, archive, tmp_path):
    """Killed while the bytes come: the lock goes with it, its part is gone on with."""
    pytest.importorskip("fcntl")
    server.plan = [{"stop": 200_000, "length": archive.size}, {"slow": 60}]
    fields = [archive.url, archive.folder, archive.size, archive.sha256, archive.space]
    script = (
        f"from icg_book.kit.downloads import *; install(Archive(*{json.dumps(fields)}), {str(tmp_path / 'data')!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    part, waited = tmp_path / "data/things.tgz.part", 0.0
    while not (part.exists() and part.stat().st_size == 200_000) and waited < 60:
        time.sleep(0.1)
        waited += 0.1
    process.kill()
    process.wait()
    install(archive, tmp_path / "data", progress=False)
    assert ranges(server)[-1] == "bytes=200000-" and (tmp_path / "data/things/c").exists()


def test_importing_asks_nobody():
    code = "import socket; socket.socket.connect = None; import icg_book.kit.downloads, icg_book.scenarios.imagenette"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_the_archive_of_the_book_is_the_one_torchvision_knows():
    from torchvision.datasets import Imagenette

    from icg_book.scenarios.photographs import ARCHIVE

    assert Imagenette._ARCHIVES["160px"][0] == ARCHIVE.url and len(ARCHIVE.sha256) == 64
    assert urllib.parse.urlparse(ARCHIVE.url).scheme == "https" and ARCHIVE.url.endswith(f"{ARCHIVE.folder}.tgz")
