"""Loads of gradations on a mesh, of runs that are known: what they are means of, and which parts
end a search and which a trial.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import optuna
import pytest

from svevae.errors import SolverError
from svevae.meshes.runs import Run
from svevae.meshes.surface import triangles_of
from svevae.parts.lightest import Gradation
from svevae.use import mesh_loads as module
from svevae.use.mesh_loads import MeshLoads
from tests.meshes.bars import bar

MESH = bar("C3D8", (1, 1, 4), 0.5)
PARTS = SimpleNamespace(
    grid=SimpleNamespace(edge=0.5),
    process=SimpleNamespace(
        porosity=np.linspace(0, 0.2, 41), about_trend=SimpleNamespace(porosities=(0.0, 0.2))
    ),
    chosen=SimpleNamespace(sample=2, unit="mm", strain=0.02),
)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> MeshLoads:
    """Distances count from the lower end; seed 2 yields at 100 N less the mean porosity in percent,
    each seed after it 1 N later, and nothing above 15 % far from the end.
    """
    monkeypatch.setattr(module, "Pulled", lambda *_: None)
    found = MeshLoads(
        MESH, PARTS, "a", triangles_of(MESH, "BOTTOM"), None, 3, Path("kept"), lambda: None
    )

    def run(design: Gradation, seeds: range, drawn: bool = False) -> Iterator[tuple[int, Run]]:
        load = np.nan if design.far > 0.15 else 100 - 100 * found.mean_porosity(design)
        for seed in reversed(seeds):
            yield seed, Run(np.ones(1), np.ones(1), np.ones(1), 1.0, load + seed - 2)

    monkeypatch.setattr(found, "run", run)
    return found


def test_a_load_is_the_mean_over_seeds(loads: MeshLoads) -> None:
    assert loads.seeds == range(2, 5)
    assert loads.load(Gradation(0.1, 0.1, 1.0)) == pytest.approx(91)
    row = loads.table().iloc[0]
    assert row["mean porosity"] == pytest.approx(0.1)
    assert row["yield load [N]"] == pytest.approx(91)


def test_porosity_and_widths(loads: MeshLoads) -> None:
    """Elements at 0.25, 0.75 and so on from the end; widths are a quarter of an SVE to the farthest
    point; porosities are those of 90 % of the SVEs.
    """
    design = Gradation(0.05, 0.1, 0.7)
    at = np.array([0.25, 0.75, 1.25, 1.75])
    np.testing.assert_allclose(loads.porosity(design), design.porosity(at), rtol=1e-9)
    assert loads.mean_porosity(design) == pytest.approx(design.porosity(at).mean())
    assert loads.widths == pytest.approx((0.125, 1.75))
    assert (loads.low, loads.high) == pytest.approx((0.01, 0.19))


def test_what_does_not_yield(loads: MeshLoads) -> None:
    """Uniform, it ends the search; of a trial it is told, and others go on."""
    with pytest.raises(SolverError, match=r"^strain: expected one at which parts yield, .*seed"):
        loads.uniform(90.0)
    with pytest.raises(optuna.TrialPruned):
        loads.fill(lambda x: Gradation(0.01, x, 1.0), 90.0, least=0.02)
    assert "a trial was given up: strain: expected one" in loads.said[0]
    assert "at porosities of 1.000% near and 19.000% far: seed " in loads.said[0]
