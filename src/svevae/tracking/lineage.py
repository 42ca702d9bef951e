"""What made a run: commit, DVC stage and experiment, version, machine, installed packages."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

from svevae import __version__


def lineage() -> dict[str, str]:
    """Tags that say what made a run: git commit and whether files differ from it, DVC stage and
    experiment, svevae's version.

    Where git names no commit, the run has none, and a line on stderr says why.
    """
    try:
        commit = _git("rev-parse", "HEAD")
        # What the pipeline itself writes makes no run dirty.
        changed = _git(
            "status", "--porcelain", "--untracked-files=no", "--", ".", ":!dvc.lock", ":!artifacts"
        )
        dirty = str(bool(changed)).lower()
    except (OSError, subprocess.CalledProcessError) as error:
        commit = dirty = ""
        _say_once(f"the run names no commit: {_first_line(error)}")
    tags = {
        "mlflow.source.git.commit": commit,
        "svevae.git_commit": commit,
        "svevae.git_dirty": dirty,
        "svevae.dvc_stage": os.environ.get("DVC_STAGE", ""),
        "svevae.dvc_experiment": os.environ.get("DVC_EXP_NAME", ""),
        "svevae.version": __version__,
    }
    return {key: value for key, value in tags.items() if value}


def _git(*arguments: str) -> str:
    """What git answers in this folder. Raises OSError without git, CalledProcessError where it
    refuses: outside a repository, or in one of another user.
    """
    done = subprocess.run(["git", *arguments], capture_output=True, encoding="utf-8", check=True)
    return done.stdout.strip()


def _first_line(error: OSError | subprocess.CalledProcessError) -> str:
    text = error.stderr if isinstance(error, subprocess.CalledProcessError) else ""
    return next(iter(text.splitlines()), str(error))


@cache
def _say_once(text: str) -> None:
    print(text, file=sys.stderr)
