"""The built book, served from this machine to a headless browser that may talk to nobody else."""

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

BUILT = Path(__file__).resolve().parents[2] / "_build" / "html"
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",  # containers run as root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def book_url():
    """The address of the built book's folder, without a slash at the end."""
    if not (BUILT / "book" / "index.html").exists():
        pytest.fail("the book is not built: run `make book` first (`make test` does)")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=BUILT)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")  # not session: a second Playwright, of another test file, could not start beside it
def browser():
    # The system's browser if there is one; otherwise the one that `playwright install chromium` fetched.
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next(filter(None, map(shutil.which, names)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


class Record:
    """What a page asked for and complained about, gathered while it runs."""

    def __init__(self, page, host: str):
        self.requests, self.off_host, self.failed, self.errors = [], [], [], []
        self.page, self.host = page, host
        page.on("request", self._request)
        page.on("requestfailed", lambda request: self.failed.append(f"{request.url}: {request.failure}"))
        page.on("response", lambda r: self.failed.append(f"{r.url}: {r.status}") if r.status >= 400 else None)
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _request(self, request):
        self.requests.append(request.url)
        address = urlsplit(request.url)
        if address.scheme not in {"data", "blob"} and address.netloc != self.host:
            self.off_host.append(request.url)

    def settle(self):
        """Wait until the page has asked for nothing for half a second (an open request can't hold it up).

        Playwright's own "networkidle" is true for ever once it was true, and is never true where the browser does not
        tell how a request ended, as happened to a page read from a folder.
        """
        for _ in range(60):
            asked = len(self.requests)
            self.page.wait_for_timeout(500)
            if len(self.requests) == asked:
                return
        raise AssertionError(f"the page does not stop asking: {self.requests[-5:]}")

    def assert_clean(self):
        assert not self.off_host, f"requests to other hosts: {self.off_host}"
        assert not self.failed, f"failed requests: {self.failed}"
        assert not self.errors, f"console errors: {self.errors}"


@pytest.fixture
def open_page(browser, book_url):
    """``page, record = open_page("book/index.html", width=1280)``; other keywords go to the browser context.

    ``path`` may also be a whole address (``file://...``). Requests to other hosts are recorded and stopped.
    """
    contexts = []

    def open_page(path: str, *, width: int = 1280, height: int = 900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        address = path if "://" in path else f"{book_url}/{path}"
        host = urlsplit(address).netloc
        context.route(
            lambda url: urlsplit(url).scheme in {"http", "https"} and urlsplit(url).netloc != host,
            lambda route: route.abort(),
        )
        page = context.new_page()
        record = Record(page, host)
        page.goto(address)
        record.settle()
        return page, record

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def open_explorable(browser, page_file, request):
    """``page, root = open_explorable(url=None, ready=True, **context options)``: the module's ``page_file`` from disk.

    ``root`` is the page's first explorable, and all of them have started unless ``ready`` is false. The window is as
    high as the module's ``HEIGHT``. Afterwards: no error, no warning, and no request to anywhere.
    """
    trouble, contexts = [], []

    def start(url=None, ready=True, **options):
        context = browser.new_context(**{"viewport": {"width": 1000, "height": request.module.HEIGHT}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: trouble.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: trouble.append(str(e)))
        page.on("request", lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else trouble.append(r.url))
        page.goto(url or page_file.as_uri())
        if ready:
            page.wait_for_selector(".icg-x[data-state=ready] >> nth=-1")
        return page, page.locator(".icg-x").first

    yield start
    for context in contexts:
        context.close()
    assert trouble == []
