"""How sources are read: options that make no sense are refused by name."""

from __future__ import annotations

import pytest

from svevae.errors import DataError
from svevae.scans.options import ImportOptions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size: expected at least 1 voxel, received 0"),
        ({"stride": -1}, "stride: expected at least 1 voxel, received -1"),
        ({"voxel_size": 0.0}, "voxel_size: expected micrometres above 0, received 0.0"),
        ({"voxel_size": float("nan")}, "voxel_size: expected micrometres above 0, received nan"),
        ({"stress_unit": "psi"}, "stress_unit: expected one of Pa, kPa, MPa, GPa, received"),
        ({"field_of_view": "ball"}, "field_of_view: expected cylinder, received 'ball'"),
        ({"resample": float("inf")}, "resample: expected micrometres above 0, received inf"),
        ({"length_unit": "inch"}, "length_unit: expected one of um, mm, cm, m, received 'inch'"),
        ({"box": (0, 0, 5, 1, 1, 5)}, "box: expected the smallest x, y, z .* 0 0 5 1 1 5"),
        ({"box": (0, 0, 0, 1, 1, float("nan"))}, "box: expected the smallest x, y, z"),
        ({"box": (0, 0, 1, 1)}, "box: expected the smallest x, y, z"),
        ({"skip": -1}, "skip: expected 0 bytes or more, received -1"),
    ],
)
def test_options_that_make_no_sense(options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ImportOptions(**options)
