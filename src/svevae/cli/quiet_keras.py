"""Keras, imported without what it and TensorFlow say and take along."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

# what TensorFlow and Keras import where they find it, and nothing here has of them: 0.1 GiB
GUESTS = ("jax", "matplotlib", "sklearn", "IPython")


@contextlib.contextmanager
def _as_if_absent(names: Iterable[str]) -> Iterator[None]:
    """Modules look as if they were not installed, unless they are imported already."""
    hidden: dict[str, Any] = {name: None for name in names if name not in sys.modules}
    sys.modules.update(hidden)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def import_keras(backend: str) -> None:
    """Import Keras on `backend`, unless KERAS_BACKEND names another, without the start-up chatter
    of TensorFlow's C++ side.

    No environment variable silences what it writes before its logging is set up, hence the detour
    of file descriptor 2; the text is shown after all if the import fails.
    """
    os.environ.setdefault("KERAS_BACKEND", backend)
    # what goes wrong comes as a Python error too
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryFile() as chatter:
        stderr = os.dup(2)
        os.dup2(chatter.fileno(), 2)
        named = os.environ["KERAS_BACKEND"]
        try:
            with _as_if_absent(name for name in GUESTS if name != named):
                import keras

            keras.ops.zeros(1)  # the first tensor finds the devices, and says so
        except BaseException:
            chatter.seek(0)
            os.write(stderr, chatter.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
