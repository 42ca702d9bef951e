"""Commands that put SVEs into space: fields of a volume or on a mesh, and what runs them."""

from __future__ import annotations

import argparse

from svevae.cli import mesh_commands
from svevae.cli.shared import add_cluster_options, add_model_option
from svevae.cli.values import count, finite, path, positive
from svevae.cli.volumes import add_volume_options

MESH = "solid elements: .inp of Abaqus or CalculiX, .msh, .vtu, .med and others of meshio"


def add_field(parsers: argparse._SubParsersAction) -> None:
    """`svevae field`."""
    text = (
        "fields of elastoplastic properties of a scanned volume of any size; goes on where it was"
        " interrupted"
    )
    field = parsers.add_parser("field", help=text, description=f"{text[0].upper()}{text[1:]}.")
    text = "a volume, as for `svevae import`; with --sample an SVE file"
    field.add_argument("source", type=path, help=text)
    field.add_argument(
        "-o",
        "--output",
        type=path,
        required=True,
        help=(
            "a .vtkhdf file for ParaView, or a .csv table of elements; with --mesh an .inp deck,"
            " and a .csv table, a .vtu file and a picture beside it"
        ),
    )
    mesh = field.add_argument_group(
        "onto a mesh", "a deck for CalculiX and Abaqus with the properties of each element's SVE"
    )
    mesh.add_argument("--mesh", type=path, metavar="MESH", help=MESH)
    _add_mesh_options(mesh)
    _add_porosity_option(mesh)
    _add_scan_options(mesh)
    add_volume_options(field)
    add_model_option(field)
    field.set_defaults(run=mesh_commands.run_field)


def add_run(parsers: argparse._SubParsersAction) -> None:
    """`svevae run`."""
    text = (
        "run a deck of `svevae field --mesh` by CalculiX: force against displacement, yield load,"
        " plastic strain"
    )
    deck = parsers.add_parser("run", help=text, description=f"{text[0].upper()}{text[1:]}.")
    deck.add_argument("deck", type=path, help="an .inp file with a step of tension")
    deck.add_argument(
        "-o",
        "--output",
        type=path,
        help=(
            "a .csv table; a picture has its name with .png, the fields of the part without -load"
            " and with -result.vtu (default: DECK-load.csv)"
        ),
    )
    deck.set_defaults(run=mesh_commands.run_run)


def _add_mesh_options(mesh: argparse._ActionsContainer) -> None:
    mesh.add_argument(
        "--mesh-unit",
        dest="unit",
        choices=["um", "mm", "cm", "m"],
        default="mm",
        help="of the mesh's coordinates (default: mm, so that forces are in newtons)",
    )
    mesh.add_argument(
        "--rotation",
        type=finite,
        nargs=3,
        default=(0.0, 0.0, 0.0),
        metavar=("RX", "RY", "RZ"),
        help=(
            "degrees by which the scan, or the process, is turned about --origin: first about x of"
            " the mesh, then about y, then about z (default: 0 0 0)"
        ),
    )
    mesh.add_argument(
        "--uncorrelated",
        dest="correlated",
        action="store_false",
        help="of a sample: SVEs are independent of each other, to see what correlation does",
    )
    mesh.add_argument(
        "--without",
        choices=["error", "nearest", "drop"],
        default="error",
        help=(
            "what becomes of elements outside the scan or in air: give them the nearest SVE's"
            " material, or leave them out (default: error)"
        ),
    )
    mesh.add_argument(
        "--stress-error",
        dest="tolerance",
        type=finite,
        default=0.002,
        metavar="FRACTION",
        help="of SVEs that share a material, at most (default: 0.002, which is 0.2 %%)",
    )
    mesh.add_argument(
        "--keep-types", action="store_true", help="leave C3D8 as it is (default: C3D8I)"
    )
    for option, verb in (("--pull", "moves"), ("--hold", "is held")):
        mesh.add_argument(
            option,
            metavar="FACE",
            help=f"a step of tension in which this {verb}: a set of nodes, a surface, or XMIN"
            " to ZMAX of the box round the mesh",
        )
    mesh.add_argument(
        "--clamp", action="store_true", help="these faces do not contract (default: they are free)"
    )
    mesh.add_argument(
        "--strain", type=finite, metavar="FRACTION", help="of the distance of the two faces"
    )
    mesh.add_argument(
        "--displacement", type=finite, metavar="LENGTH", help="in the mesh's unit, instead"
    )
    mesh.add_argument(
        "--increments",
        type=positive,
        default=50,
        metavar="N",
        help="of the step (default: %(default)s)",
    )


def _add_porosity_option(mesh: argparse._ActionsContainer) -> None:
    mesh.add_argument(
        "--porosity",
        metavar="P",
        help=(
            "of a sample: its mean, a fraction; or DISTANCE:POROSITY,... by the distance to the"
            " surface of the mesh in its unit, linear between, constant beyond; or a .csv file with"
            " the columns element and porosity, or .npy (default: as in SOURCE)"
        ),
    )


def _add_scan_options(mesh: argparse._ActionsContainer) -> None:
    """What `svevae field --mesh` has beside what sampled parts have."""
    mesh.add_argument(
        "--origin",
        type=finite,
        nargs=3,
        metavar=("X", "Y", "Z"),
        help=(
            "corner of the scan's first voxel in the mesh's unit (default: where the file says, of"
            " surfaces and VTK images with --unit; else 0 0 0)"
        ),
    )
    mesh.add_argument(
        "--sample",
        type=count,
        metavar="SEED",
        help=(
            "SOURCE is an SVE file of parts of a process: fill the box round the mesh with a part"
            " that is sampled from a latent field fitted to them; the same seed, the same part"
        ),
    )
    mesh.add_argument(
        "--drawn",
        action="store_true",
        help=(
            "of a sample: properties that err as the predictor does, drawn from its uncertainty"
            " (default: its best)"
        ),
    )
    mesh.add_argument(
        "--step",
        type=path,
        metavar="FILE",
        help="your own step, which the deck includes in place of one of tension",
    )


def add_spread(parsers: argparse._SubParsersAction) -> None:
    """`svevae spread`."""
    text = (
        "how the load curves of parts of a process spread: many parts are sampled on a mesh and run"
        " by CalculiX; goes on where it was interrupted"
    )
    more = (
        "Each is the part of `svevae field SVES --sample SEED --drawn --mesh MESH`, and of `svevae"
        " run`. Quantiles have confidence intervals."
    )
    spread = parsers.add_parser(
        "spread", help=text, description=f"{text[0].upper()}{text[1:]}. {more}"
    )
    spread.add_argument("source", type=path, metavar="SVES", help="an SVE file of the process")
    spread.add_argument(
        "-o",
        "--output",
        type=path,
        required=True,
        help=(
            "a .csv table with a row for each part; beside it -curves.csv, -quantiles.csv and a"
            " .png picture"
        ),
    )
    spread.add_argument("--mesh", type=path, metavar="MESH", required=True, help=MESH)
    spread.add_argument(
        "-n",
        "--samples",
        dest="count",
        type=count,
        default=100,
        metavar="N",
        help="how many parts (default: %(default)s)",
    )
    spread.add_argument(
        "--seed",
        dest="sample",
        type=count,
        default=0,
        metavar="SEED",
        help="of the first part, others follow (default: %(default)s)",
    )
    spread.add_argument(
        "--best",
        dest="drawn",
        action="store_false",
        help=(
            "properties are the predictor's best (default: drawn from its uncertainty, as `svevae"
            " propagate` does)"
        ),
    )
    _add_porosity_option(spread)
    _add_process_options(spread)
    spread.set_defaults(run=mesh_commands.run_spread)


def add_lighten(parsers: argparse._SubParsersAction) -> None:
    """`svevae lighten`."""
    text = (
        "the gradation of porosity by the distance from a surface that carries a load at least"
        " mass, on a mesh by CalculiX; goes on where it was interrupted"
    )
    more = (
        "Optuna looks for it among gradations that are as porous far from the surface as the load"
        " allows, and begins with the best uniform porosity. Both are verified on fresh parts."
    )
    lighten = parsers.add_parser(
        "lighten", help=text, description=f"{text[0].upper()}{text[1:]}. {more}"
    )
    lighten.add_argument("source", type=path, metavar="SVES", help="an SVE file of the process")
    lighten.add_argument(
        "-o",
        "--output",
        type=path,
        required=True,
        help=(
            "a .csv table with a row for each design that was run; beside it -porosity.csv, what"
            " `svevae field --porosity` takes for the best, and a .png picture"
        ),
    )
    lighten.add_argument("--mesh", type=path, metavar="MESH", required=True, help=MESH)
    lighten.add_argument(
        "--near",
        metavar="FACE",
        help=(
            "distances count from this: a set of nodes, a surface, or XMIN to ZMAX of the box round"
            " the mesh (default: the whole surface)"
        ),
    )
    lighten.add_argument(
        "--porosity",
        dest="between",
        type=finite,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help=(
            "of designs, the lowest and the highest, fractions (default: between them are 90 %% of"
            " the SVEs)"
        ),
    )
    lighten.add_argument(
        "--load",
        type=finite,
        default=0.95,
        metavar="SHARE",
        help="of the yield load at the lowest porosity, to be carried (default: %(default)s)",
    )
    for name, short, default, text in (
        ("--trials", (), 20, "of Optuna"),
        ("--samples", ("-n",), 4, "parts of a design, the mean of whose yield loads is its load"),
        ("--verify", (), 8, "fresh parts that verify it, properties drawn as by `svevae spread`"),
    ):
        lighten.add_argument(
            *(*short, name),
            type=count,
            default=default,
            metavar="N",
            help=f"{text} (default: %(default)s)",
        )
    lighten.add_argument(
        "--seed",
        dest="sample",
        type=count,
        default=0,
        metavar="SEED",
        help="of the search and its first part, others follow (default: %(default)s)",
    )
    _add_process_options(lighten)
    lighten.set_defaults(run=mesh_commands.run_lighten, increments=10)


def _add_process_options(command: argparse.ArgumentParser) -> None:
    """What `svevae spread` and `lighten` share."""
    _add_mesh_options(command)
    command.add_argument(
        "--voxel-size",
        type=finite,
        metavar="UM",
        help="of the SVEs in micrometres (default: what SVES says, else the model)",
    )
    add_cluster_options(command)
    add_model_option(command)
