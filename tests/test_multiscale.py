"""Parts through the latent space, end to end on a tiny model of real SVEs, and what the stages say
of bad input.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import h5py
import pandas as pd
import pytest

from svevae.cli import main
from tests.conftest import TINY_PORES, Run, change_yaml, copy_project, once
from tests.test_notebooks import execute

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def parts_project(finished: Path, tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    """`finished`, on SVEs that svevae labelled, after its multiscale pipeline has run too."""

    def make(folder: Path) -> None:
        folder.rmdir()
        copy_project(finished, folder)
        run("dvc", "repro", "multiscale/dvc.yaml", cwd=folder)

    return once(tmp_path_factory, "parts", make)


def scores(project: Path, stage: str) -> dict:
    return json.loads((project / "artifacts" / stage / "metrics.json").read_text(encoding="utf-8"))


def test_compare_scores_every_contender_against_direct_simulation(parts_project: Path) -> None:
    found = scores(parts_project, "compare")
    table = pd.read_csv(parts_project / "artifacts" / "compare" / "bars.csv")
    assert list(table.contender.unique()) == [
        "latent",
        "solver labels",
        "porosity only",
        "mean properties",
    ]
    assert found["bars"] == 2
    assert found["solver labels"]["yield_max"] < 5
    rows = table[table.contender == "latent"]
    assert found["latent"]["yield_mean"] == pytest.approx(rows["yield"].abs().mean(), rel=1e-4)
    assert found["faster"] > 1
    with h5py.File(parts_project / "artifacts" / "compare" / "bar0.vtkhdf") as file:
        assert file["VTKHDF/CellData/s0"].shape == (2, 1, 1)


def test_propagate_puts_quantiles_side_by_side(parts_project: Path) -> None:
    table = pd.read_csv(parts_project / "artifacts" / "propagate" / "quantiles.csv")
    assert set(table.source) >= {
        "direct",
        "latent",
        "latent, independent SVEs",
        "latent, segmentation",
    }
    assert (
        table.groupby(["quantity", "source"])["value"].apply(lambda v: v.is_monotonic_increasing)
    ).all()
    assert 0 <= scores(parts_project, "propagate")["yield_load"]["latent"]["p_value"] <= 1


def test_grade_finds_a_design_that_carries_the_load(parts_project: Path) -> None:
    found = scores(parts_project, "grade")
    for design in ("uniform", "graded"):
        assert found[design]["latent_load"] >= found[design]["target"] * (1 - 1e-9)
        assert found[design]["direct_load"] == pytest.approx(found[design]["target"], rel=0.2)
    assert found["graded"]["mean_porosity"] >= found["uniform"]["mean_porosity"] - 1e-9


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("04-part.ipynb", r"direct +yield [\d.]+ MPa"),
        (
            "05-uncertainty.ipynb",
            r"independent SVEs +yield [\d.]+ MPa, standard deviation [\d.]+ MPa, 12 bars",
        ),
        (
            "06-gradation.ipynb",
            r"graded +mean porosity [\d.]+%, yield [\d.]+ MPa, wanted [\d.]+ MPa",
        ),
    ],
)
def test_notebooks(parts_project: Path, environment: dict[str, str], name: str, says: str) -> None:
    assert re.search(says, execute(name, parts_project, environment))


def test_a_second_run_finds_everything_done(parts_project: Path, run: Run) -> None:
    said = run("dvc", "repro", "multiscale/dvc.yaml", cwd=parts_project).stdout
    assert said.count("didn't change, skipping") >= 3


def test_a_study_by_mlflow_run(parts_project: Path, run: Run, tmp_path: Path) -> None:
    """`mlflow run . -e grade` does what is out of date and its run has the scores and the
    champion's version.
    """
    project = copy_project(parts_project, tmp_path / "project")
    change_yaml(project / "multiscale" / "params.yaml", grade={"load": 0.97})
    run("mlflow", "run", ".", "-e", "grade", cwd=project)
    code = """
import mlflow
from svevae import tracking
tracking.connect()
[run] = mlflow.search_runs(
    experiment_names=["svevae"],
    filter_string="tags.mlflow.project.entryPoint = 'grade'",
    output_format="list",
)
found = run.data
print(found.params["grade.load"])
print(found.tags["svevae.model_version"], found.metrics["grade/mass_saved_percent"])
"""
    load, version, saved = run(sys.executable, "-c", code, cwd=project).stdout.split()
    assert (load, version) == ("0.97", "1")
    assert float(saved) == pytest.approx(scores(project, "grade")["mass_saved_percent"])


def test_bad_input_is_told_in_words(
    parts_project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
) -> None:
    project = copy_project(parts_project, tmp_path / "project")
    file = project / "multiscale" / "params.yaml"
    good = file.read_text(encoding="utf-8")
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def said(section: str, **changes: object) -> str:
        file.write_text(good, encoding="utf-8")
        change_yaml(file, **{section: changes})
        assert main(["compare" if section == "parts" else section]) == 2
        text = capfd.readouterr().err
        assert "Traceback" not in text
        return text

    assert "parts.refine: expected at least 1, received 0" in said("parts", refine=0)
    assert "compare.nothing: unknown key" in said("compare", nothing=1)
    pores = TINY_PORES | {"modulation_length": 99}
    assert (
        "multiscale/params.yaml: compare: part 0: modulation_length: expected from 1 voxel"
        in said("compare", parameters=pores)
    )
    assert "propagate.part: expected one that divides the block" in said(
        "propagate", part=[3, 1, 1]
    )
    assert "grade.shape: expected one of notched, hole, received 'star'" in said(
        "grade", shape="star"
    )
    assert "expected a model of svevae in the registry" in said(
        "parts", model="models:/nobody@champion"
    )
    assert "nothing to grade" in said("grade", load=0.2)
