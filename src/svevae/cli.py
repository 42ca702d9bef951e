"""The console script `svevae`: every stage of dvc.yaml and every entry of MLproject is one of its
commands.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from svevae import __version__
from svevae.errors import SvevaeError

if TYPE_CHECKING:
    from svevae.config import Generate
    from svevae.dataset.cluster import Work

EXTRAS = {  # what `pip install svevae` leaves out: modules by the extra that has them
    "pipeline": (
        "dvc",
        "filelock",
        "grpc",
        "jinja2",
        "mlflow",
        "optuna",
        "plotly",
        "psutil",
        "requests",
        "sklearn",
        "sqlalchemy",
    ),
    "explore": ("dash", "flask", "werkzeug"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0, or 2 where the input is at fault, with a message and no traceback."""
    parser = _parser()
    options = parser.parse_args(arguments)
    os.environ.setdefault("MPLBACKEND", "agg")  # commands write pictures and open no window
    try:
        options.run(options)
        # what a closed pipe refuses, now; nothing where there is no stdout
        print(end="", flush=True)
    except SvevaeError as error:
        print(f"svevae {options.command}: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        extra = next((extra for extra, modules in EXTRAS.items() if module in modules), None)
        if extra is None:
            raise
        print(
            f"svevae {options.command}: needs {module}, which is not installed:"
            f" pip install 'svevae[{extra}]'",
            file=sys.stderr,
        )
        return 2
    except BrokenPipeError:  # `svevae check ... | head`: who reads has enough
        # else Python flushes into the pipe once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.strerror is None:  # not the system's word but a library's: show where
            raise
        print(
            f"svevae {options.command}: {error.filename or 'file system'}: {error.strerror}",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print(
            f"svevae {options.command}: interrupted; the same command goes on where it stopped",
            file=sys.stderr,
        )
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="svevae", description="Latent-space multiscale simulation of porous metals."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)

    text = "lay a new project: params.yaml, dvc.yaml, MLproject, a DVC remote, git"
    init = commands.add_parser("init", help=text, description=f"{text[0].upper()}{text[1:]}.")
    init.add_argument("folder", type=Path, help="a new or empty folder")
    text = "SVE file with properties that the project is to learn from; it is copied"
    init.add_argument("--data", type=Path, metavar="FILE", help=text)
    init.set_defaults(run=_init)

    check = commands.add_parser(
        "check", help="say what is in an SVE file, or everything that is wrong with it"
    )
    check.add_argument("file", type=Path)
    check.set_defaults(run=_check)

    text = (
        "make and label the SVE dataset of the section generate of --params; goes on where it was"
        " interrupted"
    )
    more = (
        "Interrupt it at any moment, or raise generate.parts later: the same command labels what is"
        " missing. Then: dvc add data."
    )
    generate = commands.add_parser(
        "generate", help=text, description=f"{text[0].upper()}{text[1:]}. {more}"
    )
    _add_params_option(generate)
    _add_cluster_options(generate)
    generate.set_defaults(run=_generate)

    _add_import(commands)

    show = commands.add_parser(
        "show", help="draw an SVE file: its SVEs, pores, properties and neighbours"
    )
    show.add_argument("file", type=Path)
    show.add_argument(
        "-o",
        "--output",
        type=Path,
        help="a .png file (default: the name of FILE with .png, in this folder)",
    )
    show.set_defaults(run=_show)

    text = (
        "how the scatter of properties falls with SVE size and correlates with distance, from an"
        " SVE file and from a model"
    )
    scatter = commands.add_parser(
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
    scatter.set_defaults(run=_scatter)

    export = commands.add_parser(
        "export", help="one SVE or a whole part as a .vtkhdf file for ParaView"
    )
    export.add_argument("file", type=Path)
    export.add_argument("-o", "--output", type=Path, required=True, help="a .vtkhdf file")
    which = export.add_mutually_exclusive_group(required=True)
    which.add_argument("--sve", type=int, metavar="I", help="index of the SVE in the file, from 0")
    which.add_argument(
        "--part", type=int, metavar="P", help="a number of /part_id; put together by /position"
    )
    export.set_defaults(run=_export)

    text = (
        "stage: find the configuration of the model by many short trainings; goes on where it was"
        " interrupted"
    )
    search = commands.add_parser("search", help=text, description=f"{text[0].upper()}{text[1:]}.")
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
    search.set_defaults(run=_search)

    for name, text in (
        ("prepare", "split the dataset by part, draw it"),
        ("train", "train the VAE; goes on where it was interrupted"),
        ("evaluate", "score the model on the test parts, draw the pictures"),
        ("register", "register the model; the best becomes champion"),
    ):
        commands.add_parser(name, help=f"stage: {text}").set_defaults(run=_stage)

    compare = commands.add_parser(
        "compare",
        help="stage of multiscale/dvc.yaml: tensile bars, every pore resolved and encoded",
    )
    compare.set_defaults(run=_multiscale)
    text = "stage of multiscale/dvc.yaml: uncertainty of the microstructure to that of the response"
    propagate = commands.add_parser("propagate", help=text)
    _add_cluster_options(propagate)
    propagate.set_defaults(run=_multiscale)

    text = (
        "stage of multiscale/dvc.yaml: the gradation of porosity that carries a load at least mass"
    )
    commands.add_parser("grade", help=text).set_defaults(run=_multiscale)

    commands.add_parser("summary", help="the scores and where the champion is").set_defaults(
        run=_summary
    )

    text = "copy the evaluated model, its card and figures into champion/, for `dvc add champion`"
    commands.add_parser("keep", help=text).set_defaults(run=_keep)

    text = (
        "inside `mlflow run`: where DVC had everything already, give the new run the scores and the"
        " name of the run that trained"
    )
    commands.add_parser("record", help=text).set_defaults(run=_record)

    predict = commands.add_parser("predict", help="properties of every SVE of a file")
    predict.add_argument("file", type=Path)
    predict.add_argument("-o", "--output", type=Path, required=True, help="a .csv or .h5 file")
    _add_model_option(predict)
    predict.set_defaults(run=_predict)

    sample = commands.add_parser("sample", help="new SVEs, with wished properties if need be")
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
    sample.set_defaults(run=_sample)

    text = (
        "fields of elastoplastic properties of a scanned volume of any size; goes on where it was"
        " interrupted"
    )
    field = commands.add_parser("field", help=text, description=f"{text[0].upper()}{text[1:]}.")
    field.add_argument("source", type=Path, help="a volume, as for `svevae import`")
    field.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="a .vtkhdf file for ParaView, or a .csv table of elements",
    )
    _add_volume_options(field)
    _add_model_option(field)
    field.set_defaults(run=_field)

    explore = commands.add_parser(
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
    explore.add_argument(
        "--no-browser",
        dest="browser",
        action="store_false",
        help="say the address and open nothing",
    )
    explore.set_defaults(run=_explore)

    _add_design(commands)

    ui = commands.add_parser(
        "ui", help="the MLflow page of this project's store, on this machine only"
    )
    ui.add_argument("--port", type=int, default=5000)
    ui.set_defaults(run=_ui)
    return parser


def _add_design(commands: argparse._SubParsersAction) -> None:
    text = "SVEs with wished properties, checked by the solver and ranked by what it says"
    more = (
        "Writes them, the best first, and a picture of the same name. Interrupt it at any moment:"
        " the same command goes on."
    )
    design = commands.add_parser("design", help=text, description=f"{text}. {more}")
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
    design.set_defaults(run=_design)


def _add_import(commands: argparse._SubParsersAction) -> None:
    take = commands.add_parser(
        "import",
        help="other people's volumes or samples, with or without properties, as an SVE file",
    )
    take.add_argument(
        "source",
        type=Path,
        nargs="+",
        help="a volume, a folder of slices or of volumes, .npz, HDF5 or FANS results",
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
        "--table", help="CSV file of the properties, or the array of them in a .npz or HDF5 file"
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
    take.set_defaults(run=_import)


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
        "--voxel-size", type=float, metavar="UM", help="micrometres (default: what the file says)"
    )
    command.add_argument("--dataset", help="array of the voxels in a .npz or HDF5 file")


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


def _add_params_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--params",
        type=Path,
        default=Path("params.yaml"),
        metavar="FILE",
        help="YAML file with the section generate, alone if need be (default: %(default)s)",
    )


def _model(options: argparse.Namespace) -> str:
    """The model that the user names, else the default one; says so where that is not the
    registry's.
    """
    if options.model is not None:
        return options.model
    from svevae.use.champion import default_model

    uri, reason = default_model()
    if reason:
        came = f"using the champion that came with svevae {__version__}"
        print(f"svevae {options.command}: {reason}: {came}", file=sys.stderr)
    return uri


def _work(options: argparse.Namespace) -> Work:
    from svevae.dataset.cluster import Work

    return Work(options.workers, options.scheduler)


def _settings(options: argparse.Namespace) -> Generate:
    from svevae.config import Generate
    from svevae.sections import load_section

    return load_section(options.params, "generate", Generate)


def _generate(options: argparse.Namespace) -> None:
    from svevae.dataset.generate import generate

    settings = _settings(options)
    print(generate(settings, _work(options), str(options.params)))
    if Path(settings.output).parent == Path("data") and Path("dvc.yaml").is_file():
        print("next: dvc add data")


def _import(options: argparse.Namespace) -> None:
    from svevae.scans.importers import ImportOptions, import_dataset

    label = None
    if options.label:
        from svevae.scans.importers import label_samples

        origin = str(options.params)
        label = partial(label_samples, _settings(options), _work(options), origin=origin)
    chosen = {
        field.name: getattr(options, field.name) for field in dataclasses.fields(ImportOptions)
    }
    print(import_dataset(options.source, options.output, ImportOptions(**chosen), label))


def _init(options: argparse.Namespace) -> None:
    if options.data is not None:
        _import_keras("tensorflow")
    from svevae.project import init

    print(init(options.folder, options.data))


def _show(options: argparse.Namespace) -> None:
    from svevae.dataset.store import open_dataset
    from svevae.pictures.dataset import plot_dataset

    output = options.output or Path(f"{options.file.stem}.png")
    plot_dataset(open_dataset(options.file, labelled=False), output)
    print(output)


def _scatter(options: argparse.Namespace) -> None:
    _import_keras("tensorflow")
    from svevae.pictures.scatter import plot_scatter
    from svevae.use.scatter import describe_scatter, scatter_of_file

    found, units = scatter_of_file(options.file, options.model, options.property)
    plot_scatter(found, units, options.output)
    print(f"{describe_scatter(found, units)}\n{options.output}")


def _export(options: argparse.Namespace) -> None:
    from svevae.dataset.store import open_dataset
    from svevae.dataset.vtk import export_part, export_sve

    data = open_dataset(options.file, labelled=False)
    if options.part is None:
        export_sve(data, options.sve, options.output)
    else:
        export_part(data, options.part, options.output)
    print(options.output)


def _check(options: argparse.Namespace) -> None:
    from svevae.dataset.store import describe_dataset, find_problems
    from svevae.errors import DataError

    problems = find_problems(options.file, labelled=False)
    if problems:
        raise DataError(
            "\n  ".join(
                [f"{options.file}: {len(problems)} problem{'s' * (len(problems) > 1)}", *problems]
            )
        )
    print(describe_dataset(options.file))


def _stage(options: argparse.Namespace) -> None:
    import importlib

    from svevae.config import load_params

    params = load_params()
    if options.command in ("train", "evaluate"):
        _import_keras(params.base.backend)
    module = importlib.import_module(f"svevae.stages.{options.command}")
    getattr(module, options.command)(params)


def _multiscale(options: argparse.Namespace) -> None:
    import importlib

    from svevae.parts.config import load_multiscale

    params = load_multiscale()
    _import_keras("tensorflow")
    stage = getattr(importlib.import_module(f"svevae.stages.{options.command}"), options.command)
    if hasattr(options, "scheduler"):
        stage(params, _work(options))
    else:
        stage(params)


def _search(options: argparse.Namespace) -> None:
    from svevae.config import load_params
    from svevae.stages import search

    params = load_params()
    if options.report:
        print(search.report(params))
    elif options.join:
        search.join(params, options.workers)
    else:
        search.search(params, options.workers)


def _summary(options: argparse.Namespace) -> None:
    from svevae.reports.summary import summary

    print(summary())


def _keep(options: argparse.Namespace) -> None:
    from svevae.reports.keep import keep

    print(keep())


def _record(options: argparse.Namespace) -> None:
    from svevae.reports.record import record

    record()


def _predict(options: argparse.Namespace) -> None:
    _import_keras("tensorflow")
    from svevae.use.predict import predict_file
    from svevae.words import counted

    model = _model(options)
    count = predict_file(options.file, options.output, model)
    print(f"{options.output}: properties of {counted(count, 'SVE')}, by {model}")


def _field(options: argparse.Namespace) -> None:
    _import_keras("tensorflow")
    from svevae.scans.layouts import ImportOptions
    from svevae.use.field import field_file

    given = {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(ImportOptions)
        if hasattr(options, field.name)
    }
    print(field_file(options.source, options.output, _model(options), ImportOptions(**given)))


def _sample(options: argparse.Namespace) -> None:
    _import_keras("tensorflow")
    from svevae.use.design import check_targets
    from svevae.use.sample import sample_file

    print(
        sample_file(
            options.output,
            _model(options),
            options.count,
            options.seed,
            check_targets(options.target),
        )
    )


def _design(options: argparse.Namespace) -> None:
    _import_keras("tensorflow")
    from svevae.pictures.design import plot_design
    from svevae.use.design import check_targets, describe_design, design_file

    found = design_file(
        options.output,
        _model(options),
        check_targets(options.target),
        count=options.count,
        solve=options.solve,
        seed=options.seed,
        data=options.data,
        work=_work(options),
    )
    plot_design(found, options.output.with_suffix(".png"))
    print(f"{describe_design(found)}\n{options.output}, {options.output.with_suffix('.png')}")


def _explore(options: argparse.Namespace) -> None:
    _import_keras("tensorflow")
    from svevae.explore.page import explore

    explore(_model(options), options.file, options.port, options.browser)


def _ui(options: argparse.Namespace) -> None:
    from svevae import tracking

    uri = tracking.connect()
    print(f"http://127.0.0.1:{options.port}  ({uri}); Ctrl-C ends it", flush=True)
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "ui",
        "--backend-store-uri",
        uri,
        "--host",
        "127.0.0.1",
        "--port",
        str(options.port),
    ]
    os.execv(sys.executable, [*command, "--workers", "1"])


def _import_keras(backend: str) -> None:
    """Import Keras on `backend`, unless KERAS_BACKEND names another, without the start-up chatter
    of TensorFlow's C++ side.

    No environment variable silences what it writes before its logging is set up, hence the detour
    of file descriptor 2; the text is shown after all if the import fails.
    """
    os.environ.setdefault("KERAS_BACKEND", backend)
    os.environ.setdefault(
        "TF_CPP_MIN_LOG_LEVEL", "3"
    )  # what goes wrong comes as a Python error too
    with tempfile.TemporaryFile() as chatter:
        stderr = os.dup(2)
        os.dup2(chatter.fileno(), 2)
        try:
            import keras

            keras.ops.zeros(1)  # the first tensor finds the devices, and says so
        except BaseException:
            chatter.seek(0)
            os.write(stderr, chatter.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


if __name__ == "__main__":
    sys.exit(main())
