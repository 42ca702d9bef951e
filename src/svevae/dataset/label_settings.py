"""What a label depends on besides the voxels: read from a section `generate` or from a file,
checked, and written down with the labels.
"""

from __future__ import annotations

import hashlib
import json
import reprlib
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from svevae import __version__
from svevae.config import Generate
from svevae.dataset.store import SVEDataset, label_record
from svevae.errors import ConfigError
from svevae.physics.alloys import draw_printed
from svevae.physics.elasticity import PRESETS, Material
from svevae.physics.homogenize import RECIPE, Settings
from svevae.physics.label import READING, Tension, proof_strain

# The last strain over that of the pore-free material's 0.2 % yield, at least: a porous SVE yields a
# little later.
MARGIN = 1.2
PRINTED_NAME = "printed"  # of the alloys of `svevae.physics.alloys.PRINTED`, any


@dataclass(frozen=True)
class LabelSettings:
    """All that a label depends on besides the voxels."""

    material: Material
    tension: Tension
    dtype: str
    tolerance: float

    def solver(self) -> Settings:
        return Settings(dtype=self.dtype, tolerance=self.tolerance)

    def digest(self, reading: int = READING) -> str:
        """The name of these labels; of SVEs with laws of their own it is that of `material`."""
        recipe = (RECIPE,) if reading == 1 else (RECIPE, reading)
        return hashlib.sha256(
            repr((*recipe, asdict(self), asdict(self.solver()))).encode()
        ).hexdigest()[:16]


def read_material(value: Any) -> Material:
    """One material: a preset's name, or a mapping of E, nu, s0, Q, b. Raises ConfigError that names
    what is unknown or missing.
    """
    ranges = material_ranges(value)
    if ranges is None or any(low != high for low, high in ranges.values()):
        raise ConfigError(
            "material: expected one, or as the first of a list one, of which each constant is a"
            f" number, received {reprlib.repr(value)}"
        )
    return _material({name: low for name, (low, _) in ranges.items()})


def material_choices(value: Any) -> list[Any]:
    """What parts are made of: `value` itself, or each of a list of materials."""
    choices = value if isinstance(value, list) else [value]
    if not choices:
        raise ConfigError("material: expected a material or a list of them, received none")
    for choice in choices:
        material_ranges(choice)
    return choices


def draw_material(choice: Any, rng: np.random.Generator) -> Material:
    """A material from one of `material_choices`, random where it has ranges."""
    ranges = material_ranges(choice)
    if ranges is None:
        return _material(draw_printed(rng))
    return _material(
        {
            name: low if low == high else float(rng.uniform(low, high))
            for name, (low, high) in ranges.items()
        }
    )


def material_ranges(value: Any) -> dict[str, tuple[float, float]] | None:
    """Lowest and highest of each constant of a preset or a mapping of numbers and [low, high];
    None for PRINTED_NAME. Raises ConfigError.
    """
    if value == PRINTED_NAME:
        return None
    if isinstance(value, str):
        if value not in PRESETS:
            raise ConfigError(
                f"material: expected one of {', '.join([*PRESETS, PRINTED_NAME])} or a mapping,"
                f" received {value!r}"
            )
        return {name: (number, number) for name, number in asdict(PRESETS[value]).items()}
    names = list(Material.__dataclass_fields__)
    if not isinstance(value, dict) or sorted(value) != sorted(names):
        raise ConfigError(
            f"material: expected a preset or a mapping of {', '.join(names)}, received {value!r}"
        )
    ranges = {}
    for name in names:
        given = value[name]
        bounds = given if isinstance(given, list) else [given, given]
        if len(bounds) != 2 or any(
            not isinstance(number, int | float) or isinstance(number, bool) for number in bounds
        ):
            raise ConfigError(
                f"material.{name}: expected a number or [low, high], received {given!r}"
            )
        if isinstance(given, list) and not -np.inf < bounds[0] <= bounds[1] < np.inf:
            raise ConfigError(
                f"material.{name}: expected finite numbers, low <= high, received {given!r}"
            )
        ranges[name] = (float(bounds[0]), float(bounds[1]))
    for end in (0, 1):
        _material({name: bounds[end] for name, bounds in ranges.items()})
    return ranges


def _material(values: Mapping[str, float]) -> Material:
    if not values["E"] > 0:
        raise ConfigError(f"material.E: expected a number above 0, received {values['E']:g}")
    if values["s0"] == 0 == values["Q"] * values["b"]:
        raise ConfigError(
            "material.s0: expected a number above 0 where nothing hardens (Q or b is 0), received 0"
        )
    return Material(**values)


def read_settings(data: SVEDataset) -> LabelSettings | None:
    """How the labels of a file that `svevae generate` or `import --label` wrote were made; None for
    any other file.
    """
    return parse_settings(label_record(data))


def parse_settings(record: Any) -> LabelSettings | None:
    """Settings from what `svevae.dataset.store.label_record` gives; None where they are not all
    there, or make other labels today.
    """
    try:
        solver, tension = record["solver_settings"], record["tension"]
        curves = Tension(tuple(tension["axes"]), tuple(tension["strain"]))
        settings = LabelSettings(
            Material(**record["material"]), curves, solver["dtype"], solver["tolerance"]
        )
        # earlier readings have the same curves
        alike = [settings.digest(reading) for reading in range(1, READING + 1)]
        return settings if record["label_digest"] in alike else None
    except (KeyError, TypeError, ValueError, ConfigError):
        return None


def label_settings(section: Generate) -> LabelSettings:
    """Settings from a section `generate`: its material, curves, precision and tolerance. Of several
    materials the first is meant: it is what parts are made of unless they say otherwise.

    Raises ConfigError that begins with the name of the parameter.
    """
    settings = LabelSettings(
        read_material(material_choices(section.material)[0]),
        Tension(section.tension, section.strain),
        section.dtype,
        section.tolerance,
    )
    settings.solver()  # raises what is wrong with dtype and tolerance now, not in a worker
    check_reach(settings.material, section.strain[-1])
    return settings


def check_reach(material: Material, last: float) -> None:
    """Raise ConfigError where a curve to the strain `last` ends near the yield of `material` or
    before it.
    """
    yields = proof_strain(material)
    if not np.isfinite(yields):
        raise ConfigError(
            "material.s0: expected a finite number, received inf: the material never yields"
        )
    if last < MARGIN * yields:
        raise ConfigError(
            f"strain: expected to go on to {MARGIN * yields:.4g} or more, well beyond the 0.2 %"
            f" yield of the material at {yields:.4g}, received {last:g} as the last"
        )


def label_provenance(settings: LabelSettings) -> dict[str, Any]:
    """Attributes of a file that say how its labels were made; `read_settings` reads them."""
    material = {key: float(value) for key, value in asdict(settings.material).items()}
    return {
        "material": json.dumps(material),
        "solver": (
            "periodic FE-FFT, B-bar hexahedra, pores of zero stiffness, small strain, J2 with Voce"
            " hardening"
        ),
        "label_digest": settings.digest(),
        "solver_settings": json.dumps(asdict(settings.solver())),
        "properties": (
            "E, nu: apparent compliance; yield: 0.2 % offset, between increments the ratio to a"
            " curve with a round knee is linear; flow: stress at the last strain"
        ),
        "tension_settings": json.dumps(asdict(settings.tension)),
        "svevae": f"{__version__} {_commit()}".strip(),
    }


def _commit() -> str:
    """The git commit of this code, with + where files differ from it; nothing where git does not
    keep it.
    """
    here = Path(__file__).parent
    asked = [
        ["ls-files", "--error-unmatch", "--", __file__],
        ["rev-parse", "HEAD"],
        ["status", "--porcelain", "--", str(here)],
    ]
    try:
        answers = [
            subprocess.run(
                ["git", *words], cwd=here, capture_output=True, encoding="utf-8", check=True
            ).stdout
            for words in asked
        ]
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answers[1].strip() + ("+" if answers[2].strip() else "")
