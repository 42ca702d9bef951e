"""Generated bars, and what a labelled file says of its SVEs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from svevae.errors import ConfigError, DataError
from svevae.parts.fields import PropertyField
from svevae.parts.ground import Ground, generate_bars, series
from tests.conftest import ROOT

DATA = ROOT / "data" / "sve_porous_alsi10mg_32.h5"
PORES = {"porosity": [0.02, 0.05], "diameter": 4.0, "diameter_spread": 0.2}
BARS = {"study": "compare", "shape": (1, 1, 2), "n": 16, "seed": 0}


@pytest.fixture(scope="module")
def ground() -> Ground:
    return Ground.read(DATA)


def test_a_bar_depends_on_study_seed_and_number_alone() -> None:
    bars = generate_bars("spheres", PORES, count=3, **BARS)
    assert (bars.shape, bars.dtype) == ((3, 16, 16, 32), np.uint8)
    [last] = generate_bars("spheres", PORES, count=1, first=2, **BARS)
    np.testing.assert_array_equal(last, bars[2])
    assert not np.array_equal(bars[0], bars[1])
    [other] = generate_bars("spheres", PORES, count=1, **BARS | {"study": "propagate"})
    assert not np.array_equal(other, bars[0])


def test_seeds_of_purposes_differ() -> None:
    assert len({series(purpose, seed) for purpose in ("a", "b") for seed in (0, 1)}) == 4
    assert series("a", 0) == series("a", 0)


def test_a_parameter_that_no_generator_has_is_named_with_its_part() -> None:
    with pytest.raises(ConfigError, match=r"^part 5: parameters\.colour: unknown; spheres has"):
        generate_bars("spheres", PORES | {"colour": 1}, count=1, first=5, **BARS)


def test_ground_says_how_its_labels_came_about(ground: Ground) -> None:
    assert ground.labels.tension.axes == ("z",)
    assert ground.law.flow_strain == ground.labels.tension.strain[-1]
    assert (ground.law.b, ground.law.nu) == (ground.material.b, ground.material.nu)


def test_a_model_of_other_sves_is_refused(ground: Ground) -> None:
    data = ground.data
    model = SimpleNamespace(n=data.n, voxel_size=data.voxel_size, names=data.names)
    ground.check(model)
    with pytest.raises(DataError, match=r"n: expected 16 as the model was trained on, received 32"):
        ground.check(SimpleNamespace(**vars(model) | {"n": 16}))


def test_porosity_only_follows_the_dataset(ground: Ground) -> None:
    """A field at the mean porosity has about the mean properties; more pores are less stiff."""
    porosity = np.array([ground.data.porosity().mean(), 0.08]).reshape(2, 1, 1)
    values = np.zeros((2, 1, 1, len(ground.data.names)))
    field = PropertyField.known(ground.data.names, ground.data.units, values, porosity, 320.0)
    stiffness = ground.porosity_only(field).column("E_z").ravel()
    mean = ground.data.properties[:, ground.data.names.index("E_z")].mean()
    assert stiffness[0] == pytest.approx(mean, rel=0.02)
    assert stiffness[1] < stiffness[0]


def test_porosity_only_has_curves(ground: Ground) -> None:
    """At the mean porosity about the mean curve; the last strain's stress is the flow stress."""
    porosity = np.full((1, 1, 1), ground.data.porosity().mean())
    values = np.zeros((1, 1, 1, len(ground.data.names)))
    field = PropertyField.known(ground.data.names, ground.data.units, values, porosity, 320.0)
    found = ground.porosity_only(field)
    curve = [float(one.squeeze()) for one in found.tension(ground.law.strain).values()]
    assert curve[-1] == pytest.approx(float(found.column("flow_z").squeeze()), rel=1e-3)
    with h5py.File(DATA) as file:
        np.testing.assert_allclose(curve, file["tension/stress_z"][:].mean(axis=0), rtol=0.02)


def test_a_file_that_does_not_say_how_it_was_labelled(tiny_file: Path) -> None:
    with pytest.raises(DataError, match="expected a file that `svevae generate` or `svevae import"):
        Ground.read(tiny_file)
