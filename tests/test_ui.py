"""The MLflow page in a real browser: compare two runs, open the registered model. Screenshots go to
$SCREENSHOTS if set.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import yaml

from tests.conftest import PAGE_PATIENCE, PATIENCE, see, serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(wider: Path, environment: dict[str, str]) -> Iterator[str]:
    """`svevae ui` on a free port of this machine."""
    with serving(
        ["svevae", "ui", "--allow-host", "lab.example"], "/health", wider, environment
    ) as url:
        yield url


@pytest.mark.parametrize("path", ["/", "/health", "/api/2.0/mlflow/experiments/search"])
def test_strangers_at_the_door(address: str, path: str) -> None:
    """The server itself: another name, another origin, one of another port, its own. Nobody is
    answered from elsewhere; a page of its own as before.
    """
    ask = requests.post if path.startswith("/api") else requests.get
    for headers, status in (
        ({}, 200),
        ({"Origin": address}, 200),
        ({"Host": "lab.example", "Origin": "https://lab.example"}, 200),
        ({"Host": "example.org"}, 403),
        ({"Host": "127.0.0.1"}, 403),
        ({"Origin": "http://example.org"}, 403),
        ({"Origin": "http://localhost:1"}, 403),
    ):
        body = {"max_results": 1} if path.startswith("/api") else None
        answer = ask(f"{address}{path}", headers=headers, json=body, timeout=PATIENCE)
        assert answer.status_code == status, headers


class Store:
    """What the server of the page answers to MLflow's REST API."""

    def __init__(self, address: str):
        self._api = f"{address}/api/2.0/mlflow"
        found = self._ask("experiments", max_results=10)
        (self.experiment,) = (e["experiment_id"] for e in found if e["name"] == "svevae")

    def runs(self, text: str = "") -> list[str]:
        """Ids of the runs that a filter lets pass, the newest first."""
        options = {"order_by": ["attributes.start_time DESC"], "filter": text}
        found = self._ask("runs", experiment_ids=[self.experiment], **options)
        return [run["info"]["run_id"] for run in found]

    def _ask(self, what: str, **options: object) -> list[dict]:
        answer = requests.post(f"{self._api}/{what}/search", json=options, timeout=PATIENCE)
        return answer.json()[what]


@pytest.fixture(scope="module")
def store(address: str) -> Store:
    return Store(address)


def wait(browser, condition: Callable):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, PAGE_PATIENCE).until(condition)


def click_in_row(browser, run: str, what: str) -> None:
    """Click what an XPath finds first in the row of the table that links to a run."""
    row = f"//*[@role='row'][.//a[contains(@href, '/runs/{run}')]]"
    found = wait(browser, lambda page: page.find_elements("xpath", row + what))
    browser.execute_script("arguments[0].click()", found[0])


def compare(browser, runs: list[str], *words: str, picture: str) -> str:
    """Select the runs in the table and press Compare; the text of the page that comes, with all
    words on it.
    """
    for run in runs:
        click_in_row(browser, run, "//input[contains(@aria-label, 'row selection')]")
    button = "//button[normalize-space() = 'Compare'][not(@disabled)]"
    found = wait(browser, lambda page: page.find_elements("xpath", button))
    browser.execute_script("arguments[0].click()", found[0])
    return see(browser, *words, picture=picture)


def test_select_two_runs_and_compare_them(browser, address: str, store: Store) -> None:
    runs = store.runs("attributes.run_name LIKE 'patch-%-seed0'")  # trainings
    assert len(runs) == 2
    browser.get(f"{address}/#/experiments/{store.experiment}/runs")
    see(browser, "train", "svevae", picture="runs")
    words = ("Comparing 2 Runs", "train.latent_dim", "best_epoch")
    text = compare(browser, runs, *words, picture="compare")
    # the page draws only as many rows of it as are seen
    metrics = text[text.rindex("\nMetrics\n") :]
    assert "reconstruction" in metrics
    assert "kl" in metrics
    assert browser.find_elements("css selector", ".js-plotly-plot svg, canvas")
    assert re.search(r"train\.latent_dim:?\s+(4\s+6|6\s+4)\b", text), text


def test_trials_of_a_study_side_by_side(browser, address: str, store: Store, wider: Path) -> None:
    """The study's run opens to those of its trials; two of them compared; its report lies with
    it.
    """
    study = yaml.safe_load(
        (wider / "artifacts" / "search" / "best.yaml").read_text(encoding="utf-8")
    )["study_run_id"]
    trials = store.runs(f"tags.`mlflow.parentRunId` = '{study}'")
    assert len(trials) == 4, "two trials, two finalists again"
    browser.get(f"{address}/#/experiments/{store.experiment}/runs")
    see(browser, "search", picture="study-closed")
    click_in_row(browser, study, "//button")
    see(browser, "trial-0", "trial-1", picture="trials")
    words = (
        "Comparing 2 Runs",
        "trial-",
        "train.kl_weight",
        "train.property_weight",
        "svevae.trial",
    )
    text = compare(browser, trials[-2:], *words, picture="compare-trials")
    assert re.search(r"train\.kl_weight:?\s+[\d.]+\s+[\d.]+", text), text
    browser.get(f"{address}/#/experiments/{store.experiment}/runs/{study}/artifacts")
    see(browser, "report.html", "best.yaml", "plots", picture="study")


def test_open_the_registered_model(browser, address: str) -> None:
    browser.get(f"{address}/#/models/svevae/versions/1")
    text = see(browser, "Version 1", "mean_r2", "svevae.data_md5", picture="model")
    assert "test_digest" in text
    browser.get(f"{address}/#/models/svevae")
    see(browser, "Version 1", "Version 2", picture="models")
