"""What a label depends on besides the voxels: read from a section `generate` or from a file,
checked, and written down with the labels.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from svevae import __version__
from svevae.config import Generate
from svevae.dataset.store import SVEDataset, label_record
from svevae.errors import ConfigError
from svevae.physics.elasticity import PRESETS, Material
from svevae.physics.homogenize import RECIPE, Settings
from svevae.physics.label import Tension, proof_strain

# The last strain over that of the pore-free material's 0.2 % yield, at least: a porous SVE yields a
# little later.
MARGIN = 1.2


@dataclass(frozen=True)
class LabelSettings:
    """All that a label depends on besides the voxels."""

    material: Material
    tension: Tension
    dtype: str
    tolerance: float

    def solver(self) -> Settings:
        return Settings(dtype=self.dtype, tolerance=self.tolerance)

    def digest(self) -> str:
        return hashlib.sha256(
            repr((RECIPE, asdict(self), asdict(self.solver()))).encode()
        ).hexdigest()[:16]


def read_material(value: Any) -> Material:
    """A preset's name, or a mapping of E, nu, s0, Q, b. Raises ConfigError that names what is
    unknown or missing.
    """
    if isinstance(value, str):
        if value not in PRESETS:
            raise ConfigError(
                f"material: expected one of {', '.join(PRESETS)} or a mapping, received {value!r}"
            )
        return PRESETS[value]
    names = list(Material.__dataclass_fields__)
    if not isinstance(value, dict) or sorted(value) != sorted(names):
        raise ConfigError(
            f"material: expected a preset or a mapping of {', '.join(names)}, received {value!r}"
        )
    for name, number in value.items():
        if not isinstance(number, int | float) or isinstance(number, bool):
            raise ConfigError(f"material.{name}: expected a number, received {number!r}")
    if not value["E"] > 0:
        raise ConfigError(f"material.E: expected a number above 0, received {value['E']}")
    if value["s0"] == 0 == value["Q"] * value["b"]:
        raise ConfigError(
            "material.s0: expected a number above 0 where nothing hardens (Q or b is 0), received 0"
        )
    return Material(**{name: float(number) for name, number in value.items()})


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
        return settings if settings.digest() == record["label_digest"] else None
    except (KeyError, TypeError, ValueError, ConfigError):
        return None


def label_settings(section: Generate) -> LabelSettings:
    """Settings from a section `generate`: its material, curves, precision and tolerance.

    Raises ConfigError that begins with the name of the parameter.
    """
    settings = LabelSettings(
        read_material(section.material),
        Tension(section.tension, section.strain),
        section.dtype,
        section.tolerance,
    )
    settings.solver()  # raises what is wrong with dtype and tolerance now, not in a worker
    yields = proof_strain(settings.material)
    if not np.isfinite(yields):
        raise ConfigError(
            "material.s0: expected a finite number, received inf: the material never yields"
        )
    last = section.strain[-1]
    if last < MARGIN * yields:
        raise ConfigError(
            f"strain: expected to go on to {MARGIN * yields:.4g} or more, well beyond the 0.2 %"
            f" yield of the material at {yields:.4g}, received {last:g} as the last"
        )
    return settings


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
            "E, nu: apparent compliance; yield: 0.2 % offset, linear between increments; flow:"
            " stress at the last strain"
        ),
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
