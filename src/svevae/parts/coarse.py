"""Simulate parts from property fields: one material for each SVE in place of its pores."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from svevae.parts.direct import joined
from svevae.parts.fields import Law, PropertyField, material_of
from svevae.physics.part import PART_SETTINGS, Response, pull

BATCH = 25  # parts that the solver has at a time


@dataclass(frozen=True)
class Coarse:
    """How parts are simulated from their property fields: the law that makes properties a material,
    the elongations of the cell, the solver's tolerance, `refine` elements along an SVE's edge.

    The grip is as thick as an SVE, and plastic strain is measured on blocks as large as one, as in
    `svevae.parts.direct.Direct`.
    """

    law: Law
    strain: tuple[float, ...]
    tolerance: float
    refine: int

    def simulate(self, fields: list[PropertyField], outline: np.ndarray | None = None) -> Response:
        """Simulate tension of parts of one shape as one batch. Raises as
        `svevae.physics.part.pull`.

        `outline` (x, y, z) of elements is True where the part is; the default is where its SVEs are
        not air.
        """
        if outline is None:
            outline = np.any([field.solid for field in fields], axis=0)
            for axis in range(3):
                outline = outline.repeat(self.refine, axis)
        return pull(
            material_of(fields, self.law, self.refine),
            outline,
            self.strain,
            grip=self.refine,
            block=self.refine,
            settings=replace(PART_SETTINGS, tolerance=self.tolerance),
            names=[f"part {k}" for k in range(len(fields))],
        )

    def simulate_all(self, make: Callable[[int], PropertyField], count: int, name: str) -> Response:
        """Simulate the parts make(0) ... make(count - 1) of one shape, batch by batch; `name` is
        what the bar on the terminal says.
        """
        responses = []
        with tqdm(total=count, unit="part", desc=name, disable=not sys.stderr.isatty()) as bar:
            for first in range(0, count, BATCH):
                fields = [make(k) for k in range(first, min(first + BATCH, count))]
                responses.append(self.simulate(fields))
                bar.update(len(fields))
        return joined(responses)
