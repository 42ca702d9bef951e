"""Where svevae finds what is not code: the project around the working folder, and what comes with
the package, the champion and the files of a new project.

A wheel carries these in the folder `carried` of the package, put there by hatch_build.py; a clone
has them at its root.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from svevae.errors import ConfigError, DataError

DATABASE = "mlflow.db"  # the store of a project without MLFLOW_TRACKING_URI
CARRIED = "carried"
MODEL_FILES = ("model.keras", "contract.json", "posterior.npz")
PROJECT_FILES = (
    "params.yaml",
    "dvc.yaml",
    "multiscale/params.yaml",
    "multiscale/dvc.yaml",
    "MLproject",
    "src/mlproject.sh",
    ".dvc/config",
    ".dvc/.gitignore",
    ".dvcignore",
    ".gitignore",
)
_PACKAGE = Path(__file__).parent
_CLONE = _PACKAGE.parents[1]


def nearest_project() -> Path | None:
    """The folder with dvc.yaml and MLproject: DVC_ROOT inside a stage, else the nearest one
    upwards.
    """
    if root := os.environ.get("DVC_ROOT"):
        return Path(root)
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "MLproject").is_file() and (folder / "dvc.yaml").is_file():
            return folder
    return None


def check_experiment_is_kept() -> None:
    """Raises ConfigError in a stage whose results DVC would lose without a word: in the temporary
    copy of `dvc exp run --temp` or `--queue`, from which it cannot fetch into a shallow clone.
    """
    root = Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()
    if root / ".dvc" / "tmp" / "exps" not in Path.cwd().resolve().parents:
        return
    asked = ["git", "rev-parse", "--is-shallow-repository"]
    answer = subprocess.run(
        asked, cwd=root, capture_output=True, encoding="utf-8", check=False
    ).stdout
    if answer.strip() == "true":
        raise ConfigError(
            f"{root}: expected the whole history of git, received a shallow clone, in which `dvc"
            " exp run --temp` and `--queue` keep no results: run `git fetch --unshallow` first, or"
            " `dvc exp run` without them"
        )


def carried_champion() -> Path:
    """The folder of the champion that came with svevae. Raises DataError where it did not."""
    for folder in (_PACKAGE / CARRIED / "champion", _CLONE / "champion" / "model"):
        if folder.is_dir():
            return folder
    if (_CLONE / "champion.dvc").is_file():
        raise DataError(f"{folder}: expected the kept champion; run `dvc pull champion.dvc`")
    raise DataError(f"{_PACKAGE}: expected the champion of a wheel of svevae, found none")


def project_file(name: str) -> Path:
    """A file of PROJECT_FILES as it is shipped."""
    carried = _PACKAGE / CARRIED / "project"
    return (carried if carried.is_dir() else _CLONE) / name
