"""The figure of a mesh: colours of elements, cut open, in units that people read."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.explore.mesh_figure import EDGED, SHOWN, mesh_figure
from tests.explore import meshes
from tests.explore.test_figures import unpacked
from tests.meshes.bars import bar


def traces(figure: dict) -> dict[str, dict]:
    return {trace["type"]: trace for trace in figure["data"]}


@pytest.mark.parametrize("name", SHOWN)
def test_each_face_has_the_value_of_its_element(name: str) -> None:
    """At the place where the element is; numbers of elements for a click."""
    filled = meshes.filled()
    surface = traces(mesh_figure(filled, name)[0])["mesh3d"]
    points = np.stack([unpacked(surface[axis]) for axis in "xyz"], axis=1)
    cells = np.stack([unpacked(surface[corner]) for corner in "ijk"], axis=1)
    assert len(cells) == 2 * 24
    assert surface["intensitymode"] == "cell"
    middle = points[cells].mean(axis=1)
    own = np.floor(middle / 0.04 - 1e-6).clip(0, 1).astype(int) @ [4, 2, 1]
    np.testing.assert_array_equal(surface["customdata"], filled.mesh.elements[own])
    expected = filled.values[name][own] * SHOWN[name].factor
    np.testing.assert_allclose(unpacked(surface["intensity"]), expected, rtol=1e-6)
    assert surface["cmin"] <= expected.min() + 1e-3 * abs(expected.min())
    assert surface["colorbar"]["title"]["text"] == SHOWN[name].headed


def test_cut_open() -> None:
    """Elements whose centroid lies beyond are left out, and their neighbours' faces are seen."""
    figure, said = mesh_figure(meshes.filled(), "porosity", "z", 0.5)
    assert said == "z to 0.04 mm: 4 of 8 elements"
    surface = traces(figure)["mesh3d"]
    assert unpacked(surface["z"]).max() == pytest.approx(0.04)
    assert len(surface["customdata"]) == 2 * (4 + 4 + 8)
    low, high = figure["layout"]["scene"]["zaxis"]["range"]
    assert low < 0
    assert high > 0.08
    assert mesh_figure(meshes.filled(), "porosity", "z", 0.1)[0]["data"] == []
    assert mesh_figure(meshes.filled(), "porosity", "z", 1.0)[1].endswith("8 of 8 elements")


def test_edges_lie_before_their_faces() -> None:
    """Round each of 24 squares; a gap between two. None where there are too many."""
    line = traces(mesh_figure(meshes.filled(), "E")[0])["scatter3d"]
    x = unpacked(line["x"]).reshape(24, 6)
    assert np.isnan(x[:, 5]).all()
    assert not np.isnan(x[:, :5]).any()
    assert -1e-3 < np.nanmin(x) < 0
    assert 0.08 < np.nanmax(x) < 0.081
    many = meshes.filled(bar("C3D8", (50, 50, 45), 0.0016))
    assert EDGED < 6 * 2500
    assert list(traces(mesh_figure(many, "E")[0])) == ["mesh3d"]


def test_the_camera_stays_while_it_is_the_same_mesh() -> None:
    filled = meshes.filled()
    views = [mesh_figure(filled, "E", None, 1.0, one)[0]["layout"] for one in "aab"]
    assert views[0]["uirevision"] == views[1]["uirevision"] != views[2]["uirevision"]
    ratio = views[0]["scene"]["aspectratio"]
    assert ratio["x"] == pytest.approx(ratio["z"])
    assert views[0]["scene"]["xaxis"]["title"]["text"] == "x / mm"
