"""A training on the tiny dataset, before its first epoch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from svevae.config import Params
from svevae.dataset.batches import Batches
from svevae.dataset.split import split_by_part
from svevae.dataset.store import SVEDataset
from svevae.model.checkpoint import Checkpoint
from svevae.model.vae import Trainer, build_vae, compile_trainer


@pytest.fixture
def session(tiny: SVEDataset, params: Params, tmp_path: Path):
    """-> start(**changes): what `train` sets up before fit, as in a new process, on tmp_path's
    checkpoint.
    """
    split = split_by_part(tiny, 0.25, 0.25, seed=0)

    def start(
        path: Path = tmp_path / "a.npz", fingerprint: str = "f", **changes: object
    ) -> tuple[Trainer, dict]:
        # what is fitted does not matter here
        config = replace(params.train, elastic=False, **changes)
        keras.utils.set_random_seed(0)
        vae = build_vae(config, tiny.n, np.array(split.mean), np.array(split.std))
        train = Batches(
            tiny,
            split.index("train", tiny.part_id),
            config.batch_size,
            0,
            shuffle=True,
            augmentation=config.augmentation,
        )
        validation = Batches(tiny, split.index("validation", tiny.part_id), config.batch_size)
        trainer = compile_trainer(vae, config, np.array(split.std), len(train))
        checkpoint = Checkpoint(path, trainer, fingerprint)
        checkpoint.restore()
        return trainer, {
            "train": train,
            "validation": validation,
            "epochs": config.epochs,
            "patience": config.patience,
            "seed": 0,
            "checkpoint": checkpoint,
        }

    return start
