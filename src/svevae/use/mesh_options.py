"""What the user of `svevae field --mesh` says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from svevae.errors import DataError

UNITS = {"um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}  # micrometres
# of fields that options do not call so
OPTIONS = {"unit": "mesh-unit", "tolerance": "stress-error", "correlated": "uncorrelated"}
WITHOUT = ("error", "nearest", "drop")  # what to do with elements round which there is no material


@dataclass(frozen=True)
class MeshOptions:
    """How a mesh takes properties. Hints in errors speak of the options of the command.

    `origin` is the corner of the scan's first voxel in the `unit` of the mesh, None: where its file
    says, or 0, 0, 0; about it the scan is turned by `rotation`, degrees about x, then y, then z of
    the mesh; `without` says what becomes of elements round which there is no material; stresses are
    within `tolerance`; `keep_types` leaves C3D8 as it is. `pull` and `hold` name faces, moved by
    `strain` of their distance or by `displacement` in the unit of the mesh, free to contract in
    their planes unless there is a `clamp`; `step` is a file with a step of the user's own.

    `sample` is the seed of a part that is sampled in place of a scan, `porosity` what it has, as
    `svevae.use.mesh_porosity.read_porosity` takes it; without `correlated` its SVEs are independent
    of each other, and `drawn` are properties that err as the predictor does.
    """

    mesh: Path
    origin: tuple[float, float, float] | None = None
    unit: str = "mm"
    without: str = "error"
    tolerance: float = 0.002
    keep_types: bool = False
    pull: str | None = None
    hold: str | None = None
    strain: float | None = None
    displacement: float | None = None
    increments: int = 50
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    step: Path | None = None
    sample: int | None = None
    porosity: str | None = None
    clamp: bool = False
    correlated: bool = True
    drawn: bool = False

    def __post_init__(self) -> None:
        if (self.pull is None) != (self.hold is None):
            given = (
                f"{self.hold} to hold and nothing to pull"
                if self.pull is None
                else f"{self.pull} to pull and nothing to hold"
            )
            raise DataError(f"pull, hold: expected both or none, received {given}")
        for name in ("strain", "displacement"):
            if self.pull is None and getattr(self, name) is not None:
                raise DataError(f"{name}: expected --pull and --hold with it, received none")
        if self.pull is not None and (self.strain is None) == (self.displacement is None):
            given = "none" if self.strain is None else "both"
            raise DataError(
                "strain, displacement: expected one of them with --pull and --hold, received"
                f" {given}"
            )
        if self.clamp and self.pull is None:
            raise DataError("clamp: expected --pull and --hold with it")
        if not 0 < self.tolerance < 1:
            raise DataError(
                f"tolerance: expected a fraction between 0 and 1, received {self.tolerance:g}"
            )
        if self.step is not None and self.pull is not None:
            raise DataError("step: expected none with --pull, whose step the deck has")
        if self.step is not None and not self.step.is_file():
            raise DataError(f"step {self.step}: expected a file with a step, received none")
        if self.porosity is not None and self.sample is None:
            raise DataError("porosity: expected --sample SEED with it")
        for name, wished in (("correlated", not self.correlated), ("drawn", self.drawn)):
            if wished and self.sample is None:
                raise DataError(f"{name}: expected --sample SEED with it")
        if self.sample is not None and self.sample < 0:
            raise DataError(f"sample: expected a seed from 0 on, received {self.sample}")
        if self.sample is not None and self.origin is not None:
            raise DataError(
                "origin: expected none with --sample, whose part fills the box round the mesh"
            )

    @staticmethod
    def option(field: str) -> str:
        """What a field is called on the command line."""
        return f"--{OPTIONS.get(field, field).replace('_', '-')}"

    @property
    def turned(self) -> np.ndarray:
        """(3, 3): the axes of the scan, as columns, in the coordinates of the mesh."""
        return np.asarray(Rotation.from_euler("xyz", self.rotation, degrees=True).as_matrix())
