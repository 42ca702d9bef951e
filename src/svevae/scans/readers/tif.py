"""tif files: stacks of one or several series, ImageJ's, and sets of OME-TIFF; all compressions."""

from __future__ import annotations

import logging
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from svevae.errors import DataError
from svevae.scans.readers.base import (
    DEFLATE,
    MICROMETRES,
    Format,
    Header,
    Wanted,
    fits,
    reading_as,
    times,
)
from svevae.words import counted, some

if TYPE_CHECKING:
    import tifffile

SUFFIXES = (".tif", ".tiff")
SCREENS = (72, 96, 300)  # dots per inch that programs fill in
# by tag 259; what is not here is bounded by memory alone
RATIOS = {1: 1, 8: DEFLATE, 32946: DEFLATE, 32773: 64}
# what tifffile logs where it leaves out pages, or fills them with zeros
LOST = re.compile(
    r"series failed to read|is missing (\d|files)|expected \d+ frames|index out of range"
)


class _Listener(logging.Handler):
    """Remembers what is logged of pages that are lost."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        fatal = record.levelno >= logging.ERROR and ("TiffPages" in line or "series" in line)
        if fatal or LOST.search(line):
            self.said.append(line)


@contextmanager
def opened(path: Path, ome: bool = True) -> Iterator[tifffile.TiffFile]:
    """The tif file, open; without `ome` it is this one file, not the set that it belongs to.

    DataError for what tifffile raises, and for missing pages, which it only logs: it reads what is
    there.
    """
    import tifffile  # here, since who only cuts does not need it

    handler = _Listener()
    logger = logging.getLogger("tifffile")
    logger.addHandler(handler)
    try:
        # of a damaged file tifffile raises almost anything
        with reading_as(path, "a tif file", (Exception,)):
            with tifffile.TiffFile(path, is_ome=None if ome else False) as tif:
                yield tif
            if handler.said:
                raise ValueError("; ".join(handler.said))
    finally:
        logger.removeHandler(handler)


def read_tif(path: Path, wanted: Wanted | None = None, ome: bool = True) -> np.ndarray:
    """The volume of all series of `path`, and of the other files of its OME-TIFF set."""
    with opened(path, ome) as tif:
        files = [path.with_name(name) for name in ome_set(tif)] if ome else []
        for file in files:
            if not file.is_file():
                raise DataError(
                    f"{path}: expected all files of its OME-TIFF set, {file.name} is missing"
                )
        series = [one for one in tif.series if not one.keyframe.is_reduced] or tif.series
        stored = sum(file.stat().st_size for file in files or [path])
        ratio = RATIOS.get(int(tif.pages.first.compression))
        for one in series:
            if "S" in one.axes:
                raise DataError(
                    f"{path}: expected greys, received colours: axes {one.axes}, shape {one.shape};"
                    " save greys, or one channel by itself"
                )
            if one.dataoffset is None:
                # values of 1, 4 or 12 bits are packed in the file
                bits = one.keyframe.bitspersample
                packed = 8 * one.dtype.itemsize / bits if isinstance(bits, int) and bits else 1
                fits(path, one.shape, one.dtype, stored, ratio and ratio * max(1, packed))
        if len(series) == 1:
            where = "memmap" if series[0].dataoffset is not None else None
            return tif.asarray(series=series[0], out=where)
        return _joined(path, series)


def _joined(path: Path, series: Sequence[tifffile.TiffPageSeries]) -> np.ndarray:
    """One volume of several series, as programs leave them that append to a file or change the
    compression: their slices in the order of the pages.
    """
    kinds = {(one.shape[-2:], one.dtype) for one in series}
    if len(kinds) != 1 or any(len(one.shape) not in (2, 3) for one in series):
        alike = Counter(f"{times(one.shape)} of {one.dtype}" for one in series)
        listed = some([f"{count} of {kind}" for kind, count in alike.items()])
        raise DataError(
            f"{path}: expected one volume, or parts of it that have one slice shape and type,"
            f" received {counted(len(series), 'image')}: {listed}; write the volume to a file of"
            " its own"
        )
    shape, dtype = kinds.pop()
    stacks = [one.shape[0] if len(one.shape) == 3 else 1 for one in series]
    fits(path, (sum(stacks), *shape), dtype)
    first = [one.pages[0].index for one in series]
    paged = all(len(one.pages) == depth for one, depth in zip(series, stacks, strict=True))
    volume = np.empty((sum(stacks), *shape), dtype)
    if paged:
        pages = sorted((page for one in series for page in one.pages), key=lambda page: page.index)
        for i, page in enumerate(pages):
            volume[i] = page.asarray().reshape(shape)
        return volume
    start = 0
    for i in np.argsort(first):
        volume[start : start + stacks[i]] = series[i].asarray()
        start += stacks[i]
    return volume


def ome_set(tif: tifffile.TiffFile) -> list[str]:
    """The names of the files that the OME metadata of a file say are one image, in order."""
    said = tif.pages.first.description.strip()  # ome_metadata has none where is_ome is False
    root = ElementTree.fromstring(said) if said.endswith("OME>") else None
    found = [] if root is None else root.findall(".//{*}TiffData/{*}UUID[@FileName]")
    names = list(dict.fromkeys(uuid.get("FileName", "") for uuid in found))
    for name in names:
        if name != Path(name).name:
            raise DataError(
                f"{tif.filename}: expected the files of an OME-TIFF set beside each other, received"
                f" {name[:200]!r}"
            )
    return names if len(names) > 1 else []


def files_of(path: Path) -> list[Path]:
    """`path`, or all files of the OME-TIFF set that it belongs to."""
    with opened(path, ome=False) as tif:
        names = ome_set(tif)
    return [path.with_name(name) for name in names] or [path]


def tif_header(path: Path, wanted: Wanted | None = None) -> Header:
    """Edges of voxels as ImageJ or OME have them; the plain resolution of a tif is not used, since
    programs fill it with 72 dots per inch.
    """
    with opened(path) as tif:
        edges = _imagej_edges(tif) or _ome_edges(tif.ome_metadata or "")
    return Header("zyx", tuple(reversed(edges)))


def _imagej_edges(tif: tifffile.TiffFile) -> list[float]:
    """Edges of a voxel along x, y, z in micrometres as ImageJ writes them; none without a unit of
    length.

    ImageJ leaves out a spacing of 1.0 (ij/io/FileSaver.java, `getDescriptionString`), and some
    programs write a negative one. Units of y and z stand beside where they differ.
    """
    said = tif.imagej_metadata or {}
    names = [str(said.get(key, said.get("unit"))).lower() for key in ("unit", "yunit", "zunit")]
    units = [MICROMETRES.get(name) for name in names]
    tags = [tif.pages.first.tags.get(name) for name in ("XResolution", "YResolution")]
    dots = [tag.value[0] / tag.value[1] for tag in tags if tag is not None and all(tag.value)]
    if None in units or len(dots) != 2:
        return []
    if names[0] == "inch" and (round(dots[0]) in SCREENS or "spacing" not in said):
        return []  # slices are no inch apart
    lengths = (1 / dots[0], 1 / dots[1], float(said.get("spacing", 1.0)))
    return [unit * abs(length) for unit, length in zip(units, lengths, strict=True) if unit]


def _ome_edges(metadata: str) -> list[float]:
    """Edges of a voxel along x, y, z in micrometres from the XML of OME; none where one is
    missing.
    """
    pixels = ElementTree.fromstring(metadata).find(".//{*}Pixels") if metadata else None
    edges: list[float] = []
    if pixels is None:
        return edges
    for key in ("PhysicalSizeX", "PhysicalSizeY", "PhysicalSizeZ"):
        unit, length = MICROMETRES.get(pixels.get(f"{key}Unit", "µm")), pixels.get(key)
        if unit and length:
            edges.append(unit * abs(float(length)))
    return edges if len(edges) == 3 else []


TIF = Format(SUFFIXES, read_tif, tif_header)
