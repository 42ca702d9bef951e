"""Parts through the latent space, end to end on a tiny model of real SVEs, and what the stages say
of bad input.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml

from svevae.dataset.store import write_dataset
from tests.conftest import ROOT, Run, make_project
from tests.test_notebooks import execute

pytestmark = pytest.mark.slow
DATA = ROOT / "data" / "sve_porous_alsi10mg_32.h5"
PORES = {
    "porosity": [0.01, 0.05],
    "pore_length": 5.0,
    "elongation": 1.5,
    "modulation_length": 24,
    "modulation_strength": 0.5,
}
SMALL = {
    "parts": {"refine": 2, "strain": [0.001, 0.004, 0.009, 0.023], "dataset": "data/tiny.h5"},
    "compare": {"parts": 2, "part": [1, 1, 2], "parameters": PORES},
    "propagate": {
        "part": [1, 1, 2],
        "block": [2, 2, 2],
        "coupons": 16,
        "fields": 12,
        "direct": 2,
        "parameters": PORES,
    },
    "grade": {
        "part": [2, 1, 2],
        "radius": 0.5,
        "trials": 4,
        "fields": 1,
        "direct": 1,
        "strain": [0.001, 0.004, 0.009],
    },
}


@pytest.fixture(scope="module")
def parts_project(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    """A project on SVEs that svevae labelled, its pipeline and its multiscale pipeline run."""
    folder = tmp_path_factory.mktemp("parts")
    with h5py.File(DATA) as file:
        part_id = file["part_id"][:]
        index = np.flatnonzero(np.isin(part_id, np.unique(part_id)[::10]))
        keys = [
            key
            for key in (
                "voxels",
                "properties",
                "part_id",
                "porosity",
                "position",
                "stiffness",
                "residual",
                "load_path",
            )
            if key in file
        ]
        keys += [f"tension/{name}" for name in file["tension"] if name != "strain"]
        arrays = {key: file[key][:][index] for key in keys} | {
            "tension/strain": file["tension/strain"][:]
        }
        names, units = (tuple(file["properties"].attrs[key]) for key in ("names", "units"))
        write_dataset(folder / "tiny.h5", arrays, names, units, dict(file.attrs))
    project = make_project(folder / "project", folder / "tiny.h5", run)
    settings = yaml.safe_load((project / "multiscale" / "params.yaml").read_text())
    for section, values in SMALL.items():
        settings[section] |= values
    (project / "multiscale" / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    run("dvc", "repro", "--pull", cwd=project, timeout=600)
    run("dvc", "repro", "multiscale/dvc.yaml", cwd=project, timeout=900)
    return project


def scores(project: Path, stage: str) -> dict:
    return json.loads((project / "artifacts" / stage / "metrics.json").read_text())


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
    project = shutil.copytree(parts_project, tmp_path / "project", symlinks=True)
    file = project / "multiscale" / "params.yaml"
    settings = yaml.safe_load(file.read_text())
    settings["grade"]["load"] = 0.97
    file.write_text(yaml.safe_dump(settings, sort_keys=False))
    run("mlflow", "run", ".", "-e", "grade", cwd=project)
    code = """
import mlflow
from svevae import tracking
tracking.connect()
[run] = mlflow.search_runs(experiment_names=["svevae"], filter_string="tags.mlflow.project.entryPoint = 'grade'", output_format="list")
print(run.data.params["grade.load"], run.data.tags["svevae.model_version"], run.data.metrics["grade/mass_saved_percent"])
"""
    load, version, saved = run(sys.executable, "-c", code, cwd=project).stdout.split()
    assert (load, version) == ("0.97", "1")
    assert float(saved) == pytest.approx(scores(project, "grade")["mass_saved_percent"])


def test_bad_input_is_told_in_words(parts_project: Path, run: Run, tmp_path: Path) -> None:
    project = shutil.copytree(parts_project, tmp_path / "project", symlinks=True)
    file = project / "multiscale" / "params.yaml"
    good = file.read_text()

    def said(section: str, **changes: object) -> str:
        settings = yaml.safe_load(good)
        settings[section] |= changes
        file.write_text(yaml.safe_dump(settings, sort_keys=False))
        text = run(
            "svevae", "compare" if section == "parts" else section, cwd=project, code=2
        ).stderr
        assert "Traceback" not in text
        return text

    assert "parts.refine: expected at least 1, received 0" in said("parts", refine=0)
    assert "compare.nothing: unknown key" in said("compare", nothing=1)
    pores = PORES | {"modulation_length": 99}
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
