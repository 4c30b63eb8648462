"""Weights and results: what is loaded is what was saved, or there is one clear error."""

import http.server
import json
import re
import threading
from functools import partial
from pathlib import Path

import pooch
import pytest
import torch

from icg import artifacts
from icg.artifacts import ArtifactError, claimed, find, load_card, load_model, load_result, sha256
from icg.models import ARCHITECTURES, BurntSnacksNet
from icg_book.kit import records
from icg_book.kit.records import save_model, write_result

NAME = "burnt-snacks"
DATA = Path(__file__).resolve().parents[2] / "data"  # what the repository ships


def fill(folder, seed=0):
    """A data folder with untrained weights and a result."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BurntSnacksNet()
    metrics = {"accuracy": {"all": 0.5, "images": 2}}
    made = records.provenance("a command", seed)
    save_model(model, NAME, folder, training={"steps": 0}, metrics=metrics, made=made)
    write_result(NAME, {"rows": [1, 2]}, folder)
    return model


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A data folder as in a checkout."""
    folder = tmp_path / "data"
    fill(folder)
    monkeypatch.setattr(artifacts, "data_folder", lambda: folder)
    return folder


def refused(call, *words):
    """The call must end in one line that has all the words."""
    with pytest.raises(ArtifactError) as error:
        call()
    message = str(error.value)
    assert "\n" not in message and message
    assert all(re.search(word, message) for word in words), message


# ---- in a checkout


def test_what_is_loaded_is_what_was_saved(checkout):
    model, saved = load_model(NAME), fill(checkout)
    assert not model.training
    for a, b in zip(model.parameters(), saved.parameters(), strict=True):
        assert torch.equal(a, b)
    assert load_result(NAME) == {"rows": [1, 2]}


def test_the_card_says_how_the_weights_were_made(checkout):
    card = load_card(NAME)
    assert card["architecture"] == "BurntSnacksNet" and card["parameters"] == 343_538
    assert card["input"] == ["N", 2, 50, 50] and card["command"] == "a command" and card["seed"] == 0
    assert card["sha256"] == sha256(checkout / f"weights/{NAME}.safetensors")
    assert card["versions"]["torch"] == torch.__version__ and re.fullmatch(r"\d{4}-\d\d-\d\d", card["date"])
    assert card["training"] == {"steps": 0} and card["metrics"]["accuracy"]["all"] == 0.5 and "CPU" in card["device"]


def test_the_manifest_follows_every_file_and_nothing_else_is_left(checkout):
    (checkout / "weights" / ".burnt-snacks.json.1.part").write_text("left by a killed process")
    fill(checkout, seed=1)
    manifest = json.loads((checkout / "manifest.json").read_text())
    assert set(manifest) == {f"weights/{NAME}.safetensors", f"weights/{NAME}.json", f"results/{NAME}.json"}
    assert all(sha256(checkout / name) == digest for name, digest in manifest.items())


@pytest.mark.parametrize("ending", ["safetensors", "json"])
def test_missing_files(checkout, ending):
    (checkout / f"weights/{NAME}.{ending}").unlink()
    refused(lambda: load_model(NAME), f"{NAME}.{ending}", "is not in")


def test_an_unknown_name(checkout):
    refused(lambda: load_model("fried-snacks"), "fried-snacks", "icg info")
    refused(lambda: load_result("fried-snacks"), "fried-snacks")


@pytest.mark.parametrize("damage", ["cut short", "empty", "one bit", "longer"])
def test_weights_that_are_not_those_of_the_card(checkout, damage):
    path = checkout / f"weights/{NAME}.safetensors"
    content = bytearray(path.read_bytes())
    if damage == "one bit":
        content[-100] ^= 1
    path.write_bytes({"cut short": content[:5000], "empty": b"", "one bit": content, "longer": content + b"\0"}[damage])
    refused(lambda: load_model(NAME), "cut short or altered", "SHA-256", path.name)


def change_card(folder, **changes):
    path = folder / f"weights/{NAME}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("architecture", ["ResNet1001", None])
def test_a_card_of_an_architecture_this_version_does_not_know(checkout, architecture):
    change_card(checkout, architecture=architecture)
    refused(lambda: load_model(NAME), NAME, re.escape(repr(architecture)), "knows .*BurntSnacksNet")


def test_a_card_of_another_architecture_than_the_weights(checkout, monkeypatch):
    class Other(torch.nn.Linear):
        def __init__(self):
            super().__init__(2, 2)

    monkeypatch.setitem(ARCHITECTURES, "Other", Other)
    change_card(checkout, architecture="Other")
    refused(lambda: load_model(NAME), "does not fit Other", "safetensors")


def test_weights_that_are_no_safetensors_although_the_card_vouches_for_them(checkout):
    path = checkout / f"weights/{NAME}.safetensors"
    path.write_bytes(b"not a tensor in sight")
    change_card(checkout, sha256=sha256(path))
    refused(lambda: load_model(NAME), "does not fit", path.name)


@pytest.mark.parametrize("content", [b"", b'{"name": ', b"\xff\xfe{}", b"[]", b"{}"], ids=repr)
def test_a_broken_card(checkout, content):
    (checkout / f"weights/{NAME}.json").write_bytes(content)
    refused(lambda: load_model(NAME), "card", NAME)


def test_a_broken_result(checkout):
    (checkout / f"results/{NAME}.json").write_bytes(b'{"rows": ')
    refused(lambda: load_result(NAME), "result", NAME)


def test_numbers_that_json_does_not_have_are_not_written(checkout):
    with pytest.raises(ValueError, match="JSON"):
        write_result(NAME, {"rows": [float("nan")]}, checkout)
    assert load_result(NAME) == {"rows": [1, 2]}  # the old result is still whole


# ---- outside a checkout


class Server:
    """A folder, served on 127.0.0.1, with a list of what was asked for."""

    def __init__(self, folder):
        self.asked = asked = []

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *arguments):
                asked.append(self.path)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def weights(self):
        return sum(path.endswith(".safetensors") for path in self.asked)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """No checkout: data comes from a server and goes to an empty cache."""
    fill(tmp_path / "data")
    server = Server(tmp_path / "data")
    monkeypatch.setenv("ICG_DATA_URL", server.url + "/")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(artifacts, "data_folder", lambda: None)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    yield server, tmp_path / "data", tmp_path / "cache" / "icg"
    server.stop()


def test_weights_are_downloaded_once(remote):
    server, data, cache = remote
    first, second = load_model(NAME), load_model(NAME)
    assert server.weights() == 1
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert sha256(cache / f"weights/{NAME}.safetensors") == sha256(data / f"weights/{NAME}.safetensors")
    assert load_result(NAME) == {"rows": [1, 2]}


def test_new_weights_of_the_repository_replace_those_in_the_cache(remote):
    _, data, _ = remote
    load_model(NAME)
    newer = fill(data, seed=1)
    assert torch.equal(next(load_model(NAME).parameters()), next(newer.parameters()))


def test_a_cached_file_that_was_altered_is_fetched_again(remote):
    server, _, cache = remote
    load_model(NAME)
    (cache / f"weights/{NAME}.safetensors").write_bytes(b"altered")
    load_model(NAME)
    assert server.weights() == 2


@pytest.mark.parametrize("ending", ["safetensors", "json"])
def test_a_file_that_does_not_match_the_manifest_is_refused(remote, ending):
    _, data, cache = remote
    with open(data / f"weights/{NAME}.{ending}", "ab") as file:
        file.write(b" ")
    refused(lambda: load_model(NAME), "could not download", f"{NAME}.{ending}")
    assert not (cache / f"weights/{NAME}.{ending}").exists()  # and never lands in the cache


def test_a_server_without_the_file_or_the_manifest(remote):
    _, data, cache = remote
    (data / f"weights/{NAME}.safetensors").unlink()
    refused(lambda: load_model(NAME), "could not download", "404")
    refused(lambda: load_model("fried-snacks"), "fried-snacks", "not in the manifest")
    (cache / "manifest.json").unlink()
    for page in ("<html>Page not found</html>", "[]", '{"login": "please"}', "{}", "\xff"):
        (data / "manifest.json").write_text(page, "latin-1")
        refused(lambda: load_model(NAME), "manifest", "not JSON")
    assert not (cache / "manifest.json").exists()


@pytest.mark.parametrize("page", ["<html>Log in to the hotel's network</html>", '{"login": "please"}', "{}", ""])
def test_the_page_of_a_captive_portal_does_not_replace_a_good_manifest(remote, page):
    server, data, cache = remote
    load_model(NAME)
    good = (cache / "manifest.json").read_bytes()
    (data / "manifest.json").write_text(page)
    load_model(NAME)
    assert load_result(NAME) == {"rows": [1, 2]}
    assert (cache / "manifest.json").read_bytes() == good
    server.stop()
    load_model(NAME)


def test_a_cache_that_cannot_be_made_is_not_blamed_on_the_download(remote):
    server, _, cache = remote
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text("a file")
    refused(lambda: load_model(NAME), f"^can't make the folder {cache} for downloads: ")
    assert not server.weights()


def test_weights_of_ones_own_are_found_by_their_path(tmp_path):
    path = tmp_path / "own" / "snacks.safetensors"
    records.write_model(BurntSnacksNet(), path, metrics={})
    assert load_card(str(path))["name"] == "snacks"
    assert load_model(path)(torch.zeros(1, 2, 50, 50)).shape == (1, 2)
    path.with_suffix(".json").unlink()
    refused(lambda: load_model(str(path)), r"snacks.json is not there; weights of your own are a .safetensors file")


def test_no_server_gives_one_clear_error(remote):
    server, _, _ = remote
    server.stop()
    refused(lambda: load_model(NAME), rf"^could not download {re.escape(server.url)}\S+: is this computer online\?$")


def test_a_notebook_shows_the_sentence_alone(remote):
    with pytest.raises(ArtifactError) as error:
        load_model("fried-snacks")
    assert error.value._render_traceback_() == [str(error.value)]


def test_weights_come_with_a_bar_and_small_files_without(remote, capsys):
    artifacts.load_card(NAME)
    assert capsys.readouterr().err == ""
    load_model(NAME)
    assert "100%" in capsys.readouterr().err
    load_model(NAME)
    assert capsys.readouterr().err == ""


def test_without_a_mirror_the_address_is_the_repositorys_own(monkeypatch):
    monkeypatch.delenv("ICG_DATA_URL", raising=False)
    monkeypatch.setattr(artifacts, "REPOSITORY", "https://github.com/somebody/something")
    assert artifacts.data_url() == f"https://raw.githubusercontent.com/somebody/something/{artifacts.BRANCH}/data"


def test_work_is_claimed_by_one_at_a_time(tmp_path):
    path = tmp_path / "folder" / "numbers.pt"
    with claimed(path) as first, claimed(path) as second, claimed(path.with_name("others.pt")) as other:
        assert (first, second, other) == (True, False, True)
    with pytest.raises(KeyboardInterrupt), claimed(path):
        raise KeyboardInterrupt
    with claimed(path) as again:
        assert again
    assert not path.exists()


# ---- what the repository ships


@pytest.fixture
def shipped():
    if not (DATA / "manifest.json").exists():
        pytest.skip("no manifest yet")
    return json.loads((DATA / "manifest.json").read_text())


def test_the_shipped_manifest_names_every_file_with_its_sha256(shipped):
    files = {p.relative_to(DATA).as_posix() for sub in ("weights", "results") for p in (DATA / sub).iterdir()}
    assert files - set(shipped) <= {"weights/.gitkeep", "results/.gitkeep"} and set(shipped) <= files
    assert all(sha256(DATA / name) == digest for name, digest in shipped.items())


def test_every_shipped_model_loads_and_has_a_full_card(shipped):
    models = [Path(name).stem for name in shipped if name.endswith(".safetensors")]
    assert NAME in models
    for name in models:
        model, card = load_model(name), load_card(name)
        least = 0.824 if name.startswith("imagenette") else 0.9  # photographs: what the paper reached
        least = 0.7 if name == "imagenette-vit" else least  # an hour of one core, 64 pixels
        fields = ("architecture", "training", "metrics", "sha256", "versions", "device", "date", "command", "seed")
        assert all(card.get(field) not in (None, "", {}) for field in fields)
        assert card["name"] == name and card["parameters"] == sum(p.numel() for p in model.parameters())
        assert card["training"]["stages"][0]["steps"] and card["metrics"]["accuracy"]["all"] > least
        assert {"icg", "torch", "python"} <= card["versions"].keys()
        with torch.no_grad():
            assert model(torch.zeros(1, *model.input_shape)).isfinite().all()


def test_every_shipped_result_can_be_read(shipped):
    for name in shipped:
        if name.startswith("results/"):
            assert isinstance(load_result(Path(name).stem), dict) and find(name).exists()
