"""What generators of parts ask of their parameters; each check raises ConfigError that names the
parameter, what was expected and what was received.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from svevae.errors import ConfigError
from svevae.words import counted

Shape = tuple[int, int, int]


def is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def check_part(shape: Shape, porosity: float) -> None:
    if np.shape(shape) != (3,) or any(not is_number(n, Integral) or n < 2 for n in shape):
        raise ConfigError(f"shape: expected three integers of at least 2, received {shape}")
    if not 0 <= porosity < 1:
        raise ConfigError(f"porosity: expected a number from 0 to below 1, received {porosity}")


def within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"{name}: expected a number from {low} to {high}, received {value}")


def check_length(name: str, value: float, shape: Shape, least: int = 1) -> None:
    """Raise ConfigError for a length outside `least` voxels to the smallest edge of `shape`."""
    if not least <= value <= min(shape):
        raise ConfigError(
            f"{name}: expected from {counted(least, 'voxel')} to the part's smallest edge,"
            f" {min(shape)} voxels, received {value:g}"
        )
