"""The MLflow page in a real browser: compare two runs, open the registered model. Screenshots go to
$SCREENSHOTS if set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from tests.conftest import PATIENCE, see, serving

pytestmark = pytest.mark.slow
WAIT = PATIENCE


@pytest.fixture(scope="module")
def address(wider: Path, environment: dict[str, str]) -> Iterator[str]:
    """`svevae ui` on a free port of this machine."""
    with serving(["svevae", "ui"], "/health", wider, environment) as url:
        yield url


def test_select_two_runs_and_compare_them(browser, address: str) -> None:
    from selenium.webdriver.common.by import By

    runs = requests.post(
        f"{address}/api/2.0/mlflow/experiments/search", json={"max_results": 10}, timeout=WAIT
    ).json()["experiments"]
    (experiment,) = (found["experiment_id"] for found in runs if found["name"] == "svevae")
    browser.get(f"{address}/#/experiments/{experiment}/runs")
    see(browser, "train", "svevae", picture="runs")
    text = compare(
        browser,
        row_ids(browser)[:2],
        "Comparing 2 Runs",
        "train.latent_dim",
        "best_epoch",
        picture="compare",
    )
    metrics = text[
        text.rindex("\nMetrics\n") :
    ]  # the page draws only as many rows of it as are seen
    assert "reconstruction" in metrics
    assert "kl" in metrics
    assert browser.find_elements(By.CSS_SELECTOR, ".js-plotly-plot svg, svg.main-svg, canvas")
    assert re.search(r"train\.latent_dim:?\s+(4\s+6|6\s+4)\b", text), text


def click(browser, selector: str) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    found = WebDriverWait(browser, WAIT).until(
        lambda page: page.find_elements(By.CSS_SELECTOR, selector)
    )
    browser.execute_script("arguments[0].click()", found[0])


def row_ids(browser) -> list[str]:
    """The ids of the runs in the table, from the top."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    rows = ".ag-pinned-left-cols-container .ag-row"
    WebDriverWait(browser, WAIT).until(
        lambda page: len(page.find_elements(By.CSS_SELECTOR, rows)) >= 2
    )
    found = sorted(
        browser.find_elements(By.CSS_SELECTOR, rows),
        key=lambda row: int(row.get_attribute("row-index")),
    )
    return [row.get_attribute("row-id") for row in found]


def compare(browser, runs: list[str], *words: str, picture: str) -> str:
    """Select the runs in the table and press Compare; the text of the page that comes, with all
    words on it.
    """
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    for run in runs:
        click(browser, f'.ag-row[row-id="{run}"] .ag-checkbox-input')
    button = WebDriverWait(browser, WAIT).until(
        lambda page: next(
            (
                b
                for b in page.find_elements(By.TAG_NAME, "button")
                if b.text.strip() == "Compare" and b.is_enabled()
            ),
            False,
        )
    )
    browser.execute_script("arguments[0].click()", button)
    return see(browser, *words, picture=picture)


def test_trials_of_a_study_side_by_side(browser, address: str, wider: Path) -> None:
    """The study's run opens to those of its trials; two of them compared; its report lies with
    it.
    """
    study = yaml.safe_load((wider / "artifacts" / "search" / "best.yaml").read_text())[
        "study_run_id"
    ]
    found = requests.get(
        f"{address}/api/2.0/mlflow/runs/get", params={"run_id": study}, timeout=WAIT
    ).json()
    experiment = found["run"]["info"]["experiment_id"]
    browser.get(f"{address}/#/experiments/{experiment}/runs")
    see(browser, "search", picture="study-closed")
    click(browser, f'.ag-row[row-id="{study}"] button[data-component-id*="runnamecell"]')
    see(browser, "trial-0", "trial-1", picture="trials")
    trials = row_ids(browser)
    trials = trials[trials.index(study) + 1 :]
    assert len(trials) == 4, "two trials, two finalists again"
    words = (
        "Comparing 2 Runs",
        "trial-",
        "train.kl_weight",
        "train.property_weight",
        "svevae.trial",
    )
    text = compare(browser, trials[-2:], *words, picture="compare-trials")
    assert re.search(r"train\.kl_weight:?\s+[\d.]+\s+[\d.]+", text), text
    browser.get(f"{address}/#/experiments/{experiment}/runs/{study}/artifacts")
    see(browser, "report.html", "best.yaml", "plots", picture="study")


def test_open_the_registered_model(browser, address: str) -> None:
    browser.get(f"{address}/#/models/svevae/versions/1")
    text = see(browser, "Version 1", "mean_r2", "svevae.data_md5", picture="model")
    assert "test_digest" in text
    browser.get(f"{address}/#/models/svevae")
    see(browser, "Version 1", "Version 2", picture="models")
