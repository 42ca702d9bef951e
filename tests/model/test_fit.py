"""The training loop: resumed equals undisturbed, early stopping keeps the best, a loss that is not
finite stops.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from svevae.config import Params
from svevae.dataset.split import split_by_part
from svevae.dataset.store import LabelledDataset
from svevae.errors import ConfigError, TrainingError
from svevae.model.fit import fit, set_up, suited


class Killed(Exception):
    """Stands for kill -9 between a checkpoint and the end of the epoch; test_pipeline does it for
    real.
    """


def test_what_these_data_cannot_have_is_left_out_or_named_with_its_section(
    params: Params, tiny: LabelledDataset
) -> None:
    """The file has no labels along y, and 32 voxels cannot be halved seven times."""
    split = split_by_part(tiny, 0.25, 0.25, seed=0)
    config = replace(params.train, augmentation=("flip_x", "swap_xy"), elastic=False)
    assert suited(config, tiny) == replace(config, augmentation=("flip_x",))
    assert suited(config, replace(tiny, names=("E_x", "E_y"))) == config
    assert set_up(config, 0, split, tiny).train.augmentation == ("flip_x",)
    with pytest.raises(ConfigError, match=r"^train\.depth: .* received 6: patch .* n = 32$"):
        set_up(replace(config, depth=6), 0, split, tiny)


def test_resumed_training_ends_where_an_undisturbed_one_ends(session, tmp_path: Path) -> None:
    def die(epoch: int, numbers: dict) -> None:
        if epoch == 1:
            raise Killed

    trainer, arguments = session(tmp_path / "whole.npz")
    whole = fit(trainer, **arguments)
    expected = trainer.vae.get_weights()
    trainer, arguments = session(tmp_path / "broken.npz")
    with pytest.raises(Killed):
        fit(trainer, **arguments, on_epoch=die)
    trainer, arguments = session(tmp_path / "broken.npz")
    assert len(arguments["checkpoint"].progress.history) == 2
    seen = []
    resumed = fit(trainer, **arguments, on_epoch=lambda epoch, numbers: seen.append(epoch))
    assert seen == [2, 3]
    for name in ("loss", "val_loss", "val_kl", "val_property"):
        np.testing.assert_allclose(
            [row[name] for row in resumed.history], [row[name] for row in whole.history], rtol=1e-3
        )
    for found, weight in zip(trainer.vae.get_weights(), expected, strict=True):
        np.testing.assert_allclose(found, weight, atol=2e-4)


def test_a_finished_checkpoint_trains_no_more(session) -> None:
    trainer, arguments = session()
    fit(trainer, **arguments)
    weights = trainer.vae.get_weights()
    trainer, arguments = session()
    fit(trainer, **arguments, on_epoch=lambda epoch, numbers: pytest.fail("trained again"))
    for found, weight in zip(trainer.vae.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(found, weight)


def test_early_stopping_keeps_the_best_weights(session) -> None:
    """The predictor is pushed further off after each epoch from the third on: training stops
    `patience` epochs behind the best.
    """
    trainer, arguments = session(epochs=12, patience=2)

    def push(epoch: int, numbers: dict) -> None:
        if epoch >= 2:
            bias = trainer.vae.get_layer("predictor").trainable_weights[-1]
            bias.assign(bias + 10.0)

    progress = fit(trainer, **arguments, on_epoch=push)
    assert progress.best_epoch == 2
    assert len(progress.history) == 5
    assert progress.best_loss == min(row["val_loss"] for row in progress.history)
    again = trainer.evaluate(arguments["validation"], verbose=0, return_dict=True)
    assert again["loss"] == pytest.approx(progress.best_loss, rel=1e-4)


def test_loss_that_is_not_finite_names_step_term_and_rate(session) -> None:
    trainer, arguments = session()
    bias = trainer.vae.get_layer("predictor").trainable_weights[-1]
    bias.assign(np.full(bias.shape, np.nan))
    with pytest.raises(
        TrainingError,
        match=(
            r"not finite at step 1 \(epoch 1, batch 1\): property = nan, loss = nan, at a learning"
            r" rate of \d"
        ),
    ):
        fit(trainer, **arguments)


@pytest.mark.slow
def test_validation_that_is_not_finite_stops_too(session) -> None:
    """The decoder is spoilt behind the last batch of the first epoch, so that only validation sees
    it.
    """
    trainer, arguments = session()
    validation = arguments["validation"]
    bias = trainer.vae.get_layer("decoder").trainable_weights[-1]
    deal = type(validation).__getitem__

    class Spoilt(type(validation)):
        def __getitem__(self, i: int) -> tuple:
            bias.assign(np.full(bias.shape, np.nan))
            return deal(self, i)

    validation.__class__ = Spoilt
    with pytest.raises(
        TrainingError,
        match=(
            r"not finite at step \d+ \(epoch 1, batch \d+\): val_reconstruction = nan, val_loss"
            r" = nan"
        ),
    ):
        fit(trainer, **arguments)
