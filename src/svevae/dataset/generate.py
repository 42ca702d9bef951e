"""`svevae generate`: seeded parts, cut into SVEs and labelled, into one file of the contract that
says how it was made.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from svevae import __version__
from svevae.config import Generate
from svevae.dataset.cluster import Cluster, open_cluster, progress
from svevae.dataset.importers import Samples
from svevae.dataset.labelling import Journal, LabelSettings, label_sves, read_material
from svevae.dataset.store import (
    check_target,
    counted,
    without_load_path,
    write_dataset,
    written_whole,
)
from svevae.errors import ConfigError
from svevae.physics.label import Tension, proof_strain, property_names
from svevae.physics.microstructure import make_part, parameter_names
from svevae.physics.volume import cut

JOURNAL = Path(".checkpoints/generate")
# of the last strain over that of the pore-free material's 0.2 % yield: a porous SVE yields a little
# later
MARGIN = 1.2


def generate(settings: Generate, scheduler: str | None = None, workers: int | None = None) -> str:
    """Make the file `settings.output`; returns what is in it, in words.

    Work that was finished is found again, in `.checkpoints/generate` or in the file itself: run it
    again after an interruption, or with more parts. The voxels follow from the settings alone;
    labels differ by no more than the solver's tolerance. Raises ConfigError for settings that make
    no sense, SolverError for SVEs that do not converge, and DataError where the file cannot be
    written.
    """
    label_settings = _label_settings(settings)
    provenance = _provenance(settings, label_settings)  # now: the code may be another by the end
    drawn = [draw_parameters(settings, part) for part in range(settings.parts)]
    output = Path(settings.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    check_target(output)
    with open_cluster(scheduler, workers) as cluster:
        parts = _make_parts(settings, drawn, cluster)
        cubes, positions = zip(
            *(cut(part, settings.sve, settings.stride) for part in parts), strict=True
        )
        part_id = np.repeat(np.arange(settings.parts), [len(cube) for cube in cubes])
        voxels, position = np.concatenate(cubes), np.concatenate(positions)
        names = [
            f"SVE {i} (part {part}, position {tuple(map(int, p))})"
            for i, (part, p) in enumerate(zip(part_id, position, strict=True))
        ]
        journal = Journal(JOURNAL, label_settings)
        journal.adopt(output)
        columns = label_sves(voxels, names, label_settings, journal, cluster, settings.batch)
    names, units = property_names(settings.tension)
    table = np.array([[k, *drawn[k].values(), parts[k].mean()] for k in range(settings.parts)])
    porosity = voxels.reshape(len(voxels), -1).mean(axis=1)
    arrays = columns | {
        "voxels": voxels,
        "part_id": part_id,
        "position": position,
        "porosity": porosity,
        "parts": table,
    }
    arrays["tension/strain"] = np.array(settings.strain)
    extra = {
        "parts": {"columns": ["part_id", *drawn[0], "porosity_realised"]},
        "stiffness": {"order": "Mandel xx,yy,zz,yz,xz,xy"},
    }
    write_dataset(output, arrays, names, units, provenance, extra)
    apart = (
        f"porosity {porosity.min():.3%} to {porosity.max():.3%}, largest residual"
        f" {columns['residual'].max():.1e}"
    )
    stuck = without_load_path(columns["load_path"])
    made = f"{counted(len(voxels), 'SVE')} of {counted(settings.parts, 'part')}"
    return f"{output}: {made}, {apart}" + (f"; {stuck}" if stuck else "")


def label_samples(
    settings: Generate, scheduler: str | None, workers: int | None, samples: Samples
) -> None:
    """Add to imported samples the labels that the solver finds, with the material, curves and
    tolerance of `settings`.
    """
    label_settings = _label_settings(settings)
    voxels = samples.arrays["voxels"]
    names = [f"SVE {i}" for i in range(len(voxels))]
    with open_cluster(scheduler, workers) as cluster:
        samples.arrays |= label_sves(
            voxels, names, label_settings, Journal(JOURNAL, label_settings), cluster, settings.batch
        )
    samples.arrays["tension/strain"] = np.array(settings.strain)
    samples.names, samples.units = property_names(settings.tension)
    samples.attributes |= _label_provenance(label_settings)
    stuck = without_load_path(samples.arrays["load_path"])
    found = f"properties by the solver: {', '.join(samples.names)}" + (
        f"\n  {stuck}" if stuck else ""
    )
    samples.report = samples.report.replace("no properties", found, 1)


def _label_settings(settings: Generate) -> LabelSettings:
    try:
        tension = Tension(settings.tension, settings.strain)
        made = LabelSettings(
            read_material(settings.material), tension, settings.dtype, settings.tolerance
        )
        made.solver()  # raises what is wrong with dtype and tolerance now, not in a worker
        yields = proof_strain(made.material)
        if not np.isfinite(yields):
            raise ConfigError(
                "material.s0: expected a finite number, received inf: the material never yields"
            )
        if settings.strain[-1] < MARGIN * yields:
            text = (
                f"to go on to {MARGIN * yields:.4g} or more, well beyond the 0.2 % yield of the"
                f" material at {yields:.4g}"
            )
            raise ConfigError(
                f"strain: expected {text}, received {settings.strain[-1]:g} as the last"
            )
        return made
    except ConfigError as error:
        raise ConfigError(f"params.yaml: generate.{error}") from error


def draw_parameters(settings: Generate, part: int) -> dict[str, float]:
    """The generator's parameters of one part; they depend on the seed and the part's number alone.
    Raises ConfigError.
    """
    try:
        return draw_values(settings.generator, settings.parameters, settings.seed, part)
    except ConfigError as error:
        raise ConfigError(f"params.yaml: generate.{error}") from error


def draw_values(
    generator: str, parameters: Mapping[str, Any], seed: int, part: int
) -> dict[str, float]:
    """A number for each parameter of a generator, drawn where `parameters` has a range, as in
    `svevae.config.Generate`.

    Raises ConfigError for an unknown generator, an unknown or a missing parameter.
    """
    known = parameter_names(generator)
    for name in parameters:
        if name not in known:
            raise ConfigError(f"parameters.{name}: unknown; {generator} has {', '.join(known)}")
    rng = np.random.default_rng([seed, part, 1])
    drawn = {}
    for name in known:
        if name not in parameters:
            raise ConfigError(f"parameters.{name}: missing; {generator} has {', '.join(known)}")
        share, value = rng.random(), parameters[name]
        if not isinstance(value, list):
            drawn[name] = float(value)
        elif len(value) == 3:
            drawn[name] = float(value[0] * (value[1] / value[0]) ** share)
        else:
            drawn[name] = float(value[0] + (value[1] - value[0]) * share)
    return drawn


def _make_parts(
    settings: Generate, drawn: list[dict[str, float]], cluster: Cluster
) -> list[np.ndarray]:
    """The parts (x, y, z); those made before are read from the journal."""
    shape = tuple((count - 1) * settings.stride + settings.sve for count in settings.part)
    folder = JOURNAL / "parts"
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [
        (settings.generator, shape, settings.seed, part, parameters)
        for part, parameters in enumerate(drawn)
    ]
    paths = [
        folder / f"{hashlib.sha256(repr(task).encode()).hexdigest()[:24]}.npy" for task in tasks
    ]
    parts: list[Any] = [_read_part(path, shape) for path in paths]
    missing = [k for k, part in enumerate(parts) if part is None]
    with progress(len(parts), len(missing), "parts", "part") as bar:
        for i, part in cluster.map(_make_part, (tasks[k] for k in missing), bar.refresh):
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
        raise ConfigError(f"params.yaml: generate.parameters: part {part}: {error}") from error


def _read_part(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    try:
        return np.unpackbits(np.load(path), count=int(np.prod(shape))).reshape(shape)
    except (OSError, ValueError, EOFError):
        return None


def _provenance(settings: Generate, label_settings: LabelSettings) -> dict[str, Any]:
    made = {key: value for key, value in asdict(settings).items() if key not in ("output", "batch")}
    return {
        "title": "Porous metal stochastic volume elements with apparent elastoplastic response",
        "voxel_size_um": settings.voxel_size,
        "stride": settings.stride,
        "axes": "(sve, x, y, z); z is the build direction",
        "phase": "0 solid, 1 pore",
        "generate": json.dumps(made),
    } | _label_provenance(label_settings)


def _label_provenance(settings: LabelSettings) -> dict[str, Any]:
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
        ["status", "--porcelain", "--", here],
    ]
    try:
        answers = [
            subprocess.run(
                ["git", *words], cwd=here, capture_output=True, text=True, check=True
            ).stdout
            for words in asked
        ]
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answers[1].strip() + ("+" if answers[2].strip() else "")
