"""MLflow's page, served by `svevae ui` in a project: what it answers, and whom."""

from __future__ import annotations

from pathlib import Path

import requests

from tests.conftest import PATIENCE, serving


def test_the_page_shows_the_store_of_the_project(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """The experiment of a new project, to this machine's names alone; no warning of MLflow's."""
    environment |= {"PYTHONWARNINGS": "error:starlette.middleware.wsgi is deprecated"}
    for name in ("MLproject", "dvc.yaml"):
        (tmp_path / name).touch()
    with serving(["svevae", "ui"], "/health", tmp_path, environment) as address:
        search = f"{address}/api/2.0/mlflow/experiments/search"
        answer = requests.post(search, json={"max_results": 10}, timeout=PATIENCE)
        assert "svevae" in [found["name"] for found in answer.json()["experiments"]]
        assert "<title>MLflow</title>" in requests.get(address, timeout=PATIENCE).text
        stranger = {"Host": "example.org"}
        answer = requests.get(address, headers=stranger, timeout=PATIENCE)
        assert (answer.status_code, answer.text[:6]) == (403, "Host: ")
