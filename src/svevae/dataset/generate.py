"""`svevae generate`: seeded parts, cut into SVEs and labelled, into one file of the contract that
says how it was made.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from svevae.config import Generate
from svevae.dataset.cluster import HERE, Cluster, Work, open_cluster, progress
from svevae.dataset.cut import cut
from svevae.dataset.journal import JOURNAL, Journal
from svevae.dataset.label_settings import LabelSettings, label_provenance, label_settings
from svevae.dataset.labelling import label_converged, without_labels
from svevae.dataset.store import UNLABELLED, without_load_path, write_dataset
from svevae.errors import ConfigError, blaming
from svevae.files import check_target, written_whole
from svevae.physics.label import property_names
from svevae.physics.microstructure import make_part, random_parameters
from svevae.words import counted


def generate(settings: Generate, work: Work = HERE, origin: str = "params.yaml") -> str:
    """Make the file `settings.output`; returns what is in it, in words.

    `origin` names where the settings come from, for errors.

    Work that was finished is found again, in `.checkpoints/generate` or in the file itself: run it
    again after an interruption, or with more parts. The voxels follow from the settings alone;
    labels differ by no more than the solver's tolerance. SVEs for which the solver does not
    converge, or of which a curve ends before the 0.2 % yield, are left out; the attribute
    `unlabelled` says which and why. Raises ConfigError for settings that make no sense, as curves
    that all end too early, SolverError where no SVE converges, and DataError where the file cannot
    be written.
    """
    with blaming(f"{origin}: generate."):
        labels = label_settings(settings)
        parameters = [part_parameters(settings, part) for part in range(settings.parts)]
    provenance = _provenance(settings, labels)  # now: the code may be another by the end
    output = Path(settings.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    check_target(output)
    with blaming(f"{origin}: generate."), open_cluster(work) as cluster:
        parts = _make_parts(settings, parameters, cluster)
        cubes, positions = zip(
            *(cut(part, settings.sve, settings.stride) for part in parts), strict=True
        )
        part_id = np.repeat(np.arange(settings.parts), [len(cube) for cube in cubes])
        voxels, position = np.concatenate(cubes), np.concatenate(positions)
        called = [
            f"SVE {i} (part {part}, position {tuple(map(int, p))})"
            for i, (part, p) in enumerate(zip(part_id, position, strict=True))
        ]
        journal = Journal(JOURNAL, labels)
        journal.adopt(output)
        columns, index, errors = label_converged(
            voxels, called, labels, journal, cluster, settings.batch
        )
        lost = without_labels(errors, len(voxels), index)
    if lost:
        provenance[UNLABELLED] = lost
        voxels, part_id, position = voxels[index], part_id[index], position[index]
    names, units = property_names(settings.tension)
    table = np.array([[k, *parameters[k].values(), parts[k].mean()] for k in range(settings.parts)])
    porosity = voxels.reshape(len(voxels), -1).mean(axis=1)
    arrays = columns | {
        "voxels": voxels,
        "part_id": part_id,
        "position": position,
        "porosity": porosity,
        "parts": table,
    }
    arrays["tension/strain"] = np.array(settings.strain)
    extra: dict[str, dict[str, Any]] = {
        "parts": {"columns": ["part_id", *parameters[0], "porosity_realised"]},
        "stiffness": {"order": "Mandel xx,yy,zz,yz,xz,xy"},
    }
    write_dataset(output, arrays, names, units, provenance, extra)
    apart = (
        f"porosity {porosity.min():.3%} to {porosity.max():.3%}, largest residual"
        f" {columns['residual'].max():.1e}"
    )
    stuck = without_load_path(columns["load_path"])
    made = f"{counted(len(voxels), 'SVE')} of {counted(settings.parts, 'part')}"
    return f"{output}: {made}, {apart}" + "".join(f"; {one}" for one in (stuck, lost) if one)


def part_parameters(settings: Generate, part: int) -> dict[str, float]:
    """Give the generator its parameters for one part; they depend on the seed and the part's number
    alone. Raises ConfigError.
    """
    return random_parameters(settings.generator, settings.parameters, settings.seed, part)


def _make_parts(
    settings: Generate, parameters: list[dict[str, float]], cluster: Cluster
) -> list[np.ndarray]:
    """The parts (x, y, z); those made before are read from the journal."""
    shape = tuple((count - 1) * settings.stride + settings.sve for count in settings.part)
    folder = JOURNAL / "parts"
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [
        (settings.generator, shape, settings.seed, part, values)
        for part, values in enumerate(parameters)
    ]
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
