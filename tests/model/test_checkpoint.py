"""A training goes on from a whole file of the same configuration, and from nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from svevae.model.checkpoint import Checkpoint, Progress
from svevae.model.fit import fit

DAMAGES = {
    "a key missing": ("weight/3", None),
    "no progress": ("progress", None),
    "another shape": ("weight/3", np.zeros(77)),
    "no JSON": ("progress", np.array("{")),
    "a key of progress missing": ("progress", np.array("{}")),
    "no epoch of that number": (
        "progress",
        np.array('{"fingerprint": "f", "history": [{"val_loss": 1}], "best_epoch": 3}'),
    ),
}


def test_a_checkpoint_of_another_configuration_is_ignored(session) -> None:
    trainer, arguments = session(epochs=1)
    fit(trainer, **arguments)
    _, arguments = session(epochs=1, fingerprint="another")
    assert arguments["checkpoint"].progress == Progress("another")


def test_progress_is_over_by_epochs_or_patience() -> None:
    rows = [{"val_loss": value} for value in (3.0, 1.0, 2.0, 2.0)]
    assert not Progress("f").is_over(5, 1)
    assert Progress("f", rows, best_epoch=1).is_over(4, 9)
    assert Progress("f", rows, best_epoch=1).is_over(9, 2)
    assert not Progress("f", rows, best_epoch=1).is_over(9, 3)
    assert json.loads(json.dumps(vars(Progress("f", rows, 1))))["best_epoch"] == 1


def test_a_damaged_checkpoint_is_ignored_and_written_over(
    session, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "a.npz"
    trainer, arguments = session(epochs=1)
    fit(trainer, **arguments)
    whole = path.read_bytes()
    with np.load(path) as file:
        arrays = dict(file)
    for damage in ("cut", "text", "empty", *DAMAGES):
        if damage in DAMAGES:
            key, value = DAMAGES[damage]
            changed = {name: array for name, array in arrays.items() if name != key}
            np.savez(path, **changed, **({} if value is None else {key: value}))
        else:
            path.write_bytes(
                {"cut": whole[:1000], "text": b"oid sha256:4d7a", "empty": b""}[damage]
            )
        assert Checkpoint(path, trainer, "f").restore() == Progress("f"), damage
        assert f"{path}: damaged; trains from the start\n" in capsys.readouterr().out, damage
    trainer, arguments = session(epochs=1)
    assert len(fit(trainer, **arguments).history) == 1
    assert len(session(epochs=1)[1]["checkpoint"].progress.history) == 1
