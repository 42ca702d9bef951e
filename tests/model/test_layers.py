"""One battery for every block: shape, configuration round trip, save and load, a training step;
then fixed numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from svevae.model.layers import BLOCKS, depth_to_space, pool, sample, space_to_depth

FIELD = (4, 4, 4, 3)
BATTERY: dict[str, tuple[Callable, tuple[int, ...], tuple[int, ...]]] = {
    **{name: (block, FIELD, FIELD) for name, block in BLOCKS.items()},
    "space_to_depth": (lambda x: space_to_depth(x, 2), FIELD, (2, 2, 2, 24)),
    "depth_to_space": (lambda x: depth_to_space(x, 2), (2, 2, 2, 24), FIELD),
    "pool": (pool, FIELD, (6,)),
    "sample": (lambda x: sample(x, x - 1), (5,), (5,)),
}


@pytest.fixture(params=BATTERY)
def block(request: pytest.FixtureRequest) -> tuple[keras.Model, np.ndarray, tuple[int, ...]]:
    function, shape, expected = BATTERY[request.param]
    inputs = keras.Input(shape)
    x = np.random.default_rng(0).standard_normal((2, *shape)).astype(np.float32)
    return keras.Model(inputs, function(inputs)), x, expected


def test_shape(block: tuple) -> None:
    model, x, expected = block
    assert model(x).shape == (2, *expected)


def test_configuration_round_trip(block: tuple) -> None:
    model, x, _ = block
    copy = keras.Model.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(copy(x), model(x))


def test_save_and_load(block: tuple, tmp_path: Path) -> None:
    model, x, _ = block
    model.save(tmp_path / "block.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "block.keras")(x), model(x))


def test_gradients_pass_through(block: tuple) -> None:
    """A dense layer in front of the block learns, so the block passes its gradient on."""
    model, x, expected = block
    inputs = keras.Input(x.shape[1:])
    dense = keras.layers.Dense(x.shape[-1])
    whole = keras.Model(inputs, model(dense(inputs)))
    whole.compile("sgd", loss="mse", jit_compile=False)
    before = dense.get_weights()[0].copy()
    whole.fit(x, np.ones((2, *expected)), verbose=0)
    assert np.isfinite(dense.get_weights()[0]).all()
    assert not np.array_equal(dense.get_weights()[0], before)


@pytest.mark.parametrize("name", ["residual", "bottleneck"])
def test_block_starts_as_the_identity_on_positive_fields(name: str) -> None:
    inputs = keras.Input(FIELD)
    x = np.random.default_rng(0).random((2, *FIELD)).astype(np.float32)
    np.testing.assert_allclose(keras.Model(inputs, BLOCKS[name](inputs))(x), x)


def test_plain_block_has_no_skip_connection() -> None:
    """With all weights at zero nothing of a positive field is left."""
    inputs = keras.Input(FIELD)
    model = keras.Model(inputs, BLOCKS["plain"](inputs))
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    np.testing.assert_array_equal(model(np.ones((2, *FIELD), np.float32)), np.zeros((2, *FIELD)))


def test_bottleneck_of_one_channel_has_one() -> None:
    inputs = keras.Input((4, 4, 4, 1))
    assert keras.Model(inputs, BLOCKS["bottleneck"](inputs)).count_params() == 2 + 28 + 2


def test_space_to_depth_gathers_patches_and_depth_to_space_puts_them_back() -> None:
    x = np.random.default_rng(0).random((2, *FIELD)).astype(np.float32)
    inputs = keras.Input(FIELD)
    patches = space_to_depth(inputs, 2)
    found, back = (
        np.asarray(value) for value in keras.Model(inputs, [patches, depth_to_space(patches, 2)])(x)
    )
    np.testing.assert_array_equal(found[1, 1, 0, 1], x[1, 2:4, 0:2, 2:4].reshape(-1))
    np.testing.assert_array_equal(back, x)


def test_dense_behind_space_to_depth_is_a_strided_convolution() -> None:
    x = np.random.default_rng(0).random((2, *FIELD)).astype(np.float32)
    inputs = keras.Input(FIELD)
    dense = keras.Model(inputs, keras.layers.Dense(5)(space_to_depth(inputs, 2)))
    convolution = keras.Model(inputs, keras.layers.Conv3D(5, 2, strides=2)(inputs))
    kernel, bias = dense.get_weights()
    convolution.set_weights([kernel.reshape(2, 2, 2, 3, 5), bias])
    np.testing.assert_allclose(dense(x), convolution(x), atol=1e-5)


def test_pool_does_not_see_periodic_shifts() -> None:
    x = np.random.default_rng(0).random((2, *FIELD)).astype(np.float32)
    inputs = keras.Input(FIELD)
    model = keras.Model(inputs, pool(inputs))
    np.testing.assert_allclose(model(np.roll(x, (1, 2, 3), (1, 2, 3))), model(x), rtol=1e-6)
    np.testing.assert_allclose(model(x)[:, 3:], x.max(axis=(1, 2, 3)))


def test_sample_has_the_moments_it_names_in_training_and_is_the_mean_otherwise() -> None:
    """mean + exp(log_var / 2) eps: with mean 2 and log_var ln 9, mean 2 and standard deviation
    3.
    """
    mean, log_var = keras.Input((1,)), keras.Input((1,))
    model = keras.Model([mean, log_var], sample(mean, log_var))
    ones = np.ones((40_000, 1), np.float32)
    drawn = np.asarray(model([2 * ones, np.log(9) * ones], training=True))
    assert abs(drawn.mean() - 2) < 0.06  # 4 standard errors
    assert abs(drawn.std() - 3) < 0.05
    np.testing.assert_array_equal(model([2 * ones, np.log(9) * ones], training=False), 2 * ones)
