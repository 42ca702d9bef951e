"""Zarr arrays and groups, versions 2 and 3, and OME-Zarr: its first level, with axes, scale and
units from its metadata (https://ngff.openmicroscopy.org).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from svevae.errors import DataError
from svevae.scans.readers.base import (
    MICROMETRES,
    Format,
    Header,
    Wanted,
    chosen,
    fits,
    order_of,
    reading_as,
)
from svevae.words import counted, some

if TYPE_CHECKING:
    import zarr

MARKS = ("zarr.json", ".zarray", ".zgroup")


def is_zarr(folder: Path) -> bool:
    return any((folder / mark).is_file() for mark in MARKS)


@contextmanager
def opened(path: Path, wanted: Wanted) -> Iterator[tuple[zarr.Array, dict[str, Any]]]:
    """The array, unread, and the OME metadata of the image that it is level 0 of, or {}."""
    import zarr

    # of a damaged store zarr raises almost anything
    with reading_as(path, "a Zarr store", (Exception,)):
        root = zarr.open(path, mode="r")
        if isinstance(root, zarr.Array):
            yield root, {}
            return
        images = _images(root)
        name = next(iter(images)) if len(images) == 1 else wanted.dataset
        if name in images:
            yield root[f"{name}/{images[name]['datasets'][0]['path']}".strip("/")], images[name]
            return
        if images:
            raise DataError(
                f"{path}: expected one image, received {some(list(images))}; name one with"
                " --dataset"
            )
        arrays = {
            name: item.shape
            for name, item in root.members(max_depth=None)
            if isinstance(item, zarr.Array)
        }
        yield root[chosen(path, arrays, wanted.dataset)], {}


def _images(root: zarr.Group) -> dict[str, dict[str, Any]]:
    """The first multiscale image of the root, or of each of its groups, by the group's name."""

    def multiscale(group: zarr.Group) -> list[dict[str, Any]]:
        attributes = dict(group.attrs)
        return (attributes.get("ome") or attributes).get("multiscales") or []

    if found := multiscale(root):
        return {"": found[0]}
    return {name: found[0] for name, group in root.groups() if (found := multiscale(group))}


def read_zarr(path: Path, wanted: Wanted) -> np.ndarray:
    with opened(path, wanted) as (array, image):
        _one_channel(path, array.shape, image)
        fits(path, array.shape, array.dtype)
        fits(f"{path}: chunk", array.chunks, array.dtype)
        if array.size and not array.nchunks_initialized:
            raise DataError(f"{path}: expected voxels, received {array.shape} without a chunk")
        return np.asarray(array[...])


def _one_channel(path: Path, shape: tuple[int, ...], image: dict[str, Any]) -> None:
    axes = [axis["name"] for axis in image.get("axes", [])]
    several = (
        [
            f"{size} of {axis}"
            for axis, size in zip(axes, shape, strict=bool(axes))
            if axis not in "xyz" and size > 1
        ]
        if axes
        else []
    )
    if several:
        raise DataError(
            f"{path}: expected one volume, received {' and '.join(several)} (axes"
            f" {''.join(axes)}, shape {shape}); store one of them"
        )


def zarr_header(path: Path, wanted: Wanted) -> Header:
    with opened(path, wanted) as (array, image):
        missing = math.prod(array.cdata_shape) - array.nchunks_initialized
        notes = (f"{counted(missing, 'chunk')} not stored: {array.fill_value}",) if missing else ()
        if not image:
            return Header(_named_axes(array) or "xyz", (), notes)
        axes = [
            axis if isinstance(axis, dict) else {"name": axis} for axis in image.get("axes", "zyx")
        ]
        scale = np.ones(len(axes))
        scaled = False
        for said in (image["datasets"][0], image):
            for step in said.get("coordinateTransformations", []):
                if step.get("type") == "scale" and "scale" in step:
                    scale, scaled = scale * np.array(step["scale"], float), True
        space = [
            (axis, float(s)) for axis, s in zip(axes, scale, strict=True) if axis["name"] in "xyz"
        ]
        order = "".join(axis["name"] for axis, _ in space)
        if sorted(order) != ["x", "y", "z"]:
            raise DataError(f"{path}: expected axes x, y and z, received {order or 'none'}")
        units = [MICROMETRES.get(str(axis.get("unit")).lower()) for axis, _ in space]
        edges = tuple(u * s for u, (_, s) in zip(units, space, strict=True) if u and scaled)
        return Header(order, edges if len(edges) == 3 else (), notes)


def _named_axes(array: zarr.Array) -> str | None:
    """The order of the axes as `dimension_names` of version 3 say, or the attribute that xarray
    writes into version 2; see `order_of`.
    """
    said = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    names = [str(name).lower() for name in said] if isinstance(said, list | tuple) else []
    return order_of(names, array.shape)


ZARR = Format((), read_zarr, zarr_header, is_zarr, of_arrays=True)
