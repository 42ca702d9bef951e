"""`svevae import`, and the options of every command that reads a volume."""

from __future__ import annotations

import argparse

from svevae.cli import commands
from svevae.cli.shared import add_cluster_options, add_params_option
from svevae.cli.values import address_free, count, finite, path, pores, positive, span, words


def add_import(parsers: argparse._SubParsersAction) -> None:
    """`svevae import`."""
    take = parsers.add_parser(
        "import",
        help="other people's volumes or samples, with or without properties, as an SVE file",
    )
    take.add_argument(
        "source",
        type=path,
        nargs="+",
        help=(
            "a volume, a folder of slices or of volumes, .npz, HDF5 or FANS results; or closed"
            " surfaces of pores"
        ),
    )
    take.add_argument("-o", "--output", type=path, required=True, help="the SVE file to write")
    take.add_argument(
        "--size", type=int, metavar="N", help="edge of the SVEs in voxels (default: whole samples)"
    )
    take.add_argument(
        "--stride",
        type=int,
        metavar="N",
        help="voxels from one SVE to the next (default: the size)",
    )
    add_volume_options(take)
    take.add_argument(
        "--table",
        type=address_free,
        help="CSV file of the properties (.csv, .tsv, .txt), or the array of them in a .npz or HDF5"
        " file",
    )
    take.add_argument(
        "--properties", type=words, metavar="NAME,NAME", help="those to keep (default: all)"
    )
    take.add_argument(
        "--no-labels",
        dest="labels",
        action="store_false",
        help="leave properties out, so that samples may be cut",
    )
    take.add_argument(
        "--tangent",
        default="*",
        metavar="PATTERN",
        help="which tangents of FANS results, e.g. '*load0/time_step0*'",
    )
    take.add_argument(
        "--stress-unit",
        default="MPa",
        help="of FANS results: Pa, kPa, MPa or GPa (default: %(default)s)",
    )
    text = (
        "let the solver find the properties, with material, tension, strain and tolerance of the"
        " section generate of --params"
    )
    take.add_argument("--label", action="store_true", help=text)
    add_params_option(take)
    add_cluster_options(take)
    take.set_defaults(run=commands.run_import)


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
