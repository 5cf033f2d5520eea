"""A real JupyterLab in a copy of the checkout, and a real Chromium in front of it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.request import urlopen

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
ARGUMENTS += "--disable-component-update --disable-sync --autoplay-policy=no-user-gesture-required"
#: So that all cells are in the page at once, nothing is asked of a server elsewhere, and nothing lies over the page.
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}
#: Trainings as short as they can be.
PARAMETERS = {"max_minutes": 0.1, "num_workers": 1, "num_samples": 2}
WIDTH, HEIGHT = 1400, 900


@dataclass
class Lab:
    """Where the server answers, the copy of the checkout that it serves, and the browser's page with its errors."""

    url: str
    folder: Path
    page: Any
    shots: Path
    errors: list[str] = field(default_factory=list)

    def shot(self, name: str) -> None:
        """A picture of the page, for the eyes of who runs this with SHOTS=folder."""
        self.page.screenshot(path=self.shots / f"{name}.png")

    def shots_down(self, name: str) -> None:
        """Pictures all the way down the notebook, for the same eyes."""
        if "SHOTS" not in os.environ:
            return
        box, number = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer"), 0
        box.evaluate("box => box.scrollTop = 0")
        while True:
            self.page.wait_for_timeout(100)
            self.shot(f"{name}_{number:02}")
            at, number = box.evaluate("box => box.scrollTop"), number + 1
            if box.evaluate("box => { box.scrollTop += 0.9 * box.clientHeight; return box.scrollTop }") == at:
                return


def not_here(reason: str) -> NoReturn:
    """Skip on a person's machine, who may do without; fail on CI, where nobody would notice."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    try:
        import axe_playwright_python.sync_playwright  # noqa: F401
        from playwright import sync_api
    except ImportError as error:
        not_here(f"needs {error.name}: pip install -e '.[browser]'")
    if CHROMIUM is None:
        not_here("needs a browser: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS.split())
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get("SHOTS") or tmp_path_factory.mktemp("shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def lab(browser: Any, shots: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The command of `make lab` on a free port, without a token; the page has the size of a laptop's."""
    folder = tmp_path_factory.mktemp("checkout")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in tracked.splitlines():
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    for path in (folder / "notebooks").glob("*.ipynb"):
        shorten(path)
    as_anyone = ["-c", "user.name=reader", "-c", "user.email=reader@example.org"]
    for command in (["init", "-q"], ["add", "-A"], [*as_anyone, "commit", "-qm", "as cloned"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    home = tmp_path_factory.mktemp("jupyter")
    for name, settings in SETTINGS.items():
        path = home / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    target = re.search(r"^lab:.*\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert target, "the Makefile has no target lab"
    lines = [shlex.split(line.removeprefix("\t$(BIN)/python ")) for line in target[1].splitlines()]
    for line in lines[:-1]:
        subprocess.run([sys.executable, *line], cwd=folder, check=True)
    options = (
        f"--no-browser --ip=127.0.0.1 --port={port} --IdentityProvider.token= --allow-root --expose-app-in-browser"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    environment |= {"JUPYTER_CONFIG_DIR": str(home), "JUPYTERLAB_SETTINGS_DIR": str(home / "settings")}
    environment |= {"JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"), "PYTHONPATH": str(folder)}
    environment["OMP_NUM_THREADS"] = "1"  # small networks are no slower, and the browser needs a core too
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, *lines[-1], *options.split()], cwd=folder, env=environment, stdout=log, stderr=log
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(f"{url}/api", server, home / "log")
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            opened = Lab(url, folder, page, shots)
            page.on("console", lambda said: opened.errors.append(said.text) if said.type == "error" else None)
            page.on("pageerror", lambda error: opened.errors.append(str(error)))
            yield opened
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:  # its kernels are gone, an extension hangs
                server.kill()


def shorten(path: Path) -> None:
    """Let the trainings of a notebook be as short as `PARAMETERS` say."""
    notebook = nbformat.read(path, nbformat.NO_CONVERT)
    (cell,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    for name, value in PARAMETERS.items():
        cell.source = re.sub(rf"^({name}: \w+ = )[^ \n]+", rf"\g<1>{value}", cell.source, flags=re.MULTILINE)
    nbformat.write(notebook, path)


def wait_for(url: str, server: subprocess.Popen[Any], log: Path, seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            assert server.poll() is None and time.monotonic() < end, log.read_text()[-3000:]
            time.sleep(0.3)
