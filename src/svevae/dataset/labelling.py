"""Labels for many SVEs, kept in a journal that outlives `kill -9`.

An SVE is known by the digest of its voxels. What is in the journal is never solved again, whoever
asks and in whatever order; so neither interruptions nor the number of workers change the result.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from svevae import __version__
from svevae.dataset.cluster import Cluster, progress
from svevae.dataset.store import SLAB, SVEDataset, label_record
from svevae.errors import ConfigError, SolverError
from svevae.files import load_arrays, save_arrays
from svevae.physics.elasticity import PRESETS, Material
from svevae.physics.homogenize import RECIPE, Settings, Solver
from svevae.physics.label import Labels, Tension, label, proof_strain, property_names
from svevae.words import counted

# of the last strain over that of the pore-free material's 0.2 % yield: a porous SVE yields a little
# later
MARGIN = 1.2
JOURNAL = Path(".checkpoints/generate")
LABEL_KEYS = ("properties", "stiffness", "residual", "load_path")


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


def label_settings(
    material: Any, axes: tuple[str, ...], strain: tuple[float, ...], dtype: str, tolerance: float
) -> LabelSettings:
    """Settings as a section `generate` has them: `material` as `read_material` takes it, curves
    along `axes` to each of `strain`, the solver's `dtype` and `tolerance`.

    Raises ConfigError that begins with the name of the parameter.
    """
    settings = LabelSettings(read_material(material), Tension(axes, strain), dtype, tolerance)
    settings.solver()  # raises what is wrong with dtype and tolerance now, not in a worker
    yields = proof_strain(settings.material)
    if not np.isfinite(yields):
        raise ConfigError(
            "material.s0: expected a finite number, received inf: the material never yields"
        )
    if strain[-1] < MARGIN * yields:
        text = (
            f"to go on to {MARGIN * yields:.4g} or more, well beyond the 0.2 % yield of the"
            f" material at {yields:.4g}"
        )
        raise ConfigError(f"strain: expected {text}, received {strain[-1]:g} as the last")
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


def voxel_digest(sve: np.ndarray) -> str:
    """What an SVE (x, y, z) is known by, whatever its integer type."""
    packed = np.packbits(np.asarray(sve, bool)).tobytes()
    return hashlib.sha256(repr(np.shape(sve)).encode() + packed).hexdigest()[:24]


class Journal:
    """Finished labels in a folder, a file for each piece of work: rows by the digest of the
    voxels.
    """

    def __init__(self, folder: Path, settings: LabelSettings):
        self.folder = folder / settings.digest()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.rows: dict[str, dict[str, np.ndarray]] = {}
        for path in sorted(self.folder.glob("*.npz")):
            columns = load_arrays(path)
            if columns is None or "digest" not in columns:
                path.unlink()  # damaged: its SVEs are labelled again
            else:
                self.remember(columns.pop("digest"), columns)

    def adopt(self, path: Path) -> None:
        """Remember the labels of a finished file too, if they were made with the same settings."""
        if not path.is_file():
            return
        with suppress(OSError, RuntimeError, KeyError), h5py.File(path, "r") as file:
            if file.attrs.get("label_digest") == self.folder.name:
                keys = [
                    key
                    for key in (
                        *LABEL_KEYS,
                        *(f"tension/{name}" for name in file["tension"] if name != "strain"),
                    )
                    if key in file
                ]
                for start in range(0, len(file["voxels"]), SLAB):
                    slab = slice(start, start + SLAB)
                    self.remember(
                        map(voxel_digest, file["voxels"][slab]),
                        {key: file[key][slab] for key in keys},
                    )

    def remember(self, digests: Iterable[str], columns: dict[str, np.ndarray]) -> None:
        for i, digest in enumerate(digests):
            self.rows[str(digest)] = {key: column[i] for key, column in columns.items()}

    def add(self, digests: Sequence[str], columns: dict[str, np.ndarray]) -> None:
        """Remember and write, whole or not at all."""
        self.remember(digests, columns)
        save_arrays(self.folder / f"{digests[0]}.npz", columns | {"digest": np.array(digests)})


def label_columns(labels: Labels) -> dict[str, np.ndarray]:
    """The datasets of the contract, one row an SVE."""
    curves = {
        f"tension/stress_{axis}": curve.astype(np.float32) for axis, curve in labels.stress.items()
    }
    columns = {
        "properties": labels.properties.astype(np.float32),
        "stiffness": labels.stiffness.astype(np.float32),
    } | curves
    return columns | {
        "residual": labels.residual.astype(np.float32),
        "load_path": labels.load_path.astype(np.uint8),
    }


@lru_cache(maxsize=2)
def _solver(shape: tuple[int, int, int], settings: Settings) -> Solver:
    return Solver(shape, settings)


def label_batch(
    voxels: np.ndarray, names: Sequence[str], settings: LabelSettings
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Labels of a few SVEs on this machine, NaN where the solver failed, and its errors.

    An SVE that fails is tried once more, in double precision and with increments of half the size.
    """
    solver = _solver(voxels.shape[1:], settings.solver())
    together, _ = batch_memory(voxels.shape[1:], settings)
    rows: list[dict[str, np.ndarray]] = []
    errors: list[str] = []
    for start in range(0, len(voxels), together):
        piece = slice(start, start + together)
        try:
            rows.append(_label(voxels[piece], names[piece], settings, solver))
        except SolverError:
            for i in range(len(voxels))[piece]:
                row, error = _carefully(voxels[i : i + 1], names[i : i + 1], settings)
                rows.append(row)
                errors += error
    return {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}, errors


def _label(
    voxels: np.ndarray, names: Sequence[str], settings: LabelSettings, solver: Solver, **steps: bool
) -> dict[str, np.ndarray]:
    return label_columns(label(voxels, settings.material, settings.tension, solver, names, **steps))


def _carefully(
    voxels: np.ndarray, names: Sequence[str], settings: LabelSettings
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The row of one SVE, and no error; or a row of NaN, and the error."""
    solver = _solver(voxels.shape[1:], replace(settings.solver(), dtype="float64"))
    try:
        return _label(voxels, names, settings, solver, halves=True), []
    except SolverError as error:
        count, increments = (
            len(property_names(settings.tension.axes)[0]),
            len(settings.tension.strain),
        )
        curves = {axis: np.full((1, increments), np.nan) for axis in settings.tension.axes}
        unknown = Labels(
            (),
            (),
            np.full((1, count), np.nan),
            np.full((1, 6, 6), np.nan),
            curves,
            np.full(1, np.nan),
            np.zeros((1, 3)),
        )
        return label_columns(unknown), [str(error)]


def batch_memory(shape: tuple[int, int, int], settings: LabelSettings) -> tuple[int, int]:
    """How many SVEs of `shape` this machine solves at once, and the bytes that takes.

    On a GPU as many as 80 % of its free memory holds; on a CPU one, which is faster than several.
    """
    import jax

    each = _solver(shape, settings.solver()).memory()
    if jax.default_backend() == "cpu":
        return 1, each
    stats = jax.local_devices()[0].memory_stats() or {}
    together = max(
        1, int(0.8 * (stats.get("bytes_limit", 8 * 2**30) - stats.get("bytes_in_use", 0))) // each
    )
    return together, together * each


def label_sves(
    voxels: np.ndarray,
    names: Sequence[str],
    settings: LabelSettings,
    journal: Journal,
    cluster: Cluster,
    batch: int,
) -> dict[str, np.ndarray]:
    """Labels of SVEs (sve, x, y, z), as datasets of the contract with one row each; `names` are
    what errors call them.

    A worker has `batch` SVEs in hand, or as many as its GPU solves at once, if that is more; they
    are what an interruption loses.

    Raises SolverError that lists the SVEs that did not converge, after all others are in the
    journal.
    """
    digests = [voxel_digest(sve) for sve in voxels]
    first = {
        digest: i for i, digest in reversed(list(enumerate(digests)))
    }  # equal SVEs are labelled once
    missing = [i for digest, i in first.items() if digest not in journal.rows]
    porosity = voxels.reshape(len(voxels), -1).mean(axis=1)
    missing.sort(
        key=lambda i: (i // (64 * batch), porosity[i])
    )  # a batch runs as long as its slowest SVE, so like goes with like
    if missing:
        (_, (together, memory)), *_ = cluster.map(batch_memory, [(voxels.shape[1:], settings)])
        print(
            f"labels: each worker solves {counted(together, 'SVE')} at a time, in"
            f" {memory / 2**20:.1f} MiB",
            file=sys.stderr,
        )
        batch = max(batch, together)
    batch = max(
        1, min(batch, -(-len(missing) // cluster.workers))
    )  # of a few SVEs every worker has some
    pieces = [missing[start : start + batch] for start in range(0, len(missing), batch)]
    errors: list[str] = []
    work = (
        (voxels[piece].astype(np.uint8), [names[i] for i in piece], settings) for piece in pieces
    )
    with progress(len(first), len(missing), "labels", "SVE") as bar:
        for k, (columns, failed) in cluster.map(label_batch, work, bar.refresh):
            good = np.isfinite(columns["properties"]).all(axis=1)
            if good.any():
                kept = [digests[i] for i, fine in zip(pieces[k], good, strict=True) if fine]
                journal.add(kept, {key: column[good] for key, column in columns.items()})
            errors += failed
            bar.update(len(pieces[k]))
    if errors:
        failed = sum(digest not in journal.rows for digest in digests)
        raise SolverError(
            "\n  ".join(
                [f"{failed} of {len(voxels)} SVEs did not converge, all others are kept:", *errors]
            )
        )
    rows = [journal.rows[digest] for digest in digests]
    return {key: np.stack([row[key] for row in rows]) for key in rows[0]}


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
