"""Options that several commands have."""

from __future__ import annotations

import argparse
from pathlib import Path

from svevae.cli.values import (
    address_free,
    count,
    finite,
    material,
    path,
    pores,
    positive,
    span,
)


def add_cluster_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="processes of this machine (default: one for each core)",
    )
    command.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="run on this Dask scheduler instead, e.g. tcp://host:8786",
    )


def add_allow_host_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME[:PORT]",
        help=(
            "answer requests to this name too, of a tunnel or proxy that ends at the page; repeat"
            " it (default: 127.0.0.1, localhost and [::1] with the port)"
        ),
    )


def add_model_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-m",
        "--model",
        metavar="URI",
        help=(
            "registry URI or folder (default: models:/svevae@champion, and where there is no"
            " registry or no champion in it, svevae:/champion, which came with svevae)"
        ),
    )
    command.add_argument(
        "--material",
        type=material,
        metavar="LAW",
        help=(
            "the matrix, a preset or E=...,nu=...,s0=...,Q=...,b=... in MPa (default: what FILE"
            " says, else the model's usual one)"
        ),
    )


def add_params_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--params",
        type=path,
        default=Path("params.yaml"),
        metavar="FILE",
        help="YAML file with the section generate, alone if need be (default: %(default)s)",
    )


def add_volume_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--crop",
        type=span,
        nargs=3,
        metavar=("X", "Y", "Z"),
        help="START:STOP along each axis, e.g. 20:980 : 100:",
    )
    command.add_argument(
        "--threshold", type=finite, help="grey that divides pore and solid (default: Otsu's)"
    )
    command.add_argument(
        "--pores",
        type=pores,
        default="dark",
        help="dark, bright or the value of the pores (default: dark; 0/1 as they are)",
    )
    command.add_argument(
        "--outside",
        type=float,
        metavar="VALUE",
        help=(
            "value outside the field of view, neither pore nor solid (default: what is not finite,"
            " and a constant around a convex field of view); SVEs that touch it are left out"
        ),
    )
    command.add_argument(
        "--field-of-view",
        choices=["cylinder"],
        help="outside is what lies beyond the circle inscribed in each slice across z",
    )
    command.add_argument(
        "--mask",
        type=address_free,
        metavar="FILE",
        help="volume of the same shape, 0 outside the field of view",
    )
    command.add_argument(
        "--resample",
        type=finite,
        nargs="?",
        const=0.0,
        metavar="UM",
        help=(
            "make voxels cubes of this edge in micrometres, their shortest edge if none is given;"
            " without it voxels that are no cubes are refused. --crop counts the new voxels"
        ),
    )
    command.add_argument(
        "--skip-header",
        dest="skip",
        type=count,
        default=0,
        metavar="BYTES",
        help="of a raw file, before its voxels",
    )
    command.add_argument(
        "--axes",
        help=(
            "what the axes of the file are, slowest first (default: zyx for tif, slices and raw;"
            " else xyz)"
        ),
    )
    command.add_argument(
        "--shape",
        type=positive,
        nargs=3,
        metavar=("A", "B", "C"),
        help="of a raw file, slowest axis first",
    )
    command.add_argument("--dtype", help="of a raw file, e.g. uint16, or '>u2' for big-endian")
    command.add_argument(
        "--voxel-size",
        type=float,
        metavar="UM",
        help=(
            "micrometres (default: what the file says); of surfaces, which have none, the voxels to"
            " fill them with"
        ),
    )
    command.add_argument(
        "--unit",
        dest="length_unit",
        choices=["um", "mm", "cm", "m"],
        help=(
            "of lengths in files that say none: surfaces of pores (.stl, .vtp, .ply, .obj, .vtk)"
            " and VTK images (.vti, .vtk)"
        ),
    )
    command.add_argument(
        "--box",
        type=finite,
        nargs=6,
        metavar=("X", "Y", "Z", "X", "Y", "Z"),
        help=(
            "of surfaces, the corners of the part that the voxels fill, the smallest x, y, z first,"
            " in the unit of the file (default: the box around the pores, which is smaller than the"
            " part)"
        ),
    )
    command.add_argument(
        "--dataset",
        help="array of the voxels in a file of several, e.g. .npz, HDF5, .dream3d, .vti, .vtk,"
        " Zarr; or the UID of a DICOM series",
    )
