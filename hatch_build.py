"""Puts into the wheel what is not code: the kept champion and the files of a new project.

The champion is in DVC's store, which the repository holds: files named by their md5, so neither DVC
nor a checkout of champion/ is needed. An editable install finds both in the clone.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STORES = (".dvc-store", ".dvc/cache")


class CustomBuildHook(BuildHookInterface):
    """Called by hatchling for each build of a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files, unless the build is that of an editable install."""
        if version == "editable":
            return
        root = Path(self.root)
        sys.path.insert(0, str(root / "src"))
        try:
            from svevae.places import CARRIED, MODEL_FILES, PROJECT_FILES
        finally:
            sys.path.pop(0)
        files = kept(root)
        carried = {f"champion/{name}": files[f"model/{name}"] for name in MODEL_FILES}
        carried |= {f"project/{name}": root / name for name in PROJECT_FILES}
        build_data["force_include"] |= {
            str(path): f"svevae/{CARRIED}/{name}" for name, path in carried.items()
        }


def kept(root: Path) -> dict[str, Path]:
    """The files of champion.dvc by their names, where the store has them."""
    folder = re.search(r"md5: (\w+\.dir)", (root / "champion.dvc").read_text(encoding="utf-8"))
    assert folder, "champion.dvc: expected the md5 of a folder"
    entries = json.loads(stored(root, folder[1]).read_text(encoding="utf-8"))
    return {entry["relpath"]: stored(root, entry["md5"]) for entry in entries}


def stored(root: Path, name: str) -> Path:
    """The file of this md5. Raises FileNotFoundError where no store has it whole."""
    for store in STORES:
        path = root / store / "files" / "md5" / name[:2] / name[2:]
        if path.is_file():
            digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
            if digest == name.removesuffix(".dir"):
                return path
    raise FileNotFoundError(
        f"champion.dvc: expected the file of md5 {name} in {' or '.join(STORES)}; run `dvc push`"
        " after `dvc add champion`"
    )
