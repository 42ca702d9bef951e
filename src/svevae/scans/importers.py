"""Other people's data as a file of the contract: `svevae import`. What a source may be stands in
`svevae.scans.layouts`.

Properties belong to whole samples, so these are not cut or cropped. Samples of one source share one
threshold, sought in all of them before they are cropped: the air around a part is what shows how
dark a pore is.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from svevae import __version__
from svevae.config import Generate
from svevae.dataset.cluster import Work, open_cluster
from svevae.dataset.cut import dropped
from svevae.dataset.journal import JOURNAL, Journal, alone_at
from svevae.dataset.label_settings import label_provenance, label_settings
from svevae.dataset.labelling import label_converged, without_labels
from svevae.dataset.store import UNLABELLED, without_load_path, write_dataset
from svevae.errors import DataError, blaming
from svevae.files import check_target, release
from svevae.physics.label import property_names
from svevae.scans.cutting import Cubes, cut_view, gathered
from svevae.scans.options import ImportOptions
from svevae.scans.segmentation import Segmentation
from svevae.scans.sources import EDGE, SampleLabels, Source
from svevae.scans.volumes import Volumes, source_digest, sources_of
from svevae.words import counted, some

CACHE = Path(".checkpoints/import")
RELEASED = 256  # SVEs looked at before their pages are given back


@dataclass
class Samples:
    """What `write_dataset` takes, and a report for people. Labels may be added to `arrays`, `names`
    and `units` before writing.
    """

    arrays: dict[str, np.ndarray]
    names: tuple[str, ...]
    units: tuple[str, ...]
    attributes: dict[str, Any]
    report: str
    kept: Path | None = None  # the folder of arrays on disk, if some are


def import_dataset(
    sources: Sequence[str | Path],
    output: str | Path,
    options: ImportOptions,
    label: Callable[[Samples], None] | None = None,
) -> str:
    """Write `sources` to `output`, a file of the contract, whole or not at all; a report for
    people.

    `label` may add properties to samples that have none. Raises DataError, and what `label` raises.
    """
    if Path(output).suffix != ".h5":
        raise DataError(
            f"{output}: expected the name of a .h5 file to write, received"
            f" {Path(output).suffix or 'no suffix'}"
        )
    check_target(Path(output), map(Path, sources))
    samples = read_samples(sources, options, CACHE)
    if label is not None:
        if samples.names:
            raise DataError(
                f"the samples have properties, {', '.join(samples.names)}: --no-labels leaves them"
                " out, for the solver to find"
            )
        label(samples)
    write_dataset(output, samples.arrays, samples.names, samples.units, samples.attributes)
    if samples.kept is not None:
        shutil.rmtree(samples.kept, ignore_errors=True)
    return f"{output}: {samples.report}"


def read_samples(
    sources: Sequence[str | Path], options: ImportOptions, cache: Path | None = None
) -> Samples:
    """All SVEs of `sources`, binary, with part, porosity and labels, and with their position where
    each part is one volume. Those that touch the outside of the field of view are left out.

    Large volumes are kept in a folder of `cache`, so that memory is a few layers of SVEs and an
    interrupted import goes on; without it all SVEs are in memory.

    Positions count in steps of the attribute `stride`, in voxels, which then stands there whether
    the options have one or not. Raises DataError that names the source, and the sample, row or
    column, of what cannot be read or does not fit together.
    """
    described = sources_of([Path(source) for source in sources], options)
    labels = _joined(described)
    kept = None if cache is None else cache / source_digest(described, options)
    cubes: list[Cubes] = []
    parts: list[tuple[int, int | str]] = []  # of each SVE: its source, and its part there
    read: list[Volumes] = []
    rules: list[Segmentation] = []
    report: list[str] = []
    pieces: dict[tuple[int, int | str], str] = {}
    for number, source in enumerate(described):
        volumes, lost = Volumes(source, options), []
        read.append(volumes)
        first = len(cubes)
        with volumes.named():
            rules.append(volumes.segment(None if kept is None else kept / str(number)))
            for i, (sample, view) in enumerate(zip(source.samples, volumes, strict=True)):
                size = _size(view.shape, options, labels, cubes)
                place = None if kept is None else kept / f"{number}-{i}"
                found = cut_view(view, rules[-1], size, options.stride, place)
                if labels is not None and not found.kept.all():
                    raise DataError(
                        "properties belong to a whole sample, received one with voxels outside the"
                        " field of view; --no-labels lets it be left out"
                    )
                cubes.append(found)
                part = (number, i if sample.part is None else sample.part)
                parts += [part] * int(found.kept.sum())
                pieces[part] = sample.name if sample.part is None else str(sample.part)
                lost.append(dropped(view.shape, size, options.stride))
        left_out = sum(int((~one.kept).sum()) for one in cubes[first:])
        report += [
            f"{source.name}:",
            *(f"  {line}" for line in volumes.remarks(rules[-1], float(np.mean(lost)), left_out)),
        ]
    if not parts:
        raise DataError(
            f"{', '.join(some([source.name]) for source in described[:3])}: expected SVEs that lie"
            " inside the field of view, received"
            f" {counted(sum(len(one.voxels) for one in cubes), 'SVE')} that touch the outside;"
            " smaller --size, --crop, or another --outside"
        )
    pieces = {part: name for part, name in pieces.items() if part in set(parts)}
    voxels = gathered(cubes, None if kept is None else kept / "joined")
    numbered = len(described) == 1 and all(isinstance(part, int) for _, part in pieces)
    numbers = {part: part[1] if numbered else i for i, part in enumerate(pieces)}
    porosity = np.concatenate([one.porosity[one.kept] for one in cubes])
    arrays = {
        "voxels": voxels,
        "part_id": np.array([numbers[part] for part in parts]),
        "porosity": porosity.astype(np.float32),
    }
    if labels is not None:
        arrays |= {"properties": labels.values} | (
            {} if labels.stiffness is None else {"stiffness": labels.stiffness}
        )
    elif all(sample.part is None for source in described for sample in source.samples):
        arrays["position"] = np.concatenate([one.position[one.kept] for one in cubes])
    attributes = _provenance(read, rules, options) | {
        "parts": some([f"{numbers[part]}: {name}" for part, name in pieces.items()])
    }
    if "position" in arrays:
        attributes.setdefault("stride", voxels.shape[1])
    edge = f"voxel size {attributes[EDGE]:g} um" if EDGE in attributes else "voxel size unknown"
    shape = " x ".join(map(str, voxels.shape[1:]))
    head = [
        f"{counted(len(voxels), 'SVE')} of {shape} voxels from {counted(len(numbers), 'part')},"
        f" {edge}"
    ]
    head += [
        f"porosity of the SVEs {porosity.min():.3%} to {porosity.max():.3%}, mean"
        f" {porosity.mean():.3%}"
    ]
    head += [f"properties {', '.join(labels.names)}" if labels else "no properties"]
    if hollow := int((porosity > 0.5).sum()):
        head += [
            f"SVEs that are mostly pore: {hollow}; leave out the air around a part with --crop,"
            " --field-of-view or --mask, or name the pores with --pores"
        ]
        if beside := sum(map(_beside, cubes)):
            head += [
                f"SVEs beside these, which may have a share of the air: {beside};"
                " --field-of-view cylinder and --mask leave them out too"
            ]
    if len(pieces) > 1 and (twins := _twins(voxels, parts)):
        a, b = (pieces[part] for part in twins[0])
        head += [
            f"SVEs WITH THE VOXELS OF ANOTHER PART: {len(twins)}, first of {b} and {a}; were one in"
            " the training and one in the test parts, scores would come out too good"
        ]
    return Samples(
        arrays,
        labels.names if labels else (),
        labels.units if labels else (),
        attributes,
        "\n  ".join([*head, *report]),
        kept,
    )


def _beside(cubes: Cubes) -> int:
    """How many SVEs of a volume touch one that is mostly pore, and are not themselves."""
    hollow = cubes.porosity > 0.5
    grid = np.zeros(cubes.position.max(axis=0) + 3, bool)
    near = np.zeros(len(hollow), bool)
    grid[tuple((cubes.position[hollow] + 1).T)] = True
    for step in np.ndindex(3, 3, 3):
        near |= grid[tuple((cubes.position + step).T)]
    return int((near & cubes.kept & ~hollow).sum())


def _twins(
    voxels: np.ndarray, parts: Sequence[tuple[int, int | str]]
) -> list[tuple[tuple[int, int | str], tuple[int, int | str]]]:
    """For each SVE with the voxels of an earlier one of another part, the parts of both. SVEs of
    one phase are left out: they are equal by nature.
    """
    seen: dict[bytes, tuple[int, int | str]] = {}
    found = []
    for i, (cube, part) in enumerate(zip(voxels, parts, strict=True)):
        if cube.min() != cube.max():
            first = seen.setdefault(hashlib.blake2b(cube.tobytes(), digest_size=16).digest(), part)
            if first != part:
                found.append((first, part))
        if i % RELEASED == 0:
            release(voxels)
    return found


def _size(
    shape: tuple[int, ...],
    options: ImportOptions,
    labels: SampleLabels | None,
    cubes: list[Cubes],
) -> int:
    """Edge of the SVEs of a volume, the same for all."""
    cube, received = len(set(shape)) == 1, " x ".join(map(str, shape))
    whole = options.crop is None and options.stride is None and options.size in (None, shape[0])
    if labels is not None and not (cube and whole):
        raise DataError(
            f"properties belong to a whole sample, a cube, received {received} voxels; --no-labels"
            " lets it be cut"
        )
    if options.size is None and not cube:
        raise DataError(
            f"expected a cube, received {received} voxels; give the --size of the SVEs to cut"
            " from it"
        )
    size = shape[0] if options.size is None else options.size
    if cubes and cubes[0].voxels.shape[1] != size:
        raise DataError(
            f"expected {cubes[0].voxels.shape[1]} voxels along each axis like the samples before,"
            f" received {size}; --size cuts them"
        )
    return size


def _joined(sources: list[Source]) -> SampleLabels | None:
    """The labels of all sources, one after another."""
    labels = [source.labels for source in sources if source.labels is not None]
    for source in sources:
        if labels and (
            source.labels is None
            or (source.labels.names, source.labels.units) != (labels[0].names, labels[0].units)
        ):
            listed = (
                [f"{n} {u}" for n, u in zip(source.labels.names, source.labels.units, strict=True)]
                if source.labels
                else ["none"]
            )
            raise DataError(
                f"{source.name}: expected the properties and units of {sources[0].name}, received"
                f" {', '.join(listed)}"
            )
    if not labels:
        return None
    stiffness = [label.stiffness for label in labels if label.stiffness is not None]
    values = np.concatenate([label.values for label in labels])
    return replace(
        labels[0],
        values=values,
        stiffness=np.concatenate(stiffness) if len(stiffness) == len(labels) else None,
    )


def _provenance(
    volumes: list[Volumes], rules: list[Segmentation], options: ImportOptions
) -> dict[str, Any]:
    sources = [one.source for one in volumes]
    files = [file for source in sources for file in source.files]
    digest = hashlib.sha256()
    for file in files:
        with open(file, "rb") as content:
            one = hashlib.file_digest(content, "sha256").hexdigest()
        digest.update(f"{one}  {file.name}\n".encode())
    attributes = {
        "source": some([source.name for source in sources]),
        "source_files": len(files),
        # of many: of what sha256sum says of them
        "source_sha256": one if len(files) == 1 else digest.hexdigest(),
        "segmentation": some([str(rule) for rule in rules]),
        "axes": some(list(dict.fromkeys(source.axes for source in sources))),
        "svevae_version": __version__,
    }
    attributes |= {
        key: value
        for key in ("size", "stride", "outside", "field_of_view", "mask", "resample")
        if (value := getattr(options, key)) is not None
    }
    if options.skip:
        attributes["skip_header"] = options.skip
    if options.length_unit is not None:
        attributes["unit"] = options.length_unit
    if options.box is not None:
        attributes["box"] = " ".join(f"{x:.9g}" for x in options.box)
    if fills := {fill for one in volumes for fill in one.fills.values()}:
        attributes["outside"] = some([f"{fill:g}" for fill in sorted(fills)])
    if len(rules) == 1 and rules[0].threshold is not None:
        attributes["threshold"] = rules[0].threshold
    if options.crop is not None:
        attributes["crop"] = " ".join(
            f"{start or 0}:{'' if stop is None else stop}" for start, stop in options.crop
        )
    edges = (
        {edge for source in sources for edge in source.edges}
        if options.voxel_size is None or options.resample is not None
        else {options.voxel_size}
    )
    if len(edges) > 1:
        raise DataError(
            f"expected one voxel size, the sources have {some([str(edge) for edge in edges])} um;"
            " give it with --voxel-size"
        )
    edge = edges.pop() if edges else None
    return attributes if edge is None else attributes | {EDGE: edge}


def label_samples(
    settings: Generate, work: Work, samples: Samples, origin: str = "params.yaml"
) -> None:
    """Add to imported samples the labels that the solver finds, with the material, curves and
    tolerance of `settings`; `origin` names where these come from, for errors. Leaves out those that
    `svevae.dataset.generate.generate` would. Raises ConfigError, SolverError as it does.
    """
    voxels = samples.arrays["voxels"]
    names = [f"SVE {i}" for i in range(len(voxels))]
    with blaming(f"{origin}: generate."):
        labels = label_settings(settings)
    with (
        blaming(f"{origin}: generate."),
        alone_at(JOURNAL, labels, "import --label"),
        open_cluster(work) as cluster,
    ):
        journal = Journal(JOURNAL, labels)
        columns, index, errors = label_converged(
            voxels, names, labels, journal, cluster, settings.batch
        )
        lost = without_labels(errors, len(voxels), index)
    if lost:
        samples.attributes[UNLABELLED] = lost
        samples.arrays = {key: array[index] for key, array in samples.arrays.items()}
    samples.arrays |= columns
    samples.arrays["tension/strain"] = np.array(settings.strain)
    samples.names, samples.units = property_names(settings.tension)
    samples.attributes |= label_provenance(labels)
    stuck = without_load_path(samples.arrays["load_path"])
    by_solver = "\n  ".join(
        [f"properties by the solver: {', '.join(samples.names)}", *filter(None, (stuck, lost))]
    )
    samples.report = samples.report.replace("no properties", by_solver, 1)
