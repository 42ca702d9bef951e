"""`svevae generate`: seeded parts, cut into SVEs and labelled, into one file of the contract that
says how it was made.
"""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from svevae.config import Generate
from svevae.dataset.cluster import HERE, Cluster, Work, open_cluster, progress
from svevae.dataset.cut import cut
from svevae.dataset.journal import JOURNAL, Journal, alone_at
from svevae.dataset.label_settings import (
    LabelSettings,
    check_reach,
    draw_material,
    label_provenance,
    label_settings,
    material_choices,
)
from svevae.dataset.labelling import label_converged, without_labels
from svevae.dataset.store import UNLABELLED, without_load_path, write_dataset
from svevae.errors import ConfigError, blaming
from svevae.files import check_target, written_whole
from svevae.physics.alloys import LAW, LAW_UNITS, laws_of, strains_of
from svevae.physics.elasticity import Material
from svevae.physics.label import property_names
from svevae.physics.microstructure import make_part, random_parameters
from svevae.words import counted


class PlannedPart(NamedTuple):
    """A part to be made: number `number` of its `family`, whose parts `seed` tells from those of
    others.
    """

    family: str
    generator: str
    seed: int
    number: int
    parameters: dict[str, float]
    material: Material


def generate(settings: Generate, work: Work = HERE, origin: str = "params.yaml") -> str:
    """Make the file `settings.output`; returns what is in it, in words.

    `origin` names where the settings come from, for errors.

    Work that was finished is found again, in `.checkpoints/generate` or in the file itself: run it
    again after an interruption, or with more parts. The voxels follow from the settings alone;
    labels differ by no more than the solver's tolerance. SVEs for which the solver does not
    converge, or of which a curve ends before the 0.2 % yield, are left out; the attribute
    `unlabelled` says which and why. Raises ConfigError for settings that make no sense, as curves
    that all end too early, SolverError where no SVE converges, and DataError where the file cannot
    be written, or another process makes the same labels.
    """
    with blaming(f"{origin}: generate."):
        labels = label_settings(settings)
        plan = plan_parts(settings)
    provenance = _provenance(settings, labels)  # now: the code may be another by the end
    output = Path(settings.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    check_target(output)
    with (
        blaming(f"{origin}: generate."),
        alone_at(JOURNAL, labels, "generate"),
        open_cluster(work) as cluster,
    ):
        parts = _make_parts(settings, plan, cluster)
        cubes, positions = zip(
            *(cut(part, settings.sve, settings.stride) for part in parts), strict=True
        )
        part_id = np.repeat(np.arange(len(plan)), [len(cube) for cube in cubes])
        voxels, position = np.concatenate(cubes), np.concatenate(positions)
        called = [
            f"SVE {i} (part {part}, position {tuple(map(int, p))})"
            for i, (part, p) in enumerate(zip(part_id, position, strict=True))
        ]
        part_laws = np.concatenate([laws_of(part.material, 1) for part in plan])
        several = isinstance(settings.material, list) or len(np.unique(part_laws, axis=0)) > 1
        laws = part_laws[part_id] if several else None
        journal = Journal(JOURNAL, labels)
        journal.adopt(output)
        columns, index, errors = label_converged(
            voxels, called, labels, journal, cluster, settings.batch, laws
        )
        lost = without_labels(errors, len(voxels), index)
    if lost:
        provenance[UNLABELLED] = lost
        voxels, part_id, position = voxels[index], part_id[index], position[index]
    names, units = property_names(settings.tension)
    porosity = voxels.reshape(len(voxels), -1).mean(axis=1)
    arrays = columns | {
        "voxels": voxels,
        "part_id": part_id,
        "position": position,
        "porosity": porosity,
    }
    arrays["tension/strain"] = np.array(settings.strain)
    extra: dict[str, dict[str, Any]] = {"stiffness": {"order": "Mandel xx,yy,zz,yz,xz,xy"}}
    arrays["parts"], extra["parts"] = _part_table(plan, parts)
    if laws is not None:
        arrays["law"] = part_laws[part_id]
        extra["law"] = {"names": list(LAW), "units": list(LAW_UNITS)}
        arrays["tension/strain"] = strains_of(
            arrays["law"], labels.material, np.array(settings.strain)
        )
    families = list(settings.families)
    arrays["family"] = np.array([families.index(part.family) for part in plan])[part_id]
    extra["family"] = {"names": families}
    write_dataset(output, arrays, names, units, provenance, extra)
    apart = (
        f"porosity {porosity.min():.3%} to {porosity.max():.3%}, largest residual"
        f" {columns['residual'].max():.1e}"
    )
    stuck = without_load_path(columns["load_path"])
    made = f"{counted(len(voxels), 'SVE')} of {counted(len(plan), 'part')}"
    return f"{output}: {made}, {apart}" + "".join(f"; {one}" for one in (stuck, lost) if one)


def plan_parts(settings: Generate) -> list[PlannedPart]:
    """All parts of the settings, family after family. What a part is depends on the seed, its
    family's name and its number there alone. Raises ConfigError.
    """
    choices = material_choices(settings.material)
    reference = label_settings(settings).material
    plan = []
    for name, family in settings.kinds().items():
        seed = zlib.crc32(f"{settings.seed} {name}".encode())
        for number in range(family.parts):
            with blaming(f"families.{name}."):
                values = random_parameters(family.generator, family.parameters, seed, number)
            rng = np.random.default_rng([seed, number, 2])
            material = draw_material(choices[number % len(choices)], rng)
            if len(choices) > 1 or material != reference:
                _check_scaling(material, reference, settings.strain)
            plan.append(PlannedPart(name, family.generator, seed, number, values, material))
    return plan


def _check_scaling(material: Material, reference: Material, strain: tuple[float, ...]) -> None:
    """Raise ConfigError where the strains of `material` cannot be multiples of its s0/E, or end
    before its yield.
    """
    for one in (reference, material):
        if not 0 < one.s0 < np.inf:
            raise ConfigError(
                "material.s0: expected a finite number above 0 where there are several materials,"
                f" received {one.s0:g}"
            )
    scaled = strains_of(laws_of(material, 1), reference, np.array(strain))
    check_reach(material, float(scaled[0, -1]))


def _part_table(
    plan: list[PlannedPart], parts: list[np.ndarray]
) -> tuple[np.ndarray, dict[str, list[str]]]:
    """/parts and its attributes: a row for each part, NaN where its generator has no such
    parameter.
    """
    names = list(dict.fromkeys(name for part in plan for name in part.parameters))
    rows = [
        [k, *(part.parameters.get(name, np.nan) for name in names), voxels.mean()]
        for k, (part, voxels) in enumerate(zip(plan, parts, strict=True))
    ]
    return np.array(rows), {"columns": ["part_id", *names, "porosity_realised"]}


def _make_parts(settings: Generate, plan: list[PlannedPart], cluster: Cluster) -> list[np.ndarray]:
    """The parts (x, y, z); those made before are read from the journal."""
    shape = tuple((count - 1) * settings.stride + settings.sve for count in settings.part)
    folder = JOURNAL / "parts"
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [(part.generator, shape, part.seed, part.number, part.parameters) for part in plan]
    paths = [
        folder / f"{hashlib.sha256(repr(task).encode()).hexdigest()[:24]}.npy" for task in tasks
    ]
    parts: list[Any] = [_read_part(path, shape) for path in paths]
    missing = [k for k, part in enumerate(parts) if part is None]
    with progress(len(parts), len(missing), "parts", "part", workers=cluster.workers) as bar:
        for i, part in cluster.map(_make_part, (tasks[k] for k in missing), bar.idle):
            k = missing[i]
            content = io.BytesIO()
            np.save(content, np.packbits(part))
            with written_whole(paths[k]) as beside:
                beside.write_bytes(content.getvalue())
            parts[k] = part
            bar.update()
    return parts


def _make_part(
    generator: str, shape: tuple[int, int, int], seed: int, part: int, parameters: dict[str, float]
) -> np.ndarray:
    try:
        return make_part(generator, shape, seed, part, parameters)
    except ConfigError as error:
        raise ConfigError(f"parameters: part {part}: {error}") from error


def _read_part(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    try:
        return np.unpackbits(np.load(path), count=int(np.prod(shape))).reshape(shape)
    except (OSError, ValueError, EOFError):
        return None


def _provenance(settings: Generate, labels: LabelSettings) -> dict[str, Any]:
    made = {key: value for key, value in asdict(settings).items() if key not in ("output", "batch")}
    return {
        "title": "Porous metal stochastic volume elements with apparent elastoplastic response",
        "voxel_size_um": settings.voxel_size,
        "stride": settings.stride,
        "axes": "(sve, x, y, z); z is the build direction",
        "phase": "0 solid, 1 pore",
        "generate": json.dumps(made),
    } | label_provenance(labels)
