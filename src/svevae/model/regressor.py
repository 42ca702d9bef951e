"""A baseline: encoder and predictor trained for the properties alone, the ceiling of a latent code
of that size.
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import keras
import numpy as np
from tqdm import tqdm

from svevae.config import Train
from svevae.dataset.batches import PackedVoxels
from svevae.dataset.split import Split
from svevae.dataset.store import LabelledDataset
from svevae.model import metrics
from svevae.model.fit import reseed, set_up
from svevae.model.losses import property_loss
from svevae.model.scores import R2
from svevae.model.vae import core_of, learning_rate


def regressor_r2(config: Train, seed: int, split: Split, data: LabelledDataset, epochs: int) -> R2:
    """R2 on the test parts of the best of `epochs` epochs by the validation parts."""
    config = replace(config, epochs=epochs)
    trainer, train, validation = set_up(config, seed, split, data)
    std = np.array(split.std, np.float32)
    # which plays no part in it
    core_of(trainer.vae).get_layer("latent_log_var").trainable = False
    model = trainer.of_statistics
    regressor = keras.Model(model.input, model.output["properties"])
    optimizer = keras.optimizers.AdamW(
        learning_rate(config, len(train)), weight_decay=config.weight_decay
    )
    regressor.compile(
        optimizer,
        loss=lambda true, predicted: property_loss(true, predicted, std),
        jit_compile=trainer.jit_compile,
    )
    best, weights = math.inf, regressor.get_weights()
    for epoch in tqdm(
        range(epochs), unit="epoch", desc="regressor", disable=not sys.stderr.isatty()
    ):
        train.start_epoch(epoch)
        reseed(trainer.vae, seed, epoch)
        history = regressor.fit(train, validation_data=validation, shuffle=False, verbose=0).history
        if history["val_loss"][0] < best:
            best, weights = history["val_loss"][0], regressor.get_weights()
    regressor.set_weights(weights)
    cubes = PackedVoxels(data, split.index("test", data.part_id)).blocks()
    whole = keras.Model(trainer.vae.input, trainer.vae.output["properties"])
    predicted = np.concatenate([whole.predict(block, verbose=0) for block in cubes])
    true = data.properties[split.index("test", data.part_id)]
    return R2.of_columns(
        data.names, metrics.r2(true.astype(np.float64), predicted.astype(np.float64))
    )
