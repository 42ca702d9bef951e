"""The commands of `svevae` and their options."""

from __future__ import annotations

import argparse
from pathlib import Path

from svevae import __version__
from svevae.cli import commands, stage_commands
from svevae.cli.mesh import add_field, add_lighten, add_run, add_spread
from svevae.cli.shared import (
    add_allow_host_option,
    add_cluster_options,
    add_model_option,
    add_params_option,
)
from svevae.cli.values import count, path, positive, target
from svevae.cli.volumes import add_import


def make_parser() -> argparse.ArgumentParser:
    """All commands; of the parsed options `run` is the function that runs one, `named` has its
    options by the arguments that they become.
    """
    parser = argparse.ArgumentParser(
        prog="svevae", description="Latent-space multiscale simulation of porous metals."
    )
    parser.add_argument("--version", action="version", version=__version__)
    parsers = parser.add_subparsers(dest="command", required=True)

    text = "lay a new project: params.yaml, dvc.yaml, MLproject, a DVC remote, git"
    init = parsers.add_parser("init", help=text, description=f"{text[0].upper()}{text[1:]}.")
    init.add_argument("folder", type=path, help="a new or empty folder")
    text = "SVE file with properties that the project is to learn from; it is copied"
    init.add_argument("--data", type=path, metavar="FILE", help=text)
    init.set_defaults(run=commands.run_init)

    check = parsers.add_parser(
        "check", help="say what is in an SVE file, or everything that is wrong with it"
    )
    check.add_argument("file", type=path)
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
    add_params_option(generate)
    add_cluster_options(generate)
    generate.set_defaults(run=commands.run_generate)

    add_import(parsers)

    show = parsers.add_parser(
        "show", help="draw an SVE file: its SVEs, pores, properties and neighbours"
    )
    show.add_argument("file", type=path)
    show.add_argument(
        "-o",
        "--output",
        type=path,
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
    scatter.add_argument("file", type=path)
    scatter.add_argument(
        "-o",
        "--output",
        type=path,
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
        "-o", "--output", type=path, required=True, help="a .vtkhdf file, or a .onnx file"
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
        type=positive,
        metavar="N",
        help="processes of this machine (default: search.workers)",
    )
    search.set_defaults(run=stage_commands.run_search)

    for name, text in (
        ("prepare", "split the dataset by part, draw it"),
        ("train", "train the VAE; goes on where it was interrupted"),
        ("evaluate", "score the model on the test parts, draw the pictures"),
        ("register", "register the model; the best becomes champion"),
    ):
        parsers.add_parser(name, help=f"stage: {text}").set_defaults(run=stage_commands.run_stage)

    compare = parsers.add_parser(
        "compare",
        help="stage of multiscale/dvc.yaml: tensile bars, every pore resolved and encoded",
    )
    compare.set_defaults(run=stage_commands.run_multiscale)
    text = "stage of multiscale/dvc.yaml: uncertainty of the microstructure to that of the response"
    propagate = parsers.add_parser("propagate", help=text)
    add_cluster_options(propagate)
    propagate.set_defaults(run=stage_commands.run_multiscale)

    text = (
        "stage of multiscale/dvc.yaml: the gradation of porosity that carries a load at least mass"
    )
    parsers.add_parser("grade", help=text).set_defaults(run=stage_commands.run_multiscale)

    parsers.add_parser("summary", help="the scores and where the champion is").set_defaults(
        run=stage_commands.run_summary
    )

    text = "copy the evaluated model, its card and figures into champion/, for `dvc add champion`"
    parsers.add_parser("keep", help=text).set_defaults(run=stage_commands.run_keep)

    text = (
        "inside `mlflow run`: where DVC had everything already, give the new run the scores and the"
        " name of the run that trained"
    )
    parsers.add_parser("record", help=text).set_defaults(run=stage_commands.run_record)

    predict = parsers.add_parser("predict", help="properties of every SVE of a file")
    predict.add_argument("file", type=path)
    predict.add_argument("-o", "--output", type=path, required=True, help="a .csv or .h5 file")
    add_model_option(predict)
    predict.set_defaults(run=commands.run_predict)

    sample = parsers.add_parser("sample", help="new SVEs, with wished properties if need be")
    sample.add_argument("-o", "--output", type=path, required=True, help="an .h5 file")
    sample.add_argument(
        "-n", "--count", type=positive, default=16, help="how many (default: %(default)s)"
    )
    sample.add_argument(
        "-t",
        "--target",
        type=target,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="e.g. yield_z=190; repeat it",
    )
    sample.add_argument("--seed", type=count, default=0)
    add_model_option(sample)
    sample.set_defaults(run=commands.run_sample)

    add_field(parsers)
    add_run(parsers)
    add_spread(parsers)
    add_lighten(parsers)

    explore = parsers.add_parser(
        "explore",
        help="a page on this machine: SVEs in 3-D, latent sliders, predicted and solved curves",
    )
    explore.add_argument(
        "file",
        type=path,
        nargs="?",
        help="an SVE file to pick from (default: the model's own data, if they are here)",
    )
    add_model_option(explore)
    explore.add_argument(
        "--port", type=int, default=5006, help="default: %(default)s; 0 takes a free one"
    )
    add_allow_host_option(explore)
    explore.add_argument(
        "--upload-limit",
        type=positive,
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
    add_allow_host_option(ui)
    ui.set_defaults(run=commands.run_ui)
    for command in parsers.choices.values():
        command.set_defaults(
            named={
                one.dest: one.option_strings[-1] for one in command._actions if one.option_strings
            }
        )
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
        type=target,
        action="append",
        required=True,
        metavar="NAME=VALUE",
        help="a property in the unit of the model, or porosity, e.g. yield_z=220; repeat it",
    )
    design.add_argument(
        "-o",
        "--output",
        type=path,
        default=Path("design.h5"),
        help="an .h5 file (default: %(default)s)",
    )
    design.add_argument(
        "-n",
        "--count",
        type=positive,
        default=8,
        help="how many candidates (default: %(default)s)",
    )
    design.add_argument(
        "--solve",
        type=count,
        metavar="N",
        help="how many of them the solver checks (default: all; 0: none)",
    )
    design.add_argument("--seed", type=count, default=0)
    add_model_option(design)
    text = (
        "SVE file whose material, tension and tolerance the solver is to take (default: those the"
        " model was trained with)"
    )
    design.add_argument("--data", type=path, metavar="FILE", help=text)
    add_cluster_options(design)
    design.set_defaults(run=commands.run_design)
