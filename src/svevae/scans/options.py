"""What the user of `svevae import` says about how to read sources."""

from __future__ import annotations

from dataclasses import dataclass

from svevae.errors import DataError
from svevae.scans.volume import Box, Lengths

STRESS_UNITS = {"Pa": 1e-6, "kPa": 1e-3, "MPa": 1.0, "GPa": 1e3}
UNITS = ("um", "mm", "cm", "m")


@dataclass(frozen=True)
class ImportOptions:
    """How to read sources. None is the default named here. Hints in errors speak of the options of
    `svevae import`.

    size, stride: edge of the SVEs and distance between them in voxels (whole samples; `size`).
    crop: (start, stop) along x, y, z. threshold, pores: see
    `svevae.scans.segmentation.segmentation`. axes: what a file's axes mean
    (`volume.default_axes`). shape, dtype: of raw files. voxel_size: micrometres (from the file).
    table: a CSV file, or the array of properties in a source. dataset: the array of voxels in a
    source. properties: names of those to keep (all). labels: False leaves properties out. tangent:
    pattern of the FANS tangents to take. stress_unit: of FANS results.

    outside: a value that is neither pore nor solid (a constant around a convex field of view, see
    `svevae.scans.view.find_fill`). field_of_view: "cylinder" takes the circle inscribed in each
    slice across z. mask: a volume of the same shape, zero outside. resample: edge of the cubes in
    micrometres to which voxels are resampled, 0 for their shortest edge (no). skip: bytes before
    the voxels of a raw file. length_unit: of lengths in files that say none, see UNITS. box: the
    smallest and then the largest x, y, z of the voxels of surfaces, in that unit (the box around
    them).
    """

    size: int | None = None
    stride: int | None = None
    crop: Box | None = None
    threshold: float | None = None
    pores: str | float = "dark"
    axes: str | None = None
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    voxel_size: float | None = None
    table: str | None = None
    dataset: str | None = None
    properties: tuple[str, ...] | None = None
    labels: bool = True
    tangent: str = "*"
    stress_unit: str = "MPa"
    outside: float | None = None
    field_of_view: str | None = None
    mask: str | None = None
    resample: float | None = None
    skip: int = 0
    length_unit: str | None = None
    box: tuple[float, ...] | None = None

    @property
    def lengths(self) -> Lengths:
        """What a reader is to know of lengths."""
        box = None if self.box is None else tuple(self.box)
        return Lengths(self.length_unit, self.voxel_size, box)

    def __post_init__(self) -> None:
        for name in ("size", "stride"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise DataError(f"{name}: expected at least 1 voxel, received {value}")
        if self.voxel_size is not None and not self.voxel_size > 0:
            raise DataError(f"voxel_size: expected micrometres above 0, received {self.voxel_size}")
        if self.stress_unit not in STRESS_UNITS:
            raise DataError(
                f"stress_unit: expected one of {', '.join(STRESS_UNITS)}, received"
                f" {self.stress_unit!r}"
            )
        if self.field_of_view not in (None, "cylinder"):
            raise DataError(f"field_of_view: expected cylinder, received {self.field_of_view!r}")
        if self.resample is not None and not 0 <= self.resample < float("inf"):
            raise DataError(f"resample: expected micrometres above 0, received {self.resample}")
        if self.skip < 0:
            raise DataError(f"skip: expected 0 bytes or more, received {self.skip}")
        if self.length_unit not in (None, *UNITS):
            raise DataError(
                f"length_unit: expected one of {', '.join(UNITS)}, received {self.length_unit!r}"
            )
        if self.box is not None and not (
            len(self.box) == 6
            and all(
                0 < high - low < float("inf")
                for low, high in zip(self.box[:3], self.box[3:], strict=True)
            )
        ):
            raise DataError(
                "box: expected the smallest x, y, z and then the largest, received"
                f" {' '.join(f'{x:g}' for x in self.box)}"
            )
