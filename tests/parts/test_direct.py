"""Direct simulations are kept, found again, made again where damaged; processes and this one
agree.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from svevae.dataset.cluster import Work, open_cluster
from svevae.files import save_arrays
from svevae.parts import direct as module
from svevae.parts.direct import Direct
from svevae.physics.elasticity import PRESETS

OUTLINE = np.ones((4, 4, 8), bool)
PORES = (np.random.default_rng(0).random((2, 4, 4, 8)) < 0.05).astype(np.uint8)
SETTINGS = Direct(PRESETS["as-built-z"], (0.001, 0.004), 1e-3, 4)


def test_a_part_is_solved_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, seconds = SETTINGS.simulate(PORES[0], OUTLINE, "bar")
    assert first.plastic.shape == (1, 2, 1, 1, 2)
    assert seconds > 0
    with monkeypatch.context() as patch:
        patch.setattr(module, "pull", None)
        again, same = SETTINGS.simulate(PORES[0], OUTLINE, "bar")
    assert same == seconds
    np.testing.assert_array_equal(again.stress, first.stress)
    SETTINGS.path(PORES[0], OUTLINE).write_bytes(b"PK\x03\x04 no more")
    np.testing.assert_allclose(
        SETTINGS.simulate(PORES[0], OUTLINE, "bar")[0].stress, first.stress, rtol=1e-6
    )
    save_arrays(SETTINGS.path(PORES[0], OUTLINE), {"stress": first.stress})
    np.testing.assert_allclose(
        SETTINGS.simulate(PORES[0], OUTLINE, "bar")[0].stress, first.stress, rtol=1e-6
    )
    other = Direct(SETTINGS.material, SETTINGS.strain, 1e-4, 4)
    assert (
        len({settings.path(pores, OUTLINE) for settings in (SETTINGS, other) for pores in PORES})
        == 4
    )


@pytest.mark.slow
def test_many_parts_on_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open_cluster(Work(workers=2)) as cluster:
        found, seconds = SETTINGS.simulate_all(PORES, OUTLINE, cluster)
        monkeypatch.setattr(cluster, "map", lambda *_: iter(()))
        again, _ = SETTINGS.simulate_all(PORES, OUTLINE, cluster)
    np.testing.assert_array_equal(found.stress, again.stress)
    assert (seconds > 0).all()
    for k in range(2):
        np.testing.assert_allclose(
            found.stress[k], SETTINGS.simulate(PORES[k], OUTLINE, "bar")[0].stress[0], rtol=1e-5
        )
