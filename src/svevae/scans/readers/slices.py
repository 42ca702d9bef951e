"""Folders of slices: tif or png one image each, one pattern of names, no number missing."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np

from svevae.errors import DataError
from svevae.scans.readers import tif
from svevae.scans.readers.base import (
    DEFLATE,
    Format,
    Header,
    Wanted,
    fits,
    reading_as,
    times,
)
from svevae.words import counted, some

SUFFIXES = (*tif.SUFFIXES, ".png")


def natural(path: Path) -> list[tuple[int, str]]:
    """A key that sorts slice2 before slice10."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part)
        for part in re.split(r"(\d+)", path.name)
    ]


def files_of(folder: Path) -> list[Path]:
    """The tif and png files of a folder in the order of the numbers in their names."""
    return sorted(
        (
            path
            for path in folder.iterdir()
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
        ),
        key=natural,
    )


def is_slices(folder: Path) -> bool:
    """Whether a folder holds the slices of one volume: png files, tif files of one slice each, or a
    set of OME-TIFF.
    """
    files = files_of(folder)
    if not files or files[0].suffix.lower() not in tif.SUFFIXES:
        return bool(files)
    with tif.opened(files[0], ome=False) as file:
        series = file.series
        return bool(tif.ome_set(file)) or (len(series) == 1 and series[0].ndim == 2)


def read_slices(folder: Path, wanted: Wanted) -> np.ndarray:
    files = files_of(folder)
    if not files:
        raise DataError(f"{folder}: expected slices, files {', '.join(SUFFIXES)}, found none")
    if files[0].suffix.lower() in tif.SUFFIXES:
        with tif.opened(files[0], ome=False) as file:
            names = tif.ome_set(file)
        if names:
            return _ome_set(folder, files, names)
    files = in_order(folder, files)
    first = _read_slice(files[0])
    fits(folder, (len(files), *first.shape), first.dtype)
    volume = np.empty((len(files), *first.shape), first.dtype)
    for i, path in enumerate(files):
        image = _read_slice(path)
        if (image.shape, image.dtype) != (first.shape, first.dtype):
            received, expected = (f"{times(one.shape)} of {one.dtype}" for one in (image, first))
            raise DataError(
                f"{path}: expected a slice like {files[0].name}, {expected}, received {received}"
            )
        volume[i] = image
    return volume


def _ome_set(folder: Path, files: list[Path], names: list[str]) -> np.ndarray:
    """The one volume of an OME-TIFF set, whose metadata order the files, not their names."""
    if others := [path.name for path in files if path.name not in names]:
        raise DataError(
            f"{folder}: expected the files of one OME-TIFF set, {some(names, 3)}, found also"
            f" {some(others, 3)}"
        )
    return tif.read_tif(files[0])


def in_order(folder: Path, files: list[Path]) -> list[Path]:
    """`files` by the number that counts the slices in their names.

    Raises DataError where they are not one series: several patterns of names, a number twice, or
    one that is missing.
    """
    if len(files) == 1:
        return files
    patterns: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        stem = re.sub(r"\d+", "#", path.stem)
        patterns[stem + path.suffix.lower()].append(path)
    if len(patterns) > 1:
        listed = some(
            [
                f"{key} ({counted(len(paths), 'file')}, {paths[0].name})"
                for key, paths in patterns.items()
            ],
            4,
        )
        raise DataError(
            f"{folder}: expected the slices of one volume, names of one pattern, received {listed};"
            " move what is no slice of it elsewhere"
        )
    columns = list(zip(*(map(int, re.findall(r"\d+", path.stem)) for path in files), strict=True))
    counting = [column for column in columns if len(set(column)) > 1]
    for column in counting:
        steps = np.diff(sorted(column))
        if len(set(column)) == len(files) and len(set(steps.tolist())) == 1:
            return [files[i] for i in np.argsort(column)]
    unique = [column for column in counting if len(set(column)) == len(files)]
    if not unique:
        last = counting[-1] if counting else tuple(range(len(files)))
        twice = [path.name for path, number in zip(files, last, strict=True) if number == last[0]]
        raise DataError(
            f"{folder}: expected one slice for each number, received {some(twice, 4)}: several"
            " volumes, or copies, in one folder"
        )
    numbers = sorted(unique[-1])
    step = int(np.diff(numbers).min())
    gap = next(a for a, b in pairwise(numbers) if b - a != step)
    before = files[unique[-1].index(gap)]
    raise DataError(
        f"{folder}: expected slices that are numbered without a gap, received none of number"
        f" {gap + step} after {before.name}"
    )


def _read_slice(path: Path) -> np.ndarray:
    if path.suffix.lower() in tif.SUFFIXES:
        image = np.asarray(tif.read_tif(path, ome=False))
    else:
        image = _read_png(path)
    if image.ndim != 2:
        hint = "; save greys, or one channel by itself" if image.ndim == 3 else ""
        raise DataError(f"{path}: expected a slice of greys, received shape {image.shape}{hint}")
    return image


def _read_png(path: Path) -> np.ndarray:
    """The numbers in a png file, of a palette its indices: labels are stored so."""
    from PIL.PngImagePlugin import PngImageFile

    # not PIL.Image.open, which refuses large slices; here the size of the file is the bound
    with reading_as(path, "a png file"), PngImageFile(path) as file:
        width, height = file.size
        width = -(-width // 8) if file.mode == "1" else width
        fits(path, (height, width), np.dtype("u1"), path.stat().st_size, DEFLATE)
        # of one bit Pillow gives bool in whose bytes 255 stands for True
        return np.asarray(file) if file.mode != "1" else np.asarray(file).view(np.uint8) != 0


def slices_header(folder: Path, wanted: Wanted) -> Header:
    """What the first file says where the slices are a set of OME-TIFF."""
    files = files_of(folder)
    if files and files[0].suffix.lower() in tif.SUFFIXES:
        with tif.opened(files[0], ome=False) as file:
            if tif.ome_set(file):
                return tif.tif_header(files[0])
    return Header("zyx")


SLICES = Format((), read_slices, slices_header, is_slices)
