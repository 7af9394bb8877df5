"""The MLflow UI in a real browser: the list of runs, two of them compared, the confusion matrix, the run's page.

Needs a Chromium or Chrome of the system. SCREENSHOTS=FOLDER keeps what was seen.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# root, as in a container, needs no-sandbox; the rest keeps it from calling home
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
PATIENCE_MS = 60_000

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium here")]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two runs of the digits, of different width."""
    home = tmp_path_factory.mktemp("ui")
    for name, width in (("narrow", 4), ("wide", 16)):
        command = [sys.executable, "-m", "visionlab", "train", "experiment=digits", "trainer.max_epochs=4"]
        subprocess.run(
            [*command, f"name={name}", f"model.width={width}"],
            env=os.environ | {"VISIONLAB_HOME": str(home)},
            check=True,
            capture_output=True,
        )
        sync = [sys.executable, "-m", "visionlab", "sync", "last"]
        subprocess.run(sync, env=os.environ | {"VISIONLAB_HOME": str(home)}, check=True, capture_output=True)
    return home


@pytest.fixture(scope="module")
def address(store: Path) -> Iterator[str]:
    """Where `make ui` serves them."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["make", "-s", "ui", f"MLFLOW_PORT={port}"]
    environment = os.environ | {"VISIONLAB_HOME": str(store)}
    server = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(240):
            time.sleep(0.5)
            try:
                urllib.request.urlopen(f"{url}/health", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, "make ui ended"
        yield url
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.set_default_timeout(PATIENCE_MS)
        yield page
        browser.close()


def keep(page: Page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        page.wait_for_timeout(2000)  # charts are drawn with an animation
        page.screenshot(path=Path(folder) / f"{name}.png")


def run_id(store: Path, name: str) -> str:
    (path,) = store.glob(f"runs/*-{name}")
    return path.name


def open_runs(page: Page, address: str, store: Path) -> None:
    """Go from the start page to the list of runs as a user does."""
    page.goto(address)
    page.get_by_text("Model training", exact=True).first.click()
    page.get_by_role("link", name="Experiments").first.click()
    page.get_by_role("link", name="digits", exact=True).first.click()
    page.get_by_text(run_id(store, "wide")).first.wait_for()
    if page.get_by_role("button", name="Close").count():
        page.get_by_role("button", name="Close").first.click()


def test_two_runs_are_listed_selected_and_compared(page: Page, address: str, store: Path) -> None:
    open_runs(page, address, store)
    for name in ("narrow", "wide"):
        expect(page.get_by_text(run_id(store, name)).first).to_be_visible(timeout=PATIENCE_MS)
    keep(page, "runs")
    page.get_by_label("Select all runs").first.click(force=True)
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("Comparing 2 Runs from 1 Experiment")).to_be_visible(timeout=PATIENCE_MS)
    keep(page, "compare")
    row = page.get_by_role("row").filter(has_text="model.width").last
    expect(row).to_contain_text("16")
    expect(row).to_contain_text("4")
    expect(page.get_by_text("test/accuracy", exact=True).first).to_be_attached(timeout=PATIENCE_MS)
    for name in ("narrow", "wide"):
        accuracy = json.loads((store / "runs" / run_id(store, name) / "report.json").read_text())["test"]["accuracy"]
        expect(page.get_by_text(f"{round(accuracy, 3):g}", exact=True).first).to_be_attached(timeout=PATIENCE_MS)


def test_the_curves_of_both_runs_are_in_one_chart(page: Page, address: str, store: Path) -> None:
    open_runs(page, address, store)
    page.goto(page.url + "&compareRunsMode=CHART")
    page.get_by_placeholder("Search metric charts").fill("val/loss")
    chart = page.locator(".js-plotly-plot").first
    chart.wait_for()
    for name in ("narrow", "wide"):
        expect(page.get_by_text(f"{run_id(store, name)} (val/loss)").first).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_placeholder("Search metric charts").fill("val/|train/")
    keep(page, "charts")


def test_a_run_shows_its_confusion_matrix_and_its_page(page: Page, address: str, store: Path) -> None:
    open_runs(page, address, store)
    page.get_by_text(run_id(store, "wide")).first.click()
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("figures", exact=True).click()
    page.get_by_text("confusion_matrix.png", exact=True).first.click()
    picture = page.locator("img[src^='blob:']").first
    picture.wait_for()
    assert picture.evaluate("image => image.naturalWidth") > 500
    keep(page, "confusion")
    page.get_by_text("report.html", exact=True).click()
    frame = page.frame_locator("iframe").first
    expect(frame.get_by_role("heading", name=run_id(store, "wide"))).to_be_visible(timeout=PATIENCE_MS)
    keep(page, "report")
