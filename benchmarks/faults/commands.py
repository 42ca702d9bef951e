"""The long commands: how each is started, what of it is finished at any moment, and what it leaves.

Finished work is a dictionary, the name of each piece and what it is like: a piece that is gone
later, or was made anew, is lost.
"""

from __future__ import annotations

import json
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import yaml
from benchmarks.faults.project import N, copied, finished, settings, template
from optuna.trial import FrozenTrial, TrialState
from tests.conftest import change_yaml

Finished = dict[str, str]
Result = dict[str, Any]
TOLERANCE = 2e-3  # of labels: the solver's is 5e-4


@dataclass(frozen=True)
class Command:
    """A long command. `prepare` makes a folder ready for it, `done` finds the finished work,
    `result` reads what it left; results of two runs differ by at most `tolerance`, relative.
    """

    name: str
    line: tuple[str, ...]
    prepare: Callable[[Path], None]
    done: Callable[[Path], Finished]
    result: Callable[[Path], Result]
    tolerance: float = 0.0


def written(pattern: str) -> Callable[[Path], Finished]:
    """Finished work that is a file a piece: its name and when it was written."""

    def done(folder: Path) -> Finished:
        found = {}
        for path in folder.glob(pattern):
            with suppress(FileNotFoundError):
                found[str(path.relative_to(folder))] = str(path.stat().st_mtime_ns)
        return found

    return done


def arrays(name: str) -> Callable[[Path], Result]:
    """All datasets of an HDF5 file."""

    def result(folder: Path) -> Result:
        found: Result = {}

        def take(key: str, item: object) -> None:
            if isinstance(item, h5py.Dataset):
                found[key] = item[()]

        with h5py.File(folder / name) as file:
            file.visititems(take)
        return found

    return result


def epochs(folder: Path) -> Finished:
    """The epochs of a training by their validation objective."""
    with suppress(OSError, KeyError):
        with (
            open(folder / ".checkpoints" / "train.npz", "rb") as stream,
            np.load(stream) as file,
        ):
            history = json.loads(str(file["progress"]))["history"]
        return {f"epoch {k}": repr(numbers["val_loss"]) for k, numbers in enumerate(history)}
    return {}


def _journals(folder: Path) -> Iterator[Path]:
    """Journals of a study, the one that was written last first."""
    found = [
        *(folder / ".checkpoints" / "search").glob("*.journal"),
        *(folder / "artifacts" / "search").glob("study.journal"),
    ]
    yield from sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def trials_of(folder: Path, study: str) -> list[FrozenTrial]:
    """All trials of a study in the journal that was written last; none where there is none."""
    from svevae.search.storage import open_journal
    from svevae.search.study import Study

    with suppress(KeyError, OSError):
        for journal in _journals(folder):
            return Study.load(open_journal(journal), study).trials()
    return []


def trials(folder: Path) -> Finished:
    """The complete trials by their values, also those of the finalists."""
    name = settings(folder, "search")["study"]
    return {
        f"{study} {trial.number}": repr(trial.values)
        for study in (name, f"{name}/finalists")
        for trial in trials_of(folder, study)
        if trial.state == TrialState.COMPLETE
    }


def spent(folder: Path) -> Result:
    """Whether each ticket is spent by one trial, and none runs or waits."""
    search = settings(folder, "search")
    kept = [
        trial
        for trial in trials_of(folder, search["study"])
        if not (trial.state == TrialState.FAIL and "lost" in trial.user_attrs)
    ]
    return {
        "tickets": np.array(sorted(trial.user_attrs["ticket"] for trial in kept)),
        "states": np.array([trial.state == TrialState.COMPLETE for trial in kept]),
        "best": (folder / "artifacts" / "search" / "best.yaml").is_file(),
    }


def stages(folder: Path) -> Finished:
    """The stages of DVC that are done, the trials and the epochs."""
    path, found = folder / "dvc.lock", {}
    if path.is_file():
        lock = yaml.safe_load(_settled(path)) or {}
        found = {f"stage {name}": json.dumps(s) for name, s in lock.get("stages", {}).items()}
    return found | trials(folder) | epochs(folder)


def _settled(path: Path) -> str:
    """The text of a file that another process may be writing: DVC writes its lock in place."""
    before, text = None, path.read_text(encoding="utf-8")
    while text != before:
        time.sleep(0.05)
        before, text = text, path.read_text(encoding="utf-8")
    return text


def trained(folder: Path) -> Result:
    """The history of a training and the weights of its model."""
    path = folder / "artifacts" / "model"
    history = pd.read_csv(folder / "artifacts" / "training.csv").drop(columns="sve_per_second")
    found: Result = {"history": history.to_numpy()}
    with zipfile.ZipFile(path / "model.keras") as file:
        weights = folder / "weights.h5"
        weights.write_bytes(file.read("model.weights.h5"))
    try:
        found |= {
            key: value
            for key, value in arrays("weights.h5")(folder).items()
            if "seed_generator" not in key
        }
    finally:
        weights.unlink()
    return found


def compared(folder: Path) -> Result:
    """The scores of the bars, without the seconds."""
    table = pd.read_csv(folder / "artifacts" / "compare" / "bars.csv")
    numbers = table.select_dtypes("number")
    return {"bars": numbers.to_numpy(), "contenders": "\n".join(table["contender"])}


def piped(folder: Path) -> Result:
    """What the pipeline leaves: split, budget, training and scores."""
    split = json.loads((folder / "artifacts" / "split" / "split.json").read_text())
    scores = json.loads((folder / "artifacts" / "evaluation" / "metrics.json").read_text())
    flat = pd.json_normalize(scores).select_dtypes("number")
    names = [name for name in flat if "second" not in name]
    lock = yaml.safe_load((folder / "dvc.lock").read_text())
    return (
        {"split": json.dumps(split), "stages": " ".join(lock["stages"])}
        | {"scores": flat[names].to_numpy(), "names": " ".join(names)}
        | {f"search {key}": value for key, value in spent(folder).items()}
        | {f"training {key}": value for key, value in trained(folder).items()}
    )


def _labelling(folder: Path) -> None:
    copied(template(), folder)
    shutil.rmtree(folder / "data")
    (folder / "data").mkdir()


def _scan(shape: tuple[int, int, int]) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        copied(finished(), folder)
        grain = np.random.default_rng(0).random(tuple(edge // 2 for edge in shape)) < 0.05
        pores = grain.repeat(2, 0).repeat(2, 1).repeat(2, 2)
        np.save(folder / "scan.npy", pores.astype(np.uint8))

    return prepare


def _pipeline(source: Callable[[], Path], **sections: dict) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        copied(source(), folder)
        change_yaml(folder / "params.yaml", **sections)

    return prepare


def _reproducing(folder: Path) -> None:
    _pipeline(template, search={"trials": 6}, train={"epochs": 12, "patience": 12})(folder)
    (folder / "dvc.lock").unlink(missing_ok=True)  # else its stages seem done, and then lost


def _training(folder: Path) -> None:
    _pipeline(finished, train={"epochs": 40, "patience": 40})(folder)
    (folder / ".checkpoints" / "train.npz").unlink()


def _searching(folder: Path) -> None:
    _pipeline(finished, search={"study": "killed", "trials": 24, "workers": 2, "epochs": 2})(folder)
    (folder / "artifacts" / "search" / "best.yaml").unlink()


MODEL = ("-m", "artifacts/model")
CROP = ("--size", str(N))
COMMANDS = {
    command.name: command
    for command in (
        Command(
            "generate",
            ("svevae", "generate", "--workers", "2"),
            _labelling,
            written(".checkpoints/generate/*/*.np?"),
            arrays("data/tiny.h5"),
            TOLERANCE,
        ),
        Command(
            "import --label",
            ("svevae", "import", "scan.npy", "-o", "o.h5", *CROP, "--label", "--workers", "2"),
            _scan((4 * N, 4 * N, 4 * N)),
            written(".checkpoints/*/*/*.npz"),
            arrays("o.h5"),
            TOLERANCE,
        ),
        Command(
            "field",
            ("svevae", "field", "scan.npy", "-o", "field.vtkhdf", *MODEL),
            _scan((60 * N, 12 * N, 12 * N)),
            written(".checkpoints/field/*/*/layer-*.npz"),
            arrays("field.vtkhdf"),
            1e-6,
        ),
        Command("train", ("svevae", "train"), _training, epochs, trained, 1e-6),
        Command("search, 2 workers", ("svevae", "search"), _searching, trials, spent),
        Command(
            "design",
            ("svevae", "design", "-t", "porosity=0.05", "-n", "24", "--workers", "2", *MODEL),
            _scan((N, N, N)),
            written(".checkpoints/design/*/*.npz"),
            arrays("design.h5"),
            TOLERANCE,
        ),
        Command(
            "compare",
            ("svevae", "compare"),
            _pipeline(finished),
            written(".checkpoints/multiscale/**/*.npz"),
            compared,
            TOLERANCE,
        ),
        Command(
            "dvc repro",
            ("dvc", "repro", "--pull"),
            _reproducing,
            stages,
            piped,
            1e-6,
        ),
    )
}
