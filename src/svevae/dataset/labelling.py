"""Labels for many SVEs by the solver, on processes of this machine or a Dask cluster.

An SVE is known by the digest of its voxels; what is in the journal is never solved again. So
neither interruptions nor the number of workers change the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from svevae.dataset.cluster import Cluster, progress
from svevae.dataset.journal import Journal, digests_of
from svevae.dataset.label_settings import LabelSettings
from svevae.errors import ConfigError, SolverError, SvevaeError
from svevae.physics.homogenize import Settings, Solver
from svevae.physics.label import Labels, label, property_names
from svevae.words import counted


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
    voxels: np.ndarray,
    names: Sequence[str],
    settings: LabelSettings,
    laws: np.ndarray | None = None,
) -> tuple[dict[str, np.ndarray], list[SvevaeError]]:
    """Labels of a few SVEs on this machine, with NaN in the row of each that has none, and why:
    SolverError where it did not converge, ConfigError where a curve ends before the 0.2 % yield.

    `laws` (sve, 5) as `label_converged` has them. An SVE that fails is tried once more, in double
    precision, with increments of half the size and four times the iterations.
    """
    solver = _solver(voxels.shape[1:], settings.solver())
    together, _ = batch_memory(voxels.shape[1:], settings)
    rows: list[dict[str, np.ndarray]] = []
    errors: list[SvevaeError] = []
    for start in range(0, len(voxels), together):
        piece = slice(start, start + together)
        try:
            labelled = [_label(*_rows(piece, voxels, names, settings, laws), solver)]
        except SolverError:
            labelled = [
                _carefully(*_rows(slice(i, i + 1), voxels, names, settings, laws))
                for i in range(len(voxels))[piece]
            ]
        for row, failures in labelled:
            rows.append(row)
            errors += failures
    return {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}, errors


def _rows(
    rows: slice,
    voxels: np.ndarray,
    names: Sequence[str],
    settings: LabelSettings,
    laws: np.ndarray | None,
) -> tuple[np.ndarray, Sequence[str], LabelSettings, np.ndarray | None]:
    return voxels[rows], names[rows], settings, None if laws is None else laws[rows]


def _label(
    voxels: np.ndarray,
    names: Sequence[str],
    settings: LabelSettings,
    laws: np.ndarray | None,
    solver: Solver,
    halves: bool = False,
) -> tuple[dict[str, np.ndarray], list[SvevaeError]]:
    labels = label(voxels, settings.material, settings.tension, solver, names, halves, laws)
    return label_columns(labels), list(labels.late.values())


def _carefully(
    voxels: np.ndarray,
    names: Sequence[str],
    settings: LabelSettings,
    laws: np.ndarray | None,
) -> tuple[dict[str, np.ndarray], list[SvevaeError]]:
    """The row of one SVE, and no error; or a row with NaN, and the error."""
    given = settings.solver()
    more = replace(given, dtype="float64", newton=4 * given.newton, cg=4 * given.cg)
    solver = _solver(voxels.shape[1:], more)
    try:
        return _label(voxels, names, settings, laws, solver, halves=True)
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
        return label_columns(unknown), [error]


def batch_memory(shape: tuple[int, int, int], settings: LabelSettings) -> tuple[int, int]:
    """How many SVEs of `shape` this machine solves at once, and the bytes that takes.

    On a GPU as many as 80 % of its free memory holds; on a CPU one, which is faster than several.
    """
    solver = _solver(shape, settings.solver())
    each = solver.memory()
    if solver.by == "numba":
        return 1, each
    import jax

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
    """Labels of SVEs (sve, x, y, z), as datasets of the contract with one row each, as
    `label_converged` finds them.

    Raises SolverError that lists the SVEs without labels, after all others are in the journal;
    ConfigError where every curve of every SVE ends before the 0.2 % yield.
    """
    columns, index, errors = label_converged(voxels, names, settings, journal, cluster, batch)
    if errors:
        without_labels(errors, len(voxels), index)
        lost = f"{len(voxels) - len(index)} of {counted(len(voxels), 'SVE')}"
        head = f"{lost} could not be labelled, all others are kept:"
        raise SolverError("\n  ".join([head, *map(str, errors)]))
    return columns


def label_converged(
    voxels: np.ndarray,
    names: Sequence[str],
    settings: LabelSettings,
    journal: Journal,
    cluster: Cluster,
    batch: int,
    laws: np.ndarray | None = None,
) -> tuple[dict[str, np.ndarray], np.ndarray, list[SvevaeError]]:
    """Labels of those SVEs (sve, x, y, z) that have them, as datasets of the contract with one row
    each; their indices; and why others have none, by `names`, as `label_batch` says. `laws` (sve,
    5) are the SVEs' own, None where all are of the material of `settings`.

    A worker has one SVE in hand, or as many as its GPU solves at once; `batch` finished ones make a
    file of the journal. An interruption loses what is in hand, `kill -9` such a file too.
    """
    digests = digests_of(voxels, laws, settings)
    # equal SVEs are labelled once
    first = {digest: i for i, digest in reversed(list(enumerate(digests)))}
    missing = sorted(i for digest, i in first.items() if digest not in journal.rows)
    errors: list[SvevaeError] = []
    with progress(
        len(first), len(missing), "labels", "SVE", "starting the solver", cluster.workers
    ) as bar:
        together = 1
        if missing:
            probe = [(voxels.shape[1:], settings)]
            [(_, (together, memory))] = cluster.map(batch_memory, probe, bar.idle)
            bar.say(
                f"labels: each worker solves {counted(together, 'SVE')} at a time, in"
                f" {memory / 2**20:.1f} MiB"
            )
        if together > 1:
            # they run as long as the slowest of them, so like goes with like
            porosity = voxels.reshape(len(voxels), -1).mean(axis=1)
            missing.sort(key=lambda i: (i // (64 * together), porosity[i]))
            # of a few SVEs every worker has some
            together = max(1, min(together, -(-len(missing) // cluster.workers)))
        pieces = [missing[start : start + together] for start in range(0, len(missing), together)]
        work = (
            (
                voxels[piece].astype(np.uint8),
                [names[i] for i in piece],
                settings,
                None if laws is None else laws[piece],
            )
            for piece in pieces
        )
        with journal.gathered(batch) as keep:
            for k, (columns, failures) in cluster.map(label_batch, work, bar.idle):
                good = np.isfinite(columns["properties"]).all(axis=1)
                solved = [digests[i] for i, fine in zip(pieces[k], good, strict=True) if fine]
                keep(solved, {key: column[good] for key, column in columns.items()})
                if failures and not errors:
                    bar.say(f"labels: left out: {failures[0]}")
                errors += failures
                bar.update(len(pieces[k]))
    index = np.array([i for i, digest in enumerate(digests) if digest in journal.rows], int)
    rows = [journal.rows[digests[i]] for i in index]
    return {key: np.stack([row[key] for row in rows]) for key in (rows or [{}])[0]}, index, errors


def without_labels(errors: Sequence[SvevaeError], count: int, index: np.ndarray) -> str:
    """How many of `count` SVEs are left out because those of `index` alone have labels, and the
    first of `errors`; "" for none. Where all are left out, raises SolverError, or the ConfigError
    of the first if each is one: not the SVEs are to blame, but a parameter.
    """
    if not errors:
        return ""
    said = "\n  ".join(
        [*map(str, errors[:10]), *([f"and {len(errors) - 10} more"] if errors[10:] else [])]
    )
    lost = count - len(index)
    if not len(index):
        if all(isinstance(error, ConfigError) for error in errors):
            raise errors[0]
        raise SolverError(f"none of {counted(lost, 'SVE')} could be labelled:\n  {said}")
    are = "is" if lost == 1 else "are"
    return f"{counted(lost, 'SVE')} could not be labelled and {are} left out:\n  {said}"
