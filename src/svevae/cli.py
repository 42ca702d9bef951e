"""The console script `svevae`: every stage of dvc.yaml and every entry of MLproject is one of its commands."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from svevae import __version__
from svevae.errors import SvevaeError

CHAMPION = "models:/svevae@champion"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0, or 2 where the input is at fault, with a message and no traceback."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except SvevaeError as error:
        print(f"svevae {options.command}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.strerror is None:  # not the system's word but a library's, so likely our fault: show where
            raise
        print(f"svevae {options.command}: {error.filename or 'file system'}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"svevae {options.command}: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="svevae", description="Latent-space multiscale simulation of porous metals.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)

    check = commands.add_parser("check", help="say what is in an SVE file, or everything that is wrong with it")
    check.add_argument("file", type=Path)
    check.set_defaults(run=_check)

    for name, text in (
        ("prepare", "split the dataset by part, draw it"),
        ("train", "train the VAE; goes on where it was interrupted"),
        ("evaluate", "score the model on the test parts, draw the pictures"),
        ("register", "register the model; the best becomes champion"),
    ):
        commands.add_parser(name, help=f"stage: {text}").set_defaults(run=_stage)

    commands.add_parser("summary", help="the scores and where the champion is").set_defaults(run=_summary)

    text = "inside `mlflow run`: where DVC had everything already, give the new run the scores and the name of the run that trained"
    commands.add_parser("record", help=text).set_defaults(run=_record)

    predict = commands.add_parser("predict", help="properties of every SVE of a file")
    predict.add_argument("file", type=Path)
    predict.add_argument("-o", "--output", type=Path, required=True, help="a .csv or .h5 file")
    predict.add_argument("-m", "--model", default=CHAMPION, help="registry URI or folder (default: %(default)s)")
    predict.set_defaults(run=_predict)

    ui = commands.add_parser("ui", help="the MLflow page of this project's store, on this machine only")
    ui.add_argument("--port", type=int, default=5000)
    ui.set_defaults(run=_ui)
    return parser


def _check(options: argparse.Namespace) -> None:
    from svevae.dataset.store import describe, find_problems
    from svevae.errors import DataError

    problems = find_problems(options.file, labelled=False)
    if problems:
        raise DataError("\n  ".join([f"{options.file}: {len(problems)} problem{'s' * (len(problems) > 1)}", *problems]))
    print(describe(options.file))


def _stage(options: argparse.Namespace) -> None:
    import importlib

    from svevae.config import load_params

    params = load_params()
    if options.command in ("train", "evaluate"):
        _import_keras(params.base.backend)
    module = importlib.import_module(f"svevae.stages.{options.command}")
    getattr(module, options.command)(params)


def _summary(options: argparse.Namespace) -> None:
    from svevae.summary import summary

    print(summary())


def _record(options: argparse.Namespace) -> None:
    from svevae.stages.record import record

    record()


def _predict(options: argparse.Namespace) -> None:
    _import_keras("tensorflow")
    from svevae.use.predict import predict_file

    count = predict_file(options.file, options.output, options.model)
    print(f"{options.output}: properties of {count} SVEs, by {options.model}")


def _ui(options: argparse.Namespace) -> None:
    from svevae import tracking

    uri = tracking.connect()
    print(f"http://127.0.0.1:{options.port}  ({uri}); Ctrl-C ends it", flush=True)
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--host", "127.0.0.1", "--port", str(options.port)]
    os.execv(sys.executable, [*command, "--workers", "1"])


def _import_keras(backend: str) -> None:
    """Import Keras on `backend`, unless KERAS_BACKEND names another, without the start-up chatter of TensorFlow's C++ side.

    No environment variable silences what it writes before its logging is set up, hence the detour of file descriptor 2; the
    text is shown after all if the import fails.
    """
    os.environ.setdefault("KERAS_BACKEND", backend)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what goes wrong comes as a Python error too
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
