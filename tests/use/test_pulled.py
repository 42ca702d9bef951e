"""What commands that pull sampled parts share: what they refuse, and where finished runs are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from svevae.dataset.cluster import Work
from svevae.errors import DataError
from svevae.meshes.reading import read_mesh
from svevae.meshes.runs import RUNNING
from svevae.scans.options import ImportOptions
from svevae.use.mesh_options import MeshOptions
from svevae.use.mesh_sample import Parts
from svevae.use.pulled import Pulled, check_before, claimed
from tests.meshes.test_runs import RUN
from tests.use.test_on_mesh import model
from tests.use.test_spread import options

__all__ = ["model"]  # a fixture

PULL = {"pull": "TOP", "hold": "BOTTOM", "strain": 0.02}
AFAR = Work(scheduler="tcp://host:8786")  # whose workers have ccx


@pytest.mark.parametrize(
    ("target", "step", "message"),
    [
        ("a.inp", PULL, "a.inp: expected a name that ends in .csv, received .inp"),
        ("a.csv", {}, "pull, hold: expected the faces of a step of tension"),
        ("none/a.csv", PULL, "none/a.csv: not written: expected a folder none"),
        ("mesh.csv", PULL, "mesh.csv: expected another file than the source"),
    ],
)
def test_what_is_refused(
    target: str, step: dict, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mesh = Path("mesh.csv")
    mesh.touch()
    with pytest.raises(DataError, match=message):
        check_before(Path("a.h5"), Path(target), [Path(target)], MeshOptions(mesh, **step), AFAR)
    check_before(Path("a.h5"), Path("a.csv"), [Path("a.csv")], MeshOptions(mesh, **PULL), AFAR)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """And what one that was killed has left is gone."""
    (tmp_path / f"{RUNNING}dead").mkdir()
    with claimed(tmp_path, "spread"):
        assert not list(tmp_path.glob(f"{RUNNING}*"))
        with (
            pytest.raises(DataError, match=r"no other command at .* found `svevae spread`"),
            claimed(tmp_path, "spread"),
        ):
            pass


def test_a_run_is_found_by_all_that_it_depends_on(model: SimpleNamespace) -> None:
    """Another seed, porosity, step or kind of element is another run; the same is the same."""
    chosen = options((1, 1, 4))
    mesh = read_mesh(chosen.mesh)

    def path(seed: int = 0, **change: object) -> Path:
        own = replace(chosen, **change)
        parts = Parts.of(Path("process.h5"), "any", ImportOptions(), own, mesh)
        return Pulled("a", mesh, parts, Path("kept")).path(seed)

    changes = ({}, {"porosity": "0.2"}, {"clamp": True}, {"strain": 0.03}, {"increments": 5})
    others = ({"drawn": False}, {"correlated": False}, {"tolerance": 0.01}, {"keep_types": True})
    found = {path(**change) for change in (*changes, *others)} | {path(seed=1)}
    assert len(found) == 10
    assert path() in found
    parts = Parts.of(Path("process.h5"), "any", ImportOptions(), chosen, mesh)
    pulled = Pulled("a", mesh, parts, Path("kept"))
    assert pulled.of(parts).path(0) == pulled.path(0)
    assert pulled.of(parts.with_porosity(0.2, mesh)).path(0) == path(porosity="0.2")


@pytest.mark.parametrize("change", ["RECIPE", "__version__", "tolerance", "keep_types"])
def test_another_rule_of_materials(
    change: str, model: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another rule made is not taken, and is told; nothing is where the rule is the same."""
    chosen, folder = options((1, 1, 4)), Path("kept")
    mesh = read_mesh(chosen.mesh)
    parts = Parts.of(Path("process.h5"), "any", ImportOptions(), chosen, mesh)
    Pulled("a", mesh, parts, folder).keep(1, RUN, 0.1, True)
    assert list(Pulled("a", mesh, parts, folder).finished(range(3))) == [1]
    assert Pulled("a", mesh, parts, folder).say_others(range(3)) == ""
    if change in ("tolerance", "keep_types"):
        other = {"tolerance": 0.01, "keep_types": True}[change]
        parts = replace(parts, chosen=replace(chosen, **{change: other}))
    else:
        monkeypatch.setattr(f"svevae.use.pulled.{change}", 0)
    pulled = Pulled("a", mesh, parts, folder)
    assert pulled.finished(range(3)) == {}
    assert pulled.say_others(range(3)).startswith("1 finished part in kept made by another rule")
    assert pulled.say_others([0, 2]) == ""
