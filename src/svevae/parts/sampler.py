"""Sample parts that a process might have made: a latent field and a segmentation error, fitted to
its coupons.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from svevae.dataset.cut import cut
from svevae.model.latent import LatentModel
from svevae.parts.fields import PropertyField
from svevae.parts.ground import series
from svevae.parts.latent_field import LatentField
from svevae.parts.resegment import SegmentationShift, resegment


@dataclass(frozen=True)
class PartSampler:
    """A model, the latent field of a process in its latent space, and how latent codes move where
    the porosity is measured one standard deviation higher.
    """

    model: LatentModel
    field: LatentField
    shift: SegmentationShift

    @classmethod
    def fit(cls, model: LatentModel, coupons: np.ndarray, segmentation: float) -> PartSampler:
        """Fit to coupons (coupon, x, y, z), 1 where there is a pore, whose measured porosity has
        the relative standard deviation `segmentation`. Raises as `LatentField.fit`.
        """
        latent: list[np.ndarray] = []
        fewer: list[np.ndarray] = []
        more: list[np.ndarray] = []
        porosity, positions = [], []
        quiet = not sys.stderr.isatty()
        with tqdm(total=len(coupons), unit="coupon", desc="encode", disable=quiet) as bar:
            for coupon in coupons:
                cubes, position = cut(coupon, model.n)
                latent.append(model.encode(cubes)[0])
                for moved, factor in ((fewer, 1 - segmentation), (more, 1 + segmentation)):
                    moved.append(model.encode(cut(resegment(coupon, factor), model.n)[0])[0])
                porosity.append(cubes.mean(axis=(1, 2, 3)))
                positions.append(position)
                bar.update()
        part_id = np.repeat(np.arange(len(coupons)), [len(part) for part in porosity])
        codes, porosities = np.concatenate(latent), np.concatenate(porosity)
        return cls(
            model,
            LatentField.fit(codes, porosities, part_id, np.concatenate(positions)),
            SegmentationShift.fit(codes, porosities, np.concatenate(fewer), np.concatenate(more)),
        )

    def sample(
        self,
        k: int,
        shape: tuple[int, ...],
        *,
        seed: int,
        correlated: bool = True,
        segmented: bool = False,
    ) -> PropertyField:
        """Sample part `k` of `shape` SVEs with properties drawn from the predictor's uncertainty.

        With `segmented` its porosity is in error; the other random numbers are the same. Without
        `correlated` SVEs are independent.
        """
        random, error = (
            np.random.default_rng([series(f"propagate: {what}", seed), k])
            for what in ("fields", "segmentation")
        )
        x, y, z = shape
        latent, porosity = self.field.sample((x, y, z), random, correlated=correlated)
        deviations = error.standard_normal() if segmented else 0.0
        latent = self.shift.apply(latent, porosity, deviations)
        return PropertyField.predicted(self.model, latent, porosity).drawn(random)
