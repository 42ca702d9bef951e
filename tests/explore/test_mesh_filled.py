"""A mesh that is filled: its deck, the SVEs of its elements, what is refused."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from svevae.errors import DataError
from tests.explore.meshes import filled
from tests.use.test_field import VOLUME


def test_a_deck_without_a_step() -> None:
    content, said = filled().deck(None, "ZMIN", 1.0)
    assert "no step" in said
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert b"*STEP" not in archive.read("mesh-part.inp")


def test_faces_that_cannot_be_pulled() -> None:
    found = filled()
    with pytest.raises(DataError, match="LID: expected a set of nodes, a surface or one of XMIN"):
        found.deck("LID", "ZMIN", 1.0)
    for percent, received in ((None, "none"), (-1.0, "-1 %"), (200.0, "200 %")):
        with pytest.raises(DataError, match=f"^expected a strain above 0 %.* received {received}$"):
            found.deck("ZMAX", "ZMIN", percent)
    with pytest.raises(DataError, match="pull, hold: expected both or none"):
        found.deck("ZMAX", None, 1.0)


def test_the_sve_of_an_element() -> None:
    """Its voxels, where those that the mesh does not cover count as nothing."""
    title, latent, voxels = filled().sve(14)
    assert title == "SVE (0, 0, 1) of 3 x 2 x 3, round element 14 of mesh.inp"
    assert latent is None
    np.testing.assert_array_equal(voxels, VOLUME[:4, :4, 4:8])
    with pytest.raises(DataError, match=r"mesh.inp: expected an element of it, received 15"):
        filled().sve(15)
