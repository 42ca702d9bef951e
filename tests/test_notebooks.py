"""Each notebook runs from the top on a project whose pipeline has run; a number in each is
checked.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest
import yaml
from nbclient import NotebookClient

from tests.conftest import PATIENCE

ROOT = Path(__file__).parents[1]


def execute(name: str, project: Path, environment: dict[str, str]) -> str:
    """All text that the notebook's cells print; the kernel has the user's environment, not what
    mlflow wrote into this process's.
    """
    notebook = nbformat.read(ROOT / "notebooks" / name, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=PATIENCE,
        kernel_name="python3",
        resources={"metadata": {"path": str(project / "notebooks")}},
    )
    client.execute(env=environment)
    return "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_dataset_notebook_gives_the_baseline_of_the_evaluation(
    finished: Path, environment: dict[str, str]
) -> None:
    scores = json.loads(
        (finished / "artifacts" / "evaluation" / "metrics.json").read_text(encoding="utf-8")
    )
    text = execute("01-dataset.ipynb", finished, environment)
    assert f"mean       R2 {scores['porosity_only_mean_r2']:.4f}" in text
    assert "porosity of the part 0.0400" in text
    modulus, strength = map(float, re.search(r"E_z (\d+) MPa, yield_z ([\d.]+) MPa", text).groups())
    assert 50_000 < modulus < 70_000
    assert 150 < strength < 240


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_search_notebook_gives_the_winner_of_best_yaml(
    finished: Path, environment: dict[str, str]
) -> None:
    best = yaml.safe_load(
        (finished / "artifacts" / "search" / "best.yaml").read_text(encoding="utf-8")
    )
    text = execute("02-search.ipynb", finished, environment)
    assert "study svevae: 2 complete" in text
    assert f"winner: trial {best['trial']}" in text
    assert best["reason"] in text
    assert re.search(rf"kl_weight +0\.5 -> {best['train']['kl_weight']}", text)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_latent_space_notebook_gives_the_errors_of_the_evaluation(
    finished: Path, environment: dict[str, str]
) -> None:
    scores = json.loads(
        (finished / "artifacts" / "evaluation" / "metrics.json").read_text(encoding="utf-8")
    )
    text = execute("03-latent-space.ipynb", finished, environment)
    assert f"  E_x        {scores['mae']['E_x']:.4g} MPa" in text
    assert "4 latent units" in text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_mesh_notebook_writes_a_deck_and_runs_it(
    finished: Path, environment: dict[str, str]
) -> None:
    text = execute("07-mesh.ipynb", finished, environment)
    assert "637 nodes, 432 elements" in text
    assert "part.inp: 432 elements (432 of C3D8I)" in text
    if shutil.which("ccx"):
        assert re.search(r"largest equivalent plastic strain [\d.]+% at node \d+", text)
        assert "loads.png: 4 parts at a strain of 0.01" in text


def test_notebooks_are_committed_without_outputs() -> None:
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            assert not cell.get("outputs"), f"{path.name}: clear the outputs before committing"
            assert cell.get("execution_count") is None
