"""Parts through the latent space: property fields, direct simulation, uncertainty, gradation.

A `PropertyField` gives each SVE of a part its material; `Coarse` pulls the part; a `LatentField`
is fitted to encoded parts and sampled for new ones; a `GradationStudy` looks for the least mass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from svevae.lazy import lazy

if TYPE_CHECKING:
    from svevae.parts.coarse import Coarse
    from svevae.parts.config import load_multiscale
    from svevae.parts.direct import Direct
    from svevae.parts.fields import Law, PropertyField
    from svevae.parts.gradation import GradationStudy, Outline, fit_trend
    from svevae.parts.ground import Ground, generate_bars
    from svevae.parts.latent_field import LatentField
    from svevae.parts.lightest import Gradation
    from svevae.parts.resegment import SegmentationShift
    from svevae.parts.sampler import PartSampler

__all__ = [
    "Coarse",
    "Direct",
    "Gradation",
    "GradationStudy",
    "Ground",
    "LatentField",
    "Law",
    "Outline",
    "PartSampler",
    "PropertyField",
    "SegmentationShift",
    "fit_trend",
    "generate_bars",
    "load_multiscale",
]

__getattr__ = lazy(
    __name__,
    {
        "Coarse": "coarse",
        "Direct": "direct",
        "Gradation": "lightest",
        "GradationStudy": "gradation",
        "Ground": "ground",
        "LatentField": "latent_field",
        "Law": "fields",
        "Outline": "gradation",
        "PartSampler": "sampler",
        "PropertyField": "fields",
        "SegmentationShift": "resegment",
        "fit_trend": "gradation",
        "generate_bars": "ground",
        "load_multiscale": "config",
    },
)
