"""How long steps of the real trainer on real batches take, in Keras on any backend."""

from __future__ import annotations

import time
from typing import Any

import keras

from svevae.dataset.batches import Batches
from svevae.model.vae import Trainer


class Clock(keras.callbacks.Callback):
    """Seconds from the end of step `warmup` to the end of the last: neither Keras's start of `fit`
    nor tracing counts.
    """

    def __init__(self, warmup: int):
        super().__init__()
        self.warmup = warmup

    def on_train_batch_end(self, step: int, logs: dict[str, float] | None = None) -> None:
        self.loss = float(logs["loss"])  # waits for the step, as svevae's own callback does
        now = time.perf_counter()
        if step + 1 == self.warmup:
            self.started = now
        self.seconds = now - getattr(self, "started", now)


def train_round(
    trainer: Trainer, batches: Batches, warmup: int, steps: int, epoch: int
) -> dict[str, Any]:
    """Seconds of `steps` steps behind `warmup` others, all of one epoch, fed as svevae.model.fit
    feeds them.
    """
    if warmup + steps > len(batches):
        raise ValueError(
            f"expected warmup + steps of at most the {len(batches)} steps of an epoch, received"
            f" {warmup} + {steps}"
        )
    clock = Clock(warmup)
    batches.start_epoch(epoch)
    trainer.fit(
        batches, steps_per_epoch=warmup + steps, shuffle=False, verbose=0, callbacks=[clock]
    )
    return {"seconds": clock.seconds, "loss": clock.loss}
