"""Where each verb may write. Nothing here needs TensorFlow, whose import takes seconds: commands
ask first.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from svevae.dataset.vtk import SUFFIXES
from svevae.errors import DataError
from svevae.files import check_target

ENDS = {
    "deck": (".inp",),
    "design": (".h5",),
    "export": (".onnx",),
    "field": (".csv", *SUFFIXES),
    "lighten": (".csv",),
    "predict": (".csv", ".h5"),
    "sample": (".h5", ".hdf5"),
    "scatter": (".png",),
    "spread": (".csv",),
}


def check_output(verb: str, target: Path, sources: Sequence[Path] = ()) -> None:
    """Raise DataError unless `verb`, a key of ENDS, may write `target` and its `sources`, files or
    folders, are there.
    """
    if target.suffix not in ENDS[verb]:
        raise DataError(
            f"{target}: expected a name that ends in {' or '.join(ENDS[verb])}"
            f"{' for a deck of --mesh' if verb == 'deck' else ''}, received"
            f" {target.suffix or 'none'}"
        )
    for source in sources:
        if not source.exists():
            raise DataError(f"{source}: expected a file to read, found nothing")
    check_target(target, sources)
