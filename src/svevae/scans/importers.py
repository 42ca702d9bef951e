"""Other people's data as a file of the contract: `svevae import`. What a source may be stands in
`svevae.scans.layouts`.

Properties belong to whole samples, so these are not cut or cropped. Samples of one source share one
threshold, sought in all of them before they are cropped: the air around a part is what shows how
dark a pore is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from svevae import __version__
from svevae.config import Generate
from svevae.dataset.cluster import Work, open_cluster
from svevae.dataset.cut import cut, dropped
from svevae.dataset.journal import JOURNAL, Journal
from svevae.dataset.label_settings import label_provenance, label_settings
from svevae.dataset.labelling import label_sves
from svevae.dataset.store import without_load_path, write_dataset
from svevae.errors import DataError, blaming
from svevae.files import check_target
from svevae.physics.label import property_names
from svevae.scans import volume as vol
from svevae.scans.layouts import EDGE, ImportOptions, SampleLabels, Source, find_sources
from svevae.scans.segmentation import Segmentation, grey_values, segmentation
from svevae.words import counted, some


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
    samples = read_samples(sources, options)
    if label is not None:
        if samples.names:
            raise DataError(
                f"the samples have properties, {', '.join(samples.names)}: --no-labels leaves them"
                " out, for the solver to find"
            )
        label(samples)
    write_dataset(output, samples.arrays, samples.names, samples.units, samples.attributes)
    return f"{output}: {samples.report}"


def read_samples(sources: Sequence[str | Path], options: ImportOptions) -> Samples:
    """All SVEs of `sources`, binary, with part, porosity and labels, and with their position where
    each part is one volume.

    Positions count in steps of the attribute `stride`, in voxels, which then stands there whether
    the options have one or not. Raises DataError that names the source, and the sample, row or
    column, of what cannot be read or does not fit together.
    """
    described = find_sources([Path(source) for source in sources], options)
    labels = _joined(described)
    cubes: list[np.ndarray] = []
    positions: list[np.ndarray] = []
    parts: list[tuple[int, int | str]] = []  # of each SVE: its source, and its part there
    rules: list[Segmentation] = []
    report: list[str] = []
    pieces: dict[tuple[int, int | str], str] = {}
    for number, source in enumerate(described):
        volumes, lost = Volumes(source), []
        with volumes.named():
            rules.append(volumes.segment(options))
            for i, (sample, volume) in enumerate(zip(source.samples, volumes, strict=True)):
                size = _size(volume.shape, options, labels, cubes)
                sves, position = cut(rules[-1].apply(volume), size, options.stride)
                cubes.append(sves)
                positions.append(position)
                parts += [(number, i if sample.part is None else sample.part)] * len(sves)
                pieces[parts[-1]] = sample.name if sample.part is None else str(sample.part)
                lost.append(dropped(volume.shape, size, options.stride))
        report += [
            f"{source.name}:",
            *(f"  {line}" for line in remarks(source, rules[-1], float(np.mean(lost)))),
        ]
    voxels = cubes[0] if len(cubes) == 1 else np.concatenate(cubes)
    numbered = len(described) == 1 and all(isinstance(part, int) for _, part in pieces)
    numbers = {part: part[1] if numbered else i for i, part in enumerate(pieces)}
    porosity = voxels.mean((1, 2, 3))
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
        arrays["position"] = np.concatenate(positions)
    attributes = _provenance(described, rules, options) | {
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
            f"SVEs that are mostly pore: {hollow}; leave out the air around a part with --crop, or"
            " name the pores with --pores"
        ]
    return Samples(
        arrays,
        labels.names if labels else (),
        labels.units if labels else (),
        attributes,
        "\n  ".join([*head, *report]),
    )


class Volumes:
    """The volumes of a source, cropped to `crop`, one at a time, as often as asked for; `at` names
    what an error now is about.
    """

    def __init__(self, source: Source):
        self.source, self.at = source, source.name
        self.crop: vol.Box | None = None
        self.only: np.ndarray | None = None

    def __iter__(self) -> Iterator[np.ndarray]:
        for sample in self.source.samples:
            self.at = sample.name
            volume = sample.load() if self.only is None else self.only
            if len(self.source.samples) == 1:
                self.only = volume  # a whole scan: read once
            yield volume if self.crop is None else vol.crop(volume, self.crop)
        self.at = self.source.name

    def segment(self, options: ImportOptions) -> Segmentation:
        """One rule for all of them, sought before they are cropped as the options say, and measured
        after that.
        """
        rule = segmentation(self, options.threshold, options.pores)
        if options.crop is None:
            return rule
        self.crop = options.crop
        return rule.measured(*grey_values(self))

    @contextmanager
    def named(self) -> Iterator[None]:
        """Puts the name of the sample at hand before what a DataError says."""
        try:
            yield
        except DataError as error:
            raise DataError(
                str(error) if str(error).startswith(self.at) else f"{self.at}: {error}"
            ) from error


def _size(
    shape: tuple[int, ...],
    options: ImportOptions,
    labels: SampleLabels | None,
    cubes: list[np.ndarray],
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
    if cubes and cubes[0].shape[1] != size:
        raise DataError(
            f"expected {cubes[0].shape[1]} voxels along each axis like the samples before, received"
            f" {size}; --size cuts them"
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


def remarks(source: Source, rule: Segmentation, lost: float = 0.0) -> Iterator[str]:
    """Lines for people: the rule, what it makes of the porosity and how sure that is, the share of
    voxels `lost`, notes of the source.
    """
    yield f"porosity {rule.porosity:.3%}: pore is {rule}; axes {source.axes}"
    if rule.sensitivity:
        moved = ", ".join(
            f"{shift:+.0%} {porosity:.3%}" for shift, _, porosity in rule.sensitivity if shift
        )
        yield (
            "porosity with the threshold moved by a share of the step between pore and solid:"
            f" {moved}"
        )
        if (
            max(share for *_, share in rule.sensitivity)
            - min(share for *_, share in rule.sensitivity)
            > 0.2 * rule.porosity
        ):
            yield (
                "this is more than a fifth of the porosity: look at the slices before you trust the"
                " threshold"
            )
    if lost > 0:
        yield f"{lost:.1%} of the volume lies in no SVE, at the far borders or between SVEs"
    if source.labels is not None and all(sample.part is None for sample in source.samples):
        yield (
            "no part is named, so each sample is one; name parts where samples were cut from one"
            " piece, or scores come out too good"
        )
    yield from source.notes


def _provenance(
    sources: list[Source], rules: list[Segmentation], options: ImportOptions
) -> dict[str, Any]:
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
        key: value for key in ("size", "stride") if (value := getattr(options, key)) is not None
    }
    if len(rules) == 1 and rules[0].threshold is not None:
        attributes["threshold"] = rules[0].threshold
    if options.crop is not None:
        attributes["crop"] = " ".join(
            f"{start or 0}:{'' if stop is None else stop}" for start, stop in options.crop
        )
    edges = (
        {edge for source in sources for edge in source.edges}
        if options.voxel_size is None
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
    tolerance of `settings`; `origin` names where these come from, for errors.
    """
    voxels = samples.arrays["voxels"]
    names = [f"SVE {i}" for i in range(len(voxels))]
    with blaming(f"{origin}: generate."), open_cluster(work) as cluster:
        labels = label_settings(settings)
        samples.arrays |= label_sves(
            voxels, names, labels, Journal(JOURNAL, labels), cluster, settings.batch
        )
    samples.arrays["tension/strain"] = np.array(settings.strain)
    samples.names, samples.units = property_names(settings.tension)
    samples.attributes |= label_provenance(labels)
    stuck = without_load_path(samples.arrays["load_path"])
    by_solver = f"properties by the solver: {', '.join(samples.names)}" + (
        f"\n  {stuck}" if stuck else ""
    )
    samples.report = samples.report.replace("no properties", by_solver, 1)
