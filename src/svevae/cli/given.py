"""What options that several commands have say: the model, the workers, the section generate."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from svevae import __version__
from svevae.cli.quiet_keras import import_keras

if TYPE_CHECKING:
    from svevae.config import Generate
    from svevae.dataset.cluster import Work


def model_of(options: argparse.Namespace) -> str:
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


def work_of(options: argparse.Namespace) -> Work:
    from svevae.dataset.cluster import Work

    return Work(options.workers, options.scheduler)


def alone(options: argparse.Namespace) -> contextlib.AbstractContextManager[None]:
    """The lock of a stage: what `dvc` started lives on where `dvc` is killed, and would write the
    same files as the next one.
    """
    from svevae.files import locked

    return locked(Path(".checkpoints") / f"{options.command}.lock", options.command)


def settings_of(options: argparse.Namespace) -> Generate:
    from svevae.config import Generate
    from svevae.sections import load_section

    return load_section(options.params, "generate", Generate)


def import_keras_to_write(options: argparse.Namespace, verb: str, *sources: Path | None) -> None:
    """Import Keras, which takes seconds, once it is known that `verb` may write its output, and
    that the material is one.
    """
    from svevae.dataset.label_settings import read_material
    from svevae.use.targets import check_output

    check_output(verb, options.output, [source for source in sources if source is not None])
    if getattr(options, "material", None) is not None:
        read_material(options.material)
    import_keras("tensorflow")
