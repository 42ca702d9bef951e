"""The sections of multiscale/params.yaml: one frozen dataclass for each."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from svevae.config import Edges, Range
from svevae.errors import ConfigError
from svevae.sections import (
    FROM_LIST,
    Count,
    Finite,
    Fraction,
    Positive,
    Seed,
    Size,
    Text,
    check,
    load_sections,
    section,
)


def _is_growing(strain: tuple[float, ...]) -> bool:
    return len(strain) >= 2 and strain[0] > 0 and all(a < b for a, b in itertools.pairwise(strain))


Growing = Annotated[tuple[float, ...], FROM_LIST, check(_is_growing, "growing strains above 0")]
AtLeast2 = Annotated[int, Field(ge=2, le=1_000_000)]


@section
class MultiscaleShared:
    """What the multiscale stages share. `model` is a registry URI or a folder; the material, the
    strain of the flow stress and the porosity-only baseline come from `dataset`, labelled by
    svevae.

    A part is simulated with `refine` elements along each edge of an SVE, and directly with one for
    each voxel, to the elongations `strain` of the cell, whose first is elastic, with the solver's
    residual `tolerance`.
    """

    seed: Seed
    model: Text
    dataset: Text
    refine: Size
    strain: Growing
    tolerance: Fraction


@section
class Compare:
    """Direct simulation of `parts` tensile bars of `part` SVEs beside their latent simulation;
    pores as in `Generate`.
    """

    parts: Count
    part: Edges
    generator: Text
    parameters: dict[str, Range]


@section
class Propagate:
    """Uncertainty of the microstructure pushed through the latent space to the response of bars of
    `part` SVEs.

    The process, a `generator` with `parameters`, made blocks of `block` SVEs. The latent field is
    fitted to `coupons` of them and `fields` bars are sampled from it; `direct` bars cut from other
    blocks are simulated directly. `segmentation` is the standard deviation of the measured
    porosity, relative, common to all of a part.
    """

    part: Edges
    block: Edges
    generator: Text
    parameters: dict[str, Range]
    coupons: AtLeast2
    fields: AtLeast2
    direct: AtLeast2
    segmentation: Annotated[float, Field(ge=0, lt=1)]

    def __post_init__(self) -> None:
        if any(whole % edge for whole, edge in zip(self.block, self.part, strict=True)):
            raise ConfigError(
                f"propagate.part: expected one that divides the block {list(self.block)}, received"
                f" {list(self.part)}"
            )


@section
class Grade:
    """A notched bar or a plate with a hole, of `part` SVEs, whose porosity varies in space:
    `porosity` (lowest, highest).

    `radius` of the notches or the hole in SVE edges. The gradation of least mass whose yield load
    is `load` times that of the part at the lowest porosity is sought in `trials`, its load being
    the mean over `fields` sampled latent fields; it is then generated with pores of `pore_length`
    voxels, `elongation` times that along z, and simulated directly, `direct` times, to each
    elongation of `strain`: finer steps than of a smooth bar, since a notch or hole gathers strain.
    """

    shape: Literal["notched", "hole"]
    part: Edges
    radius: Finite
    porosity: Annotated[
        tuple[float, ...],
        FROM_LIST,
        check(
            lambda ends: len(ends) == 2 and 0 < ends[0] < ends[1] < 0.5,
            "two growing numbers between 0 and 0.5",
        ),
    ]
    load: Fraction
    trials: Count
    fields: Count
    direct: Count
    strain: Growing
    pore_length: Positive
    elongation: Positive

    def __post_init__(self) -> None:
        if not 0 < self.radius < min(self.part[0], self.part[2]) / 2:
            raise ConfigError(
                "grade.radius: expected above 0 and below half of x and z of grade.part, received"
                f" {self.radius}"
            )


@dataclass(frozen=True)
class Multiscale:
    """All of multiscale/params.yaml."""

    parts: MultiscaleShared
    compare: Compare
    propagate: Propagate
    grade: Grade


def load_multiscale(path: str | Path = "multiscale/params.yaml") -> Multiscale:
    """Read and check multiscale/params.yaml. Raises ConfigError that names the file and the key."""
    return load_sections(path, Multiscale)
