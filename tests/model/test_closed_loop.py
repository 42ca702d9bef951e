"""The loop closed with the real solver on tiny SVEs; nothing where a file does not say how it was
labelled.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from svevae.config import load_params
from svevae.dataset.cluster import Work
from svevae.dataset.generate import generate
from svevae.dataset.store import SVEDataset, open_dataset
from svevae.model.closed_loop import close_loop

ROOT = Path(__file__).parents[2]


def test_a_file_of_another_code_closes_no_loop(tiny: SVEDataset) -> None:
    assert (
        close_loop(SimpleNamespace(names=tiny.names), tiny, np.zeros((2, 4)), tiny.voxels([0, 1]))
        is None
    )


@pytest.mark.slow
def test_the_solver_labels_what_was_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model whose first latent unit is the height of a slab of pores, and which knows E along and
    across such layers exactly.
    """
    monkeypatch.chdir(tmp_path)
    settings = load_params(ROOT / "params.yaml").generate
    settings = replace(
        settings,
        output="tiny.h5",
        material="as-built-z",
        part=(1, 1, 1),
        sve=8,
        stride=8,
        tension=("x", "z"),
        batch=2,
    )
    family = settings.families["correlated"]
    pores = family["parameters"] | {"pore_length": [2.0, 3.0], "modulation_length": 8}
    families = {"correlated": family | {"parameters": pores, "parts": 3}}
    settings = replace(settings, families=families)
    generate(settings, Work(workers=1))
    data = open_dataset("tiny.h5")

    def decode(latent: np.ndarray) -> np.ndarray:
        probability = np.zeros((len(latent), 8, 8, 8))
        for field, height in zip(
            probability, np.clip(np.rint(np.abs(latent[:, 0])), 1, 4).astype(int), strict=True
        ):
            field[:height, :, :] = 1  # layers across x, pores of their whole width along y and z
        return probability

    model = SimpleNamespace(
        names=data.names,
        predict_from_latent=lambda latent: np.repeat(
            1 - decode(latent).mean((1, 2, 3))[:, None], len(data.names), axis=1
        ),
    )
    latent = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])
    solved, predicted, whole = close_loop(model, data, latent, decode(latent).astype(np.uint8))
    assert not whole.any()  # across the layers nothing holds
    assert solved.shape == predicted.shape == (3, len(data.names))
    modulus = solved[:, data.names.index("E_z")]
    # layers side by side: the share of the matrix, exactly
    np.testing.assert_allclose(modulus, 70_000 * predicted[:, 0], rtol=2e-3)
    np.testing.assert_array_equal(solved[:, data.names.index("E_x")], 0)  # severed
