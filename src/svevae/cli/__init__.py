"""The console script `svevae`: every stage of dvc.yaml and every entry of MLproject is one of its
commands. `options`, with `volumes` and `mesh`, parses their arguments; `commands`, `mesh_commands`
and `stage_commands` run them.
"""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from svevae.cli.options import make_parser
from svevae.errors import SvevaeError, missing

AFRESH = (
    "check",
    "export",
    "predict",
    "run",
    "sample",
    "scatter",
    "show",
)  # they keep nothing on disk


class Ended(KeyboardInterrupt):
    """SIGTERM, by which `kill`, batch systems and containers end a command: whatever gives way to
    Ctrl-C gives way to it.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0, or 2 where the input is at fault, with a message and no traceback; 130
    after Ctrl-C and 143 after SIGTERM.
    """
    parser = make_parser()
    options = parser.parse_args(arguments)
    # a search for garbage after 700 new objects costs a tenth of a short command: importing and
    # tracing TensorFlow makes millions, all of which stay
    gc.set_threshold(10_000)
    os.environ.setdefault("MPLBACKEND", "agg")  # commands write pictures and open no window
    try:
        with _ending():
            options.run(options)
        # what a closed pipe refuses, now; nothing where there is no stdout
        print(end="", flush=True)
    except SvevaeError as error:
        print(f"svevae {options.command}: {as_typed(str(error), options.named)}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        needs = missing(error)
        if needs is None:
            raise
        print(f"svevae {options.command}: {needs}", file=sys.stderr)
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
    except KeyboardInterrupt as interrupt:
        ended = isinstance(interrupt, Ended)
        how = "begins again" if options.command in AFRESH else "goes on where it stopped"
        print(
            f"svevae {options.command}: {'ended' if ended else 'interrupted'};"
            f" the same command {how}",
            file=sys.stderr,
        )
        return 128 + (signal.SIGTERM if ended else signal.SIGINT)
    return 0


@contextmanager
def _ending() -> Iterator[None]:
    """While the context lasts, the first SIGTERM raises Ended, and others do nothing: what runs is
    on its way out.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, lambda *_: None)
    raise Ended


def as_typed(message: str, named: Mapping[str, str]) -> str:
    """`message` with the arguments of Python at its beginning, before the first colon, as the
    options that people type: "voxel_size: ..." is "--voxel-size: ...", unless it is a file.
    """
    head, colon, rest = message.partition(":")
    if not colon or os.path.exists(head):
        return message
    options = {**{option.removeprefix("--"): option for option in named.values()}, **named}
    head = re.sub(
        r"(^|, )(\w+)(?=$|[ ,.])", lambda word: word[1] + options.get(word[2], word[2]), head
    )
    return f"{head}:{rest}"
