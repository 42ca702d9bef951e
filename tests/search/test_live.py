"""Journals of studies that run: which one it is, and how it and the one that DVC keeps are copied
into each other.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from svevae.config import Params
from svevae.dataset.split import split_by_part
from svevae.dataset.store import SVEDataset
from svevae.errors import ConfigError
from svevae.search.live import copy_journal, live_journal, newest_journal, settled, take_over
from svevae.search.space import parse_space
from svevae.search.storage import JOURNAL, open_journal
from svevae.search.study import Study, Ticket
from svevae.search.task import Task, terms

TERMS = {"seed": 1}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def fill(path: Path, finished: int, terms: dict | None = None, name: str = "s") -> bytes:
    """A journal with a study of so many finished trials; its content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    study = Study.create(open_journal(path), name, ("combined",), terms or TERMS)
    study.issue([Ticket(number, number) for number in range(finished)])
    while trial := study.claim(0):
        study.study.tell(trial, 0.5)
    return path.read_bytes()


def test_the_journal_is_at_the_root_whatever_the_working_folder(folder: Path) -> None:
    """The temporary copy of `dvc exp run --temp` is deleted with all that is in it."""
    path = live_journal("s", TERMS)
    assert path.parent == folder / ".checkpoints" / "search"
    assert path == live_journal("s", dict(TERMS))
    others = {live_journal("s", {"seed": 2}), live_journal("t", TERMS), live_journal("a/b", TERMS)}
    assert len(others | {path}) == 4
    assert {other.parent for other in others} == {path.parent}


def test_the_newest_journal_of_a_name(folder: Path) -> None:
    assert newest_journal("s") is None
    for count, path in enumerate((live_journal("s", TERMS), live_journal("s", {}), JOURNAL)):
        fill(path, 1)
        os.utime(path, (count, count))
        fill(live_journal("s-2", TERMS), 1)
        assert newest_journal("s") == path


@pytest.mark.parametrize(
    ("kept", "live", "taken"),
    [(2, None, True), (3, 2, True), (2, 2, False), (2, 3, False), (None, 2, False)],
)
def test_the_journal_with_more_finished_trials_is_gone_on_with(
    kept: int | None, live: int | None, taken: bool
) -> None:
    """DVC has put the kept one back to what it was, or brought one from elsewhere."""
    path = live_journal("s", TERMS)
    before = fill(JOURNAL, kept) if kept is not None else b""
    own = fill(path, live) if live is not None else b""
    take_over(JOURNAL, path, "s", TERMS)
    assert path.read_bytes() == (before if taken else own)


def test_a_kept_study_of_other_terms_is_refused() -> None:
    fill(JOURNAL, 1, {"seed": 2})
    path = live_journal("s", TERMS)
    with pytest.raises(ConfigError, match="seed: the study has 2, expected now 1"):
        take_over(JOURNAL, path, "s", TERMS)
    assert not path.exists()


def test_other_data_have_a_study_of_their_own(params: Params, tiny: SVEDataset) -> None:
    """The finished study of a name stays, and is found again by its data."""
    split = split_by_part(tiny, 0.25, 0.25, seed=0)
    space = parse_space({"kl_weight": {"low": 0.5, "high": 2.0}}, params.train)
    task = Task(params, space, split, tiny)
    other = replace(task, split=replace(split, dataset_digest="0123456789abcdef"))
    assert settled(task, "journal") == task  # nothing is kept
    fill(JOURNAL, 1, terms(task), name=params.search.study)
    assert settled(task, "journal") == task
    name = settled(other, "journal").params.search.study
    assert name == f"{params.search.study}-01234567"
    path = live_journal(name, terms(other))
    take_over(JOURNAL, path, name, terms(other))
    fill(path, 1, terms(other), name=name)
    copy_journal(path, JOURNAL)
    assert settled(task, "journal") == task
    assert settled(other, "journal").params.search.study == name
    for study in (params.search.study, name):
        assert len(Study.load(open_journal(JOURNAL), study).finished()) == 1


def test_other_studies_are_kept() -> None:
    fill(JOURNAL, 1)
    path = live_journal("t", TERMS)
    take_over(JOURNAL, path, "t", TERMS)
    fill(path, 2, name="t")
    copy_journal(path, JOURNAL)
    for name, count in (("s", 1), ("t", 2)):
        assert len(Study.load(open_journal(JOURNAL), name).finished()) == count
    assert newest_journal("s") == JOURNAL


def test_a_line_that_is_being_written_is_not_copied(folder: Path) -> None:
    content = fill(folder / "a", 1)
    (folder / "a").write_bytes(content + b'{"op_code": 4, "worker')
    copy_journal(folder / "a", folder / "below" / "b")
    assert (folder / "below" / "b").read_bytes() == content
