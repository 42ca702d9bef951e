"""Where a study lives while it runs: a journal file that DVC does not know, copied from and to the
one that it keeps.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from svevae.dataset.digest import text_md5
from svevae.files import written_whole
from svevae.places import nearest_project
from svevae.search.storage import JOURNAL, mend_journal, open_journal, open_storage, whole_lines
from svevae.search.study import TERMS, Study
from svevae.search.task import Task
from svevae.search.task import terms as terms_of

LIVE = Path(".checkpoints/search")  # below the project's root
DIGITS = 8  # of the digest of a study's terms


def live_journal(name: str, terms: Mapping[str, Any]) -> Path:
    """The journal file in which the study `name` under these terms lives while it runs.

    It is no out of DVC's, which `dvc exp run` would put back to dvc.lock before the stage, and lies
    at the project's root, also in the temporary copies of `dvc exp run --temp` and `--queue`.
    Experiments under other terms may run at the same time: they have another one.
    """
    return _live_folder() / _live_name(
        name, text_md5(json.dumps([name, terms], sort_keys=True))[:DIGITS]
    )


def settled(task: Task, url: str) -> Task:
    """`task` with the name of its study: search.study, and where the storage at `url` has a study
    of that name on other data, that name and the first digits of the data's digest.
    """
    if url == "journal" and not JOURNAL.is_file():
        return task
    search, wanted = task.params.search, terms_of(task)
    try:
        made = Study.load(open_storage(url), search.study).study.user_attrs.get(TERMS, wanted)
    except KeyError:
        return task
    data = wanted["dataset_digest"]
    if made.get("dataset_digest", data) == data:
        return task
    search = dataclasses.replace(search, study=f"{search.study}-{data[:DIGITS]}")
    return dataclasses.replace(task, params=dataclasses.replace(task.params, search=search))


def newest_journal(name: str) -> Path | None:
    """The journal file that was written last, of a study `name` that runs or of the finished one;
    None where there is none.
    """
    running = _live_folder().glob(_live_name(name, "[0-9a-f]" * DIGITS))
    found = [path for path in (JOURNAL, *running) if _finished(path, name) >= 0]
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)


def _live_folder() -> Path:
    return (nearest_project() or Path()) / LIVE


def _live_name(name: str, digest: str) -> str:
    return f"{re.sub(r'[^a-zA-Z0-9_.]', '_', name)[:80]}-{digest}.journal"


def copy_journal(source: Path, target: Path) -> None:
    """Copy a journal file, whole or not at all; a last line that is not written yet is left out."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(target) as beside:
        beside.write_bytes(whole_lines(source.read_bytes()))


def take_over(kept: Path, live: Path, name: str, terms: Mapping[str, Any]) -> None:
    """Have `live` begin with what `kept` holds, other studies too, unless it is there already and
    `kept` has no more finished trials of the study `name`: those came by DVC, or an earlier svevae
    worked in that file. Raises ConfigError where the study in `kept` is one of other terms.
    """
    live.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(live.with_suffix(".beginning")):  # two searches may begin at once
        for journal in (kept, live):
            mend_journal(journal)
        more = _finished(kept, name, terms) > _finished(live, name, terms)
        if more or (kept.is_file() and not live.is_file()):
            copy_journal(kept, live)


def _finished(journal: Path, name: str, terms: Mapping[str, Any] | None = None) -> int:
    """How many trials of the study in `journal` have finished; -1 where it has no such study."""
    if not journal.is_file():
        return -1
    try:
        return len(Study.load(open_journal(journal), name, terms).finished())
    except KeyError:
        return -1
