"""The lab of MNIST in a real JupyterLab, with a kernel: what is drawn with the mouse is what the network explains."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from icg_book.scenarios import drawn_digits

pytest.importorskip("jupyterlab")
pytestmark = pytest.mark.slow
SOURCE = """
import torch
from icg.models import MnistNet
from icg_book.mnist.lab import mnist_lab
from icg_book.scenarios import drawn_digits
torch.manual_seed(0)
mnist_lab(MnistNet().eval(), drawn_digits.load())
"""
WAIT = 120_000  # ms; the machine may be busy with other tests


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    """The address of a JupyterLab of its own, with one notebook."""
    folder = tmp_path_factory.mktemp("jupyter")
    (folder / "files").mkdir()
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=[new_code_cell(SOURCE)], metadata=kernel), folder / "files" / "lab.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    environment = {**os.environ, **own, "IPYTHONDIR": str(folder / "ipython"), "OMP_NUM_THREADS": "1"}
    environment.pop("ICG_BOOK_BUILD", None)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder / 'files'}"]
    command += ["--IdentityProvider.token=icg"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(f"http://127.0.0.1:{port}/api", server, folder / "log")
            yield f"http://127.0.0.1:{port}/doc/tree/lab.ipynb?token=icg"
        finally:
            server.terminate()  # it stops its kernels
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_for(address, server, log, seconds=90):
    for _ in range(4 * seconds):
        try:
            return urllib.request.urlopen(address, timeout=5).close()
        except (urllib.error.URLError, OSError):
            assert server.poll() is None, log.read_text()
            time.sleep(0.25)
    pytest.fail(f"JupyterLab did not start: {log.read_text()}")


def test_draw_with_the_mouse_and_see_the_map_change(browser, jupyter):
    page = browser.new_page(viewport={"width": 1200, "height": 1300})
    page.set_default_timeout(WAIT)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(jupyter)
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    for _ in range(20):  # a kernel that has only just connected may not hear the first call
        page.locator(".cm-content").first.click()
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(2000)
        if page.locator(".jp-InputPrompt").first.inner_text() != "[ ]:":
            break

    result = page.locator("figure img")
    page.wait_for_selector("figure img[alt^='digit 0, a 0.']")
    first = result.get_attribute("src")
    assert "Expected Gradients and the mean baseline are not on offer" in page.locator(".jp-Notebook").inner_text()

    box = page.locator(".icg-x-pad").bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    for x, y in ((0.75, 0.2), (0.45, 0.85)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=10)
    page.mouse.up()
    page.wait_for_selector("figure img[alt^='your drawing.']")
    drawn = result.get_attribute("src")
    assert drawn != first
    field = page.get_by_label("drawing", exact=True)
    assert len(drawn_digits.strokes_from_code(field.input_value())) == 1

    field.fill(drawn_digits.to_code(drawn_digits.strokes()[3]))  # a code from elsewhere
    page.wait_for_function(
        "src => { const i = document.querySelector('figure img'); return i && i.src !== src; }", arg=drawn
    )
    field.fill("no code!")
    page.wait_for_selector("p[role=alert]")
    assert "expected the code of a drawing" in page.locator("p[role=alert]").inner_text()
    page.get_by_label("digit", exact=True).select_option("digit 7, a 7")
    page.wait_for_selector("figure img[alt^='digit 7, a 7.']")
    assert errors == []
    page.close()
