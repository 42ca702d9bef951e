"""The load curve of a part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from svevae.meshes.calculix import Load
from svevae.pictures.mesh import plot_load


@pytest.mark.parametrize("last", [0.003, 0.02])
def test_a_load_curve(last: float, tmp_path: Path) -> None:
    """With a yield load, and of a part that has not yielded."""
    u = np.linspace(0.0005, last, 30)
    load = Load(u, np.minimum(1e5 * u, 200 + 500 * u), 1.0, "mm")
    assert (load.yield_load is None) == (last < 0.004)
    plot_load(tmp_path / "a.png", load)
    with PIL.Image.open(tmp_path / "a.png") as image:
        assert min(image.size) > 300
