"""Grading on a mesh: a bar with a waist, of SVEs whose strength falls with their porosity, is
lighter where it is dense at the waist alone. A stand-in encodes the porosity.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from svevae.cli import main
from svevae.dataset.cluster import Work
from svevae.errors import ConfigError, DataError, SolverError, SvevaeError
from svevae.scans.options import ImportOptions
from svevae.use import lighten as module
from svevae.use.lighten import KEPT, Lightened, Wish, describe_lightened, lighten_file
from svevae.use.mesh_options import MeshOptions
from tests.meshes.bars import bar
from tests.meshes.test_calculix import needs_ccx
from tests.use.test_on_mesh import model, write_mesh
from tests.use.test_spread import Here, write_parts

__all__ = ["model"]  # a fixture

YIELD = "yield load [N]"
FEW = Wish("WAIST", (0.06, 0.3), 0.97, trials=2, samples=1, verify=2)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    found = Here()

    @contextmanager
    def opened(_: Work) -> Iterator[Here]:
        yield found

    monkeypatch.setattr(module, "open_cluster", opened)
    return found


def options() -> MeshOptions:
    """A bar of 1 x 1 x 6 SVEs, in the middle half as wide; WAIST are the nodes of the faces there.
    It is pulled by 2 %, which is enough to yield.
    """
    write_parts()
    mesh = bar("C3D8", (1, 1, 6), 0.04)
    height = mesh.points[:, 2]
    middle = np.isclose(height, 0.12)
    points = mesh.points.copy()
    points[middle, :2] = 0.02 + 0.5 * (points[middle, :2] - 0.02)
    sets = dict(mesh.node_sets)
    sets["WAIST"] = mesh.numbers[np.abs(height - 0.12) < 0.05]
    sets["RIM"] = mesh.numbers[middle]
    path = write_mesh(replace(mesh, points=points, node_sets=sets))
    step = {"pull": "TOP", "hold": "BOTTOM", "strain": 0.02, "increments": 4}
    return MeshOptions(path, sample=3, **step)


def lighten(chosen: MeshOptions, wish: Wish = FEW, work: Work | None = None) -> Lightened:
    return lighten_file(
        Path("process.h5"),
        Path("a.csv"),
        "any",
        ImportOptions(),
        chosen,
        wish,
        None,
        work or Work(1),
    )


@needs_ccx
def test_the_graded_part_is_lighter_and_carries_the_load(
    model: SimpleNamespace, here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    """Dense at the waist, as `svevae field` and `svevae run` have it, too: the command that is told
    makes the deck of the part whose load is in the table.
    """
    chosen = options()
    found = lighten(chosen)
    assert found.saved > 0.02
    uniform, graded = found.designs.values()
    assert uniform.near == uniform.far
    assert graded.near < uniform.near < graded.far
    loads = found.tried.set_index(["near", "far", "width [mm]"])[YIELD]
    for design in found.designs.values():
        load = loads[astuple(design)]
        assert found.target <= load <= found.target * 1.001, design
    dense = found.tried.iloc[0]
    assert dense["near"] == dense["far"] == 0.06
    assert found.target == pytest.approx(0.97 * dense[YIELD])
    assert list(found.verified) == ["uniform", "graded"]
    assert found.verified.index.tolist() == [4, 5]
    # a stand-in errs by 1 %, and parts of one porosity do not differ by their codes
    assert np.abs(found.verified / found.target - 1).max(axis=None) < 0.06
    found.write(Path("a.csv"))
    assert pd.read_csv("a.csv")[YIELD].tolist() == pytest.approx(found.tried[YIELD].tolist())
    said = describe_lightened(found, FEW)
    assert f"{found.saved:.2%} of the mass saved" in said
    command = said.splitlines()[-1].removeprefix("  next: ")
    assert main(shlex.split(command)[1:]) == 0
    assert f"mean porosity of the part {found.means['graded']:.3%}" in capsys.readouterr().out
    assert main(["run", "a-part.inp"]) == 0
    assert f"yield load {loads[astuple(graded)]:.5g} N" in capsys.readouterr().out


@needs_ccx
def test_an_interrupted_search_goes_on(model: SimpleNamespace, here: Here) -> None:
    """To the same end, and no part is run twice."""
    chosen = options()
    here.stop = 5
    with pytest.raises(KeyboardInterrupt):
        lighten(chosen)
    here.stop = 10**9
    found = lighten(chosen)
    done = here.done
    again = lighten(chosen)
    assert here.done == done
    pd.testing.assert_frame_equal(again.tried, found.tried)
    pd.testing.assert_frame_equal(again.verified, found.verified)
    for kept in KEPT.glob("*.npz"):
        kept.unlink()
    afresh = lighten(chosen)
    assert here.done == 2 * done
    pd.testing.assert_frame_equal(afresh.tried, found.tried)


@needs_ccx
def test_the_command(
    model: SimpleNamespace, here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    options()
    command = ["lighten", "process.h5", "--mesh", "mesh.inp", "-m", "any", "-o", "a.csv"]
    command += ["--pull", "TOP", "--hold", "BOTTOM", "--strain", "0.02", "--increments", "4"]
    command += ["--near", "WAIST", "--porosity", "0.06", "0.3", "--load", "0.9"]
    assert main([*command, "--trials", "1", "-n", "1", "--verify", "2", "--seed", "3"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("a.csv, a-porosity.csv, a.png: ")
    assert "near WAIST" in said
    assert Path("a.png").read_bytes()[:4] == b"\x89PNG"
    assert list(pd.read_csv("a-porosity.csv")) == ["element", "porosity"]
    assert list(pd.read_csv("a.csv"))[:3] == ["near", "far", "width [mm]"]


@needs_ccx
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"near": "LID"}, DataError, "^near LID: expected a set of nodes, a surface"),
        ({"near": "RIM"}, DataError, "^near RIM: expected nodes of whole faces of elements on"),
        ({"load": 0.5}, ConfigError, "^load: 0.5 is carried at the highest porosity 0.3 every"),
        ({"porosity": (0.06, 0.9)}, ConfigError, "^porosity: expected porosities of SVEs of"),
        ({"porosity": (0.3, 0.06)}, ConfigError, r"^porosity: .* received 0.3 and 0.06"),
    ],
)
def test_bad_wishes(
    change: dict, error: type[SvevaeError], message: str, model: SimpleNamespace, here: Here
) -> None:
    chosen = options()
    with pytest.raises(error, match=message):
        lighten(chosen, replace(FEW, **change))
    assert here.done == (2 if "load" in change else 0)


@needs_ccx
def test_parts_that_do_not_yield(model: SimpleNamespace, here: Here) -> None:
    chosen = replace(options(), strain=0.001)
    with pytest.raises(SolverError, match=r"^strain: expected one at which parts yield, .*0.2 %"):
        lighten(chosen)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"load": 1.5}, "load: expected a share above 0 and up to 1, received 1.5"),
        ({"load": 0.0}, "load: expected a share above 0"),
        ({"trials": 0}, "trials: expected at least 1, received 0"),
        ({"samples": 0}, "samples: expected at least 1, received 0"),
        ({"verify": 1}, "verify: expected at least 2, received 1"),
    ],
)
def test_wishes_that_cannot_be(change: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Wish(**change)


def test_without_ccx(model: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = options()
    monkeypatch.setenv("PATH", str(Path.cwd()))
    with pytest.raises(DataError, match=r"ccx: expected CalculiX on PATH, found none"):
        lighten(chosen)
    assert model.encoded == 0
