"""What is learnt of curves: read off the labels, turned with the axes, the same for alike laws."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from svevae.dataset.curves import (
    CONSTANTS,
    laws_of_file,
    pore_free,
    read_curves,
    response_of,
    response_weights,
    turned_response,
    usual_law,
)
from svevae.dataset.store import LabelledDataset, open_dataset, write_dataset
from svevae.dataset.symmetry import TURNS, Turn
from svevae.model.reading import reading
from svevae.physics.alloys import strains_of
from svevae.physics.elasticity import Material
from svevae.physics.homogenize import Settings, Solver
from svevae.physics.label import label
from svevae.physics.voce import voce_curve
from tests.dataset.test_symmetry import TENSION, VOCE, boxes

STEEL = np.array([200e3, VOCE.nu, 500.0, 300.0, 20.0])


def labelled(path: Path, voxels: np.ndarray, laws: np.ndarray | None = None) -> LabelledDataset:
    """Labels of `voxels` as `svevae generate` keeps them."""
    found = label(voxels, VOCE, TENSION, Solver((8, 8, 8), Settings("float64")), laws=laws)
    strain = np.array(TENSION.strain)
    arrays = {
        "voxels": voxels,
        "properties": found.properties,
        "part_id": np.arange(len(voxels)),
        "stiffness": found.stiffness,
        "tension/strain": strain if laws is None else strains_of(laws, VOCE, strain),
    }
    arrays |= {f"tension/stress_{axis}": curve for axis, curve in found.stress.items()}
    arrays |= {} if laws is None else {"law": laws}
    record = {"material": asdict(VOCE), "solver_settings": {}}
    tension = {"axes": list(TENSION.axes), "strain": list(TENSION.strain)}
    attributes = {key: json.dumps(value) for key, value in record.items()}
    attributes |= {"tension_settings": json.dumps(tension), "label_digest": "0"}
    write_dataset(path, arrays, found.names, found.units, attributes)
    return open_dataset(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> LabelledDataset:
    return labelled(tmp_path_factory.mktemp("curves") / "a.h5", boxes())


def test_properties_of_the_labels_come_back(data: LabelledDataset) -> None:
    """All eleven: what is learnt says all that the labels say. So for a load path that is missing:
    zeros.
    """
    curves = read_curves(data)
    assert curves is not None
    response = response_of(data, curves, np.arange(2))
    assert response.shape == (2, CONSTANTS + 3 * 3)
    np.testing.assert_allclose(response[1, [2, -1, -2, -3]], 0, atol=1e-6)
    law = np.tile(np.float32(curves.law), (2, 1))
    found = reading(data.names, curves).predict([response, response, law], verbose=0)
    np.testing.assert_allclose(found["properties"], data.properties, rtol=2e-4, atol=1e-3)


@pytest.mark.parametrize("turn", TURNS)
def test_responses_turn_with_the_axes(data: LabelledDataset, tmp_path: Path, turn: Turn) -> None:
    turned = labelled(tmp_path / "b.h5", boxes().transpose(0, *(1 + axis for axis in turn)))
    curves = read_curves(data)
    assert curves is not None
    expected = response_of(turned, curves, np.arange(2))
    found = turned_response(response_of(data, curves, np.arange(2)), curves, turn)
    assert found is not None
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-3)


def test_alike_laws_have_alike_responses(data: LabelledDataset, tmp_path: Path) -> None:
    """Of nu, Q/s0 and b s0/E as the preset's, in other units: to the solver's tolerance."""
    alike = np.array([200e3, VOCE.nu, 500.0, VOCE.Q / VOCE.s0 * 500.0, 0.0])
    alike[4] = VOCE.b * (VOCE.s0 / VOCE.E) / (500.0 / 200e3)
    other = labelled(tmp_path / "c.h5", boxes(), np.tile(alike, (2, 1)))
    curves, theirs = read_curves(data), read_curves(other)
    assert curves is not None
    assert theirs is not None
    np.testing.assert_allclose(theirs.knots, curves.knots, rtol=1e-5)
    assert theirs.law == curves.law  # the file is labelled by it all the same
    found, expected = (response_of(file, curves, np.arange(2)) for file in (other, data))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_who_has_no_curves(data: LabelledDataset, tmp_path: Path) -> None:
    """A file that does not say its metal, other properties, or no stiffness."""
    arrays = {"voxels": boxes(), "properties": data.properties, "part_id": np.arange(2)}
    write_dataset(tmp_path / "d.h5", arrays, data.names, data.units, data.attributes)
    assert read_curves(open_dataset(tmp_path / "d.h5")) is None
    write_dataset(tmp_path / "e.h5", arrays, data.names, data.units, {})
    assert laws_of_file(open_dataset(tmp_path / "e.h5")) is None
    named = {"names": tuple(f"{name}_" for name in data.names)}
    assert read_curves(LabelledDataset(**(vars(data) | named))) is None


def test_curves_along_one_axis_do_not_turn_to_another(data: LabelledDataset) -> None:
    curves = read_curves(data)
    assert curves is not None
    along_z = type(curves)(**(vars(curves) | {"axes": ("z",)}))
    response = response_of(data, along_z, np.arange(2))
    assert turned_response(response, along_z, (1, 0, 2)) is not None
    assert turned_response(response, along_z, (2, 1, 0)) is None


def test_metals_without_pores_and_the_usual_law(data: LabelledDataset) -> None:
    laws = np.array([[*vars(Material(70e3, 0.3, 200.0, 300.0, 40.0)).values()][:5], STEEL])
    curves = read_curves(data)
    assert curves is not None
    strain = np.array([curves.knots[-1] * s0 / E for E, _, s0, *_ in laws])
    own = np.stack([laws[:, 0], np.ones(2)], axis=1)
    np.testing.assert_array_equal(pore_free(curves, ("E_x", "nu_zx"), laws), own)
    found = pore_free(curves, ("yield_z", "flow_z"), laws)
    E, _, s0, Q, b = laws.T
    np.testing.assert_allclose(found[:, 0], s0 + Q * (1 - np.exp(-0.002 * b)))
    np.testing.assert_allclose(found[:, 1], voce_curve(E, s0, Q, b, strain))
    unsaid = LabelledDataset(**(vars(data) | {"attributes": {}}))
    assert usual_law(unsaid, np.vstack([laws, laws[1:]])) == tuple(STEEL)
    assert usual_law(data, laws) == (VOCE.E, VOCE.nu, VOCE.s0, VOCE.Q, VOCE.b)


def test_ratios_of_what_is_nearly_severed_count_for_less() -> None:
    """By the weakest axis; all other numbers count alike, and so after a turn."""
    response = np.full((3, CONSTANTS + 2), 0.5, np.float32)
    response[1, 1], response[2, 2] = 0.04, 0.0
    expected = np.ones_like(response)
    expected[1, 6:9], expected[2, 6:9] = 0.4, 0.0
    np.testing.assert_allclose(response_weights(response), expected, rtol=1e-6)
