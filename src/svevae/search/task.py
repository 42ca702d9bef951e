"""What a search works on: the split, the dataset and the space, and the terms that all trials of a
study share.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.distributions import distribution_to_json

from svevae import __version__
from svevae.config import Params, Search
from svevae.dataset.digest import text_md5
from svevae.dataset.split import Split
from svevae.dataset.store import LabelledDataset, open_dataset
from svevae.errors import ConfigError
from svevae.search.space import Space, fixed_values, parse_space

SPLIT = Path("artifacts/split/split.json")


@dataclass(frozen=True)
class Task:
    """What all trials of a study have in common."""

    params: Params
    space: Space
    split: Split
    data: LabelledDataset


def load_task(params: Params) -> Task:
    """Read the split and open its dataset. Raises ConfigError for a wrong space or where `svevae
    prepare` has not run, DataError for a wrong dataset.
    """
    space = parse_space(params.search.space, params.train)
    if not SPLIT.is_file():
        raise ConfigError(
            f"{SPLIT}: expected the split, found nothing; run `dvc repro --pull prepare` first"
        )
    split = Split.load(SPLIT)
    return Task(params, space, split, open_dataset(split.dataset))


def terms(task: Task) -> dict[str, Any]:
    """What trials must share to be compared: the space, the other parameters, the data and its
    split, the fidelity, the objectives, the seed and the version of svevae.
    """
    search = task.params.search
    keys = ("objectives", "epochs", "fraction") + (
        () if len(search.objectives) > 1 else ("pruner", "resource", "reduction")
    )
    values = {
        "svevae": __version__,
        "space": {
            key: json.loads(distribution_to_json(form))["attributes"]
            for key, form in task.space.items()
        },
        "train": fixed_values(task.space, task.params.train),
        "search": {key: getattr(search, key) for key in keys},
        "seed": task.params.base.seed,
        "dataset_digest": task.split.dataset_digest,
        "split_digest": text_md5(json.dumps(dataclasses.asdict(task.split)["parts"])),
    }
    return json.loads(json.dumps(values))  # as the storage gives it back


def finalists_name(search: Search) -> str:
    """Name the study in which finalists are trained again."""
    return f"{search.study}/finalists"
