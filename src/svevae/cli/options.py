"""The commands of `svevae`, their options and what these accept."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from svevae import __version__
from svevae.cli import commands

MESH = "solid elements: .inp of Abaqus or CalculiX, .msh, .vtu, .med and others of meshio"


def make_parser() -> argparse.ArgumentParser:
    """All commands; the function that runs one is `run` of the parsed options."""
    parser = argparse.ArgumentParser(
        prog="svevae", description="Latent-space multiscale simulation of porous metals."
    )
    parser.add_argument("--version", action="version", version=__version__)
    parsers = parser.add_subparsers(dest="command", required=True)

    text = "lay a new project: params.yaml, dvc.yaml, MLproject, a DVC remote, git"
    init = parsers.add_parser("init", help=text, description=f"{text[0].upper()}{text[1:]}.")
    init.add_argument("folder", type=Path, help="a new or empty folder")
    text = "SVE file with properties that the project is to learn from; it is copied"
    init.add_argument("--data", type=Path, metavar="FILE", help=text)
    init.set_defaults(run=commands.run_init)

    check = parsers.add_parser(
        "check", help="say what is in an SVE file, or everything that is wrong with it"
    )
    check.add_argument("file", type=Path)
    check.set_defaults(run=commands.run_check)

    text = (
        "make and label the SVE dataset of the section generate of --params; goes on where it was"
        " interrupted"
    )
    more = (
        "Interrupt it at any moment, or raise the parts of generate.families later: the same"
        " command labels what is missing. Then: dvc add data."
    )
    generate = parsers.add_parser(
        "generate", help=text, description=f"{text[0].upper()}{text[1:]}. {more}"
    )
    _add_params_option(generate)
    _add_cluster_options(generate)
    generate.set_defaults(run=commands.run_generate)

    _add_import(parsers)

    show = parsers.add_parser(
        "show", help="draw an SVE file: its SVEs, pores, properties and neighbours"
    )
    show.add_argument("file", type=Path)
    show.add_argument(
        "-o",
        "--output",
        type=Path,
        help="a .png file (default: the name of FILE with .png, in this folder)",
    )
    show.set_defaults(run=commands.run_show)

    text = (
        "how the scatter of properties falls with SVE size and correlates with distance, from an"
        " SVE file and from a model"
    )
    scatter = parsers.add_parser(
        "scatter", help=text, description=f"{text[0].upper()}{text[1:]}; a table and a picture."
    )
    scatter.add_argument("file", type=Path)
    scatter.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("scatter.png"),
        help="a .png file (default: %(default)s)",
    )
    scatter.add_argument(
        "-p",
        "--property",
        action="append",
        default=[],
        metavar="NAME",
        help="or porosity; repeat it (default: three)",
    )
    scatter.add_argument(
        "-m",
        "--model",
        metavar="URI",
        help="registry URI or folder of a model to set beside the data (default: none)",
    )
    scatter.set_defaults(run=commands.run_scatter)

    export = parsers.add_parser(
        "export",
        help="one SVE or a whole part as a .vtkhdf file for ParaView, or a model as an ONNX file",
        description=(
            "Write one SVE or a whole part of an SVE file for ParaView (.vtkhdf), or a model for"
            " codes that are not Python (.onnx), whose input is voxels (sve, n, n, n) float32."
        ),
    )
    export.add_argument("file", help="an SVE file; for .onnx a model, by registry URI or folder")
    export.add_argument(
        "-o", "--output", type=Path, required=True, help="a .vtkhdf file, or a .onnx file"
    )
    which = export.add_mutually_exclusive_group()
    which.add_argument("--sve", type=int, metavar="I", help="index of the SVE in the file, from 0")
    which.add_argument(
        "--part", type=int, metavar="P", help="a number of /part_id; put together by /position"
    )
    export.set_defaults(run=commands.run_export)

    text = (
        "stage: find the configuration of the model by many short trainings; goes on where it was"
        " interrupted"
    )
    search = parsers.add_parser("search", help=text, description=f"{text[0].upper()}{text[1:]}.")
    how = search.add_mutually_exclusive_group()
    how.add_argument(
        "--join",
        action="store_true",
        help="work for a search begun elsewhere, on the same storage and MLflow server",
    )
    how.add_argument(
        "--report",
        action="store_true",
        help="write artifacts/search/report.html of the study as it is now",
    )
    search.add_argument(
        "--workers",
        type=_positive,
        metavar="N",
        help="processes of this machine (default: search.workers)",
    )
    search.set_defaults(run=commands.run_search)

    for name, text in (
        ("prepare", "split the dataset by part, draw it"),
        ("train", "train the VAE; goes on where it was interrupted"),
        ("evaluate", "score the model on the test parts, draw the pictures"),
        ("register", "register the model; the best becomes champion"),
    ):
        parsers.add_parser(name, help=f"stage: {text}").set_defaults(run=commands.run_stage)

    compare = parsers.add_parser(
        "compare",
        help="stage of multiscale/dvc.yaml: tensile bars, every pore resolved and encoded",
    )
    compare.set_defaults(run=commands.run_multiscale)
    text = "stage of multiscale/dvc.yaml: uncertainty of the microstructure to that of the response"
    propagate = parsers.add_parser("propagate", help=text)
    _add_cluster_options(propagate)
    propagate.set_defaults(run=commands.run_multiscale)

    text = (
        "stage of multiscale/dvc.yaml: the gradation of porosity that carries a load at least mass"
    )
    parsers.add_parser("grade", help=text).set_defaults(run=commands.run_multiscale)

    parsers.add_parser("summary", help="the scores and where the champion is").set_defaults(
        run=commands.run_summary
    )

    text = "copy the evaluated model, its card and figures into champion/, for `dvc add champion`"
    parsers.add_parser("keep", help=text).set_defaults(run=commands.run_keep)

    text = (
        "inside `mlflow run`: where DVC had everything already, give the new run the scores and the"
        " name of the run that trained"
    )
    parsers.add_parser("record", help=text).set_defaults(run=commands.run_record)

    predict = parsers.add_parser("predict", help="properties of every SVE of a file")
    predict.add_argument("file", type=Path)
    predict.add_argument("-o", "--output", type=Path, required=True, help="a .csv or .h5 file")
    _add_model_option(predict)
    predict.set_defaults(run=commands.run_predict)

    sample = parsers.add_parser("sample", help="new SVEs, with wished properties if need be")
    sample.add_argument("-o", "--output", type=Path, required=True, help="an .h5 file")
    sample.add_argument(
        "-n", "--count", type=_positive, default=16, help="how many (default: %(default)s)"
    )
    sample.add_argument(
        "-t",
        "--target",
        type=_target,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="e.g. yield_z=190; repeat it",
    )
    sample.add_argument("--seed", type=_count, default=0)
    _add_model_option(sample)
    sample.set_defaults(run=commands.run_sample)

    text = (
        "fields of elastoplastic properties of a scanned volume of any size; goes on where it was"
        " interrupted"
    )
    field = parsers.add_parser("field", help=text, description=f"{text[0].upper()}{text[1:]}.")
    text = "a volume, as for `svevae import`; with --sample an SVE file"
    field.add_argument("source", type=Path, help=text)
    field.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help=(
            "a .vtkhdf file for ParaView, or a .csv table of elements; with --mesh an .inp deck,"
            " and a .csv table, a .vtu file and a picture beside it"
        ),
    )
    mesh = field.add_argument_group(
        "onto a mesh", "a deck for CalculiX and Abaqus with the properties of each element's SVE"
    )
    mesh.add_argument("--mesh", type=Path, metavar="MESH", help=MESH)
    _add_mesh_options(mesh)
    _add_porosity_option(mesh)
    _add_scan_options(mesh)
    _add_volume_options(field)
    _add_model_option(field)
    field.set_defaults(run=commands.run_field)

    text = (
        "run a deck of `svevae field --mesh` by CalculiX: force against displacement, yield load,"
        " plastic strain"
    )
    deck = parsers.add_parser("run", help=text, description=f"{text[0].upper()}{text[1:]}.")
    deck.add_argument("deck", type=Path, help="an .inp file with a step of tension")
    deck.add_argument(
        "-o",
        "--output",
        type=Path,
        help=(
            "a .csv table; a picture has its name with .png, the fields of the part without -load"
            " and with -result.vtu (default: DECK-load.csv)"
        ),
    )
    deck.set_defaults(run=commands.run_run)

    _add_spread(parsers)
    _add_lighten(parsers)

    explore = parsers.add_parser(
        "explore",
        help="a page on this machine: SVEs in 3-D, latent sliders, predicted and solved curves",
    )
    explore.add_argument(
        "file",
        type=Path,
        nargs="?",
        help="an SVE file to pick from (default: the model's own data, if they are here)",
    )
    _add_model_option(explore)
    explore.add_argument(
        "--port", type=int, default=5006, help="default: %(default)s; 0 takes a free one"
    )
    _add_allow_host_option(explore)
    explore.add_argument(
        "--upload-limit",
        type=_positive,
        default=2,
        metavar="GIB",
        help="what a dropped volume may unpack to (default: %(default)s)",
    )
    explore.add_argument(
        "--no-browser",
        dest="browser",
        action="store_false",
        help="say the address and open nothing",
    )
    explore.set_defaults(run=commands.run_explore)

    _add_design(parsers)

    ui = parsers.add_parser(
        "ui", help="the MLflow page of this project's store, on this machine only"
    )
    ui.add_argument(
        "--port", type=int, default=5000, help="default: %(default)s; 0 takes a free one"
    )
    _add_allow_host_option(ui)
    ui.set_defaults(run=commands.run_ui)
    return parser


def _add_design(parsers: argparse._SubParsersAction) -> None:
    text = "SVEs with wished properties, checked by the solver and ranked by what it says"
    more = (
        "Writes them, the best first, and a picture of the same name. Interrupt it at any moment:"
        " the same command goes on."
    )
    design = parsers.add_parser("design", help=text, description=f"{text}. {more}")
    design.add_argument(
        "-t",
        "--target",
        type=_target,
        action="append",
        required=True,
        metavar="NAME=VALUE",
        help="a property in the unit of the model, or porosity, e.g. yield_z=220; repeat it",
    )
    design.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("design.h5"),
        help="an .h5 file (default: %(default)s)",
    )
    design.add_argument(
        "-n",
        "--count",
        type=_positive,
        default=8,
        help="how many candidates (default: %(default)s)",
    )
    design.add_argument(
        "--solve",
        type=_count,
        metavar="N",
        help="how many of them the solver checks (default: all; 0: none)",
    )
    design.add_argument("--seed", type=_count, default=0)
    _add_model_option(design)
    text = (
        "SVE file whose material, tension and tolerance the solver is to take (default: those the"
        " model was trained with)"
    )
    design.add_argument("--data", type=Path, metavar="FILE", help=text)
    _add_cluster_options(design)
    design.set_defaults(run=commands.run_design)


def _add_import(parsers: argparse._SubParsersAction) -> None:
    take = parsers.add_parser(
        "import",
        help="other people's volumes or samples, with or without properties, as an SVE file",
    )
    take.add_argument(
        "source",
        type=Path,
        nargs="+",
        help=(
            "a volume, a folder of slices or of volumes, .npz, HDF5 or FANS results; or closed"
            " surfaces of pores"
        ),
    )
    take.add_argument("-o", "--output", type=Path, required=True, help="the SVE file to write")
    take.add_argument(
        "--size", type=int, metavar="N", help="edge of the SVEs in voxels (default: whole samples)"
    )
    take.add_argument(
        "--stride",
        type=int,
        metavar="N",
        help="voxels from one SVE to the next (default: the size)",
    )
    _add_volume_options(take)
    take.add_argument(
        "--table",
        help="CSV file of the properties (.csv, .tsv, .txt), or the array of them in a .npz or HDF5"
        " file",
    )
    take.add_argument(
        "--properties", type=_words, metavar="NAME,NAME", help="those to keep (default: all)"
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
    _add_params_option(take)
    _add_cluster_options(take)
    take.set_defaults(run=commands.run_import)


def _add_volume_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--crop",
        type=_span,
        nargs=3,
        metavar=("X", "Y", "Z"),
        help="START:STOP along each axis, e.g. 20:980 : 100:",
    )
    command.add_argument(
        "--threshold", type=_finite, help="grey that divides pore and solid (default: Otsu's)"
    )
    command.add_argument(
        "--pores",
        type=_pores,
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
        "--mask", metavar="FILE", help="volume of the same shape, 0 outside the field of view"
    )
    command.add_argument(
        "--resample",
        type=_finite,
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
        type=_count,
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
        type=_positive,
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
        type=_finite,
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
        type=_finite,
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
        type=_finite,
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
        "--strain", type=_finite, metavar="FRACTION", help="of the distance of the two faces"
    )
    mesh.add_argument(
        "--displacement", type=_finite, metavar="LENGTH", help="in the mesh's unit, instead"
    )
    mesh.add_argument(
        "--increments",
        type=_positive,
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
        type=_finite,
        nargs=3,
        metavar=("X", "Y", "Z"),
        help=(
            "corner of the scan's first voxel in the mesh's unit (default: where the file says, of"
            " surfaces and VTK images with --unit; else 0 0 0)"
        ),
    )
    mesh.add_argument(
        "--sample",
        type=_count,
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
        type=Path,
        metavar="FILE",
        help="your own step, which the deck includes in place of one of tension",
    )


def _add_spread(parsers: argparse._SubParsersAction) -> None:
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
    spread.add_argument("source", type=Path, metavar="SVES", help="an SVE file of the process")
    spread.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help=(
            "a .csv table with a row for each part; beside it -curves.csv, -quantiles.csv and a"
            " .png picture"
        ),
    )
    spread.add_argument("--mesh", type=Path, metavar="MESH", required=True, help=MESH)
    spread.add_argument(
        "-n",
        "--samples",
        dest="count",
        type=_count,
        default=100,
        metavar="N",
        help="how many parts (default: %(default)s)",
    )
    spread.add_argument(
        "--seed",
        dest="sample",
        type=_count,
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
    spread.set_defaults(run=commands.run_spread)


def _add_lighten(parsers: argparse._SubParsersAction) -> None:
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
    lighten.add_argument("source", type=Path, metavar="SVES", help="an SVE file of the process")
    lighten.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help=(
            "a .csv table with a row for each design that was run; beside it -porosity.csv, what"
            " `svevae field --porosity` takes for the best, and a .png picture"
        ),
    )
    lighten.add_argument("--mesh", type=Path, metavar="MESH", required=True, help=MESH)
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
        type=_finite,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help=(
            "of designs, the lowest and the highest, fractions (default: between them are 90 %% of"
            " the SVEs)"
        ),
    )
    lighten.add_argument(
        "--load",
        type=_finite,
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
            type=_count,
            default=default,
            metavar="N",
            help=f"{text} (default: %(default)s)",
        )
    lighten.add_argument(
        "--seed",
        dest="sample",
        type=_count,
        default=0,
        metavar="SEED",
        help="of the search and its first part, others follow (default: %(default)s)",
    )
    _add_process_options(lighten)
    lighten.set_defaults(run=commands.run_lighten, increments=10)


def _add_process_options(command: argparse.ArgumentParser) -> None:
    """What `svevae spread` and `lighten` share."""
    _add_mesh_options(command)
    command.add_argument(
        "--voxel-size",
        type=_finite,
        metavar="UM",
        help="of the SVEs in micrometres (default: what SVES says, else the model)",
    )
    _add_cluster_options(command)
    _add_model_option(command)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, received {text}")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected 0 or more, received {text}")
    return int(text)


def _finite(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a number, received {text!r}")
    return value


def _span(text: str) -> tuple[int | None, int | None]:
    """start:stop, either left out for an end of the volume."""
    try:
        start, stop = (int(end) if end else None for end in text.split(":"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected START:STOP, either may be left out, received {text!r}"
        ) from None
    return (start, stop)


def _pores(text: str) -> str | float:
    try:
        return text if text in ("dark", "bright") else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected dark, bright or a number, received {text!r}"
        ) from None


def _target(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, received {text!r}") from None


def _material(text: str) -> str | dict[str, float]:
    if "=" not in text:
        return text
    pairs = [_target(pair) for pair in text.split(",")]
    if len(dict(pairs)) < len(pairs):
        raise argparse.ArgumentTypeError(f"expected each constant once, received {text!r}")
    return dict(pairs)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _add_cluster_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--workers",
        type=_positive,
        metavar="N",
        help="processes of this machine (default: one for each core)",
    )
    command.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="run on this Dask scheduler instead, e.g. tcp://host:8786",
    )


def _add_allow_host_option(command: argparse.ArgumentParser) -> None:
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


def _add_model_option(command: argparse.ArgumentParser) -> None:
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
        type=_material,
        metavar="LAW",
        help=(
            "the matrix, a preset or E=...,nu=...,s0=...,Q=...,b=... in MPa (default: what FILE"
            " says, else the model's usual one)"
        ),
    )


def _add_params_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--params",
        type=Path,
        default=Path("params.yaml"),
        metavar="FILE",
        help="YAML file with the section generate, alone if need be (default: %(default)s)",
    )
