"""The assembled model: shapes for any n, each weight acts, the saved file moves between
backends.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from svevae.config import Params, Train, load_params
from svevae.errors import ConfigError
from svevae.model.architectures import ARCHITECTURES
from svevae.model.elastic import elastic_statistics
from svevae.model.vae import Trainer, build_vae, compile_trainer, parameter_count

MEAN, STD = np.array([66_000.0, 0.326]), np.array([4_600.0, 0.005])
PARAMETERS = {  # of the tiny model with n = 8 and two properties, by architecture and block
    ("conv", "residual"): 22_363,
    ("residual", "residual"): 57_019,
    ("residual", "bottleneck"): 27_419,
    ("residual", "plain"): 57_019,
    ("patch", "residual"): 41_610,
    ("patch", "bottleneck"): 12_010,
    ("patch", "plain"): 41_610,
}


@pytest.fixture(scope="module")
def config(params: Params) -> Train:
    """Without the elastic statistics, which most of what is tested here has nothing to do with, and
    which take a second to build.
    """
    return replace(params.train, batch_size=4, dropout=0.0, elastic=False, blocks=1)


def cubes(n: int, count: int = 4) -> np.ndarray:
    return (np.random.default_rng(0).random((count, n, n, n)) < 0.1).astype(np.uint8)


@pytest.mark.parametrize(
    ("n", "architecture", "elastic"),
    [
        *((n, name, False) for n in (8, 16, 24, 32) for name in ARCHITECTURES),
        (8, "patch", True),
        (24, "conv", True),
        *((n, name, False) for n in (9, 15) for name in ARCHITECTURES),
        (4, "patch", True),
        (9, "patch", True),
    ],
)
def test_shapes_follow_n_and_the_properties(
    config: Train, n: int, architecture: str, elastic: bool
) -> None:
    model = build_vae(replace(config, architecture=architecture, elastic=elastic), n, MEAN, STD)
    found = model(cubes(n))
    assert {key: tuple(value.shape) for key, value in found.items()} == {
        "latent_mean": (4, 4),
        "latent_log_var": (4, 4),
        "logits": (4, n, n, n),
        "properties": (4, 2),
        "properties_std": (4, 2),
        "novelty": (4, 1),
    }


@pytest.mark.parametrize(("n", "padded"), [(8, 0), (9, 7), (15, 1), (16, 0)])
def test_only_an_n_that_cannot_be_halved_is_padded(config: Train, n: int, padded: int) -> None:
    """With 0 the encoder's layers are those that it has always had."""
    model = build_vae(config, n, MEAN, STD)
    encoder, decoder = (model.get_layer(name) for name in ("encoder", "decoder"))
    pads = [entry for entry in encoder.layers if isinstance(entry, keras.layers.ZeroPadding3D)]
    crops = [entry for entry in decoder.layers if isinstance(entry, keras.layers.Cropping3D)]
    assert [entry.padding for entry in pads] == [((0, padded),) * 3] * bool(padded)
    assert [entry.cropping for entry in crops] == [((0, padded),) * 3] * bool(padded)


def test_sizes_and_depths_that_are_too_small_or_too_deep(config: Train) -> None:
    with pytest.raises(ConfigError, match="expected SVEs of n = 4 or more, received n = 3"):
        build_vae(config, 3, MEAN, STD)
    with pytest.raises(ConfigError, match=r"^depth: .* received 4: patch would take 32 voxels"):
        build_vae(replace(config, depth=4), 15, MEAN, STD)


@pytest.mark.parametrize(("architecture", "block"), PARAMETERS)
def test_parameter_count(config: Train, architecture: str, block: str) -> None:
    model = build_vae(replace(config, architecture=architecture, block=block), 8, MEAN, STD)
    assert parameter_count(model) == PARAMETERS[architecture, block]


def test_parameter_count_of_the_shipped_model() -> None:
    """32^3 voxels and the 11 properties of the shipped dataset."""
    shipped = load_params(Path(__file__).parents[2] / "params.yaml").train
    assert parameter_count(build_vae(shipped, 32, np.ones(11), np.ones(11))) == 1_568_986


def test_only_informed_units_reach_the_properties_and_only_the_statistics_reach_them(
    config: Train,
) -> None:
    """Pores of the same statistics, shifted, have the same properties and informed units, and other
    units of their own.
    """
    model = build_vae(replace(config, elastic=True), 8, MEAN, STD)
    x = cubes(8)
    here, there = model(x), model(np.roll(x, 4, axis=2))
    np.testing.assert_allclose(here["latent_mean"][:, :2], there["latent_mean"][:, :2], atol=1e-4)
    np.testing.assert_allclose(here["properties"], there["properties"], rtol=1e-4)
    assert np.abs(here["latent_mean"][:, 2:] - there["latent_mean"][:, 2:]).max() > 1e-3
    predictor, z = model.get_layer("predictor"), np.zeros((2, 4), np.float32)
    z[1, 2:] = 3.0
    np.testing.assert_array_equal(*predictor(z)["properties"])


def trainer_of(model: keras.Model, config: Train, eager: bool = True) -> Trainer:
    """A trainer of a step an epoch; `eager` takes the steps without a graph, whose making takes ten
    times as long.
    """
    trainer = compile_trainer(model, config, STD, steps_per_epoch=1)
    trainer.run_eagerly = eager
    return trainer


def given(trainer: Trainer) -> dict[str, np.ndarray]:
    """What a batch has of `cubes(8)`."""
    x = {"voxels": cubes(8)}
    if "statistics" in trainer.of_batches.input:
        x["statistics"] = elastic_statistics(8).predict(cubes(8), verbose=0)
    return x


def first_step(model: keras.Model, config: Train, eager: bool = True) -> dict[str, float]:
    trainer = trainer_of(model, config, eager)
    return trainer.train_on_batch(
        given(trainer), np.tile(MEAN, (4, 1)).astype(np.float32), return_dict=True
    )


# `patch` puts the blocks of `residual` together in another way: by default it is tried with one of
# them
TRAINED = [
    *(
        pytest.param(
            *names,
            False,
            marks=[pytest.mark.slow] if names[0] == "patch" and names[1] != "residual" else [],
        )
        for names in PARAMETERS
    ),
    ("patch", "residual", True),
]


@pytest.mark.parametrize(("architecture", "block", "elastic"), TRAINED)
def test_trains_a_step_saves_and_loads(
    config: Train, architecture: str, block: str, elastic: bool, tmp_path: Path
) -> None:
    model = build_vae(
        replace(config, architecture=architecture, block=block, elastic=elastic), 8, MEAN, STD
    )
    assert np.isfinite(first_step(model, config, eager=block != "residual")["loss"])
    model.save(tmp_path / "model.keras")
    copy, x = keras.saving.load_model(tmp_path / "model.keras"), cubes(8)
    for key, value in model(x).items():
        np.testing.assert_array_equal(copy(x)[key], value)


@pytest.fixture
def mixed_bfloat16() -> Iterator[None]:
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    yield
    keras.mixed_precision.set_global_policy(before)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.usefixtures("mixed_bfloat16")
def test_mixed_precision_computes_what_the_loss_reads_in_float32(
    config: Train, architecture: str
) -> None:
    """Layers in between are in bfloat16; the sample z is not, so that its noise is no coarser than
    the posterior.
    """
    model = build_vae(replace(config, architecture=architecture), 8, MEAN, STD)
    encoder = model.get_layer("encoder")
    assert "bfloat16" in {layer.compute_dtype for layer in encoder.layers}
    assert {value.dtype for value in [*encoder.outputs, *model.output.values()]} == {"float32"}
    assert np.isfinite(first_step(model, config)["loss"])


def test_inference_is_deterministic_and_training_is_not(config: Train) -> None:
    model = build_vae(config, 8, MEAN, STD)
    x = cubes(8)
    np.testing.assert_array_equal(model(x)["logits"], model(x)["logits"])
    assert not np.array_equal(model(x, training=True)["logits"], model(x, training=True)["logits"])


def losses(config: Train, **weights: float) -> tuple[dict[str, float], dict[str, float]]:
    """Figures of the first training step and of validation, from the same initial weights whatever
    the loss weights.
    """
    keras.utils.set_random_seed(0)
    config = replace(config, kl_warmup=0, learning_rate=1e-9, **weights)
    trainer = trainer_of(build_vae(config, 8, MEAN, STD), config)
    x, y = given(trainer), (MEAN + STD).astype(np.float32) * np.ones((4, 1), np.float32)
    return trainer.train_on_batch(x, y, return_dict=True), trainer.test_on_batch(
        x, y, return_dict=True
    )


UNIT = {"reconstruction_weight": 1.0, "kl_weight": 1.0, "property_weight": 1.0}


@pytest.fixture(scope="module")
def unit_losses(config: Train) -> tuple[dict[str, float], dict[str, float]]:
    return losses(config, **UNIT)


@pytest.mark.parametrize(
    ("weight", "term"),
    [
        ("reconstruction_weight", "reconstruction"),
        ("kl_weight", "kl"),
        ("property_weight", "property"),
    ],
)
def test_each_weight_multiplies_its_term_in_training_and_validation_alike(
    config: Train, unit_losses: tuple[dict[str, float], dict[str, float]], weight: str, term: str
) -> None:
    for base, tripled in zip(unit_losses, losses(config, **UNIT | {weight: 3.0}), strict=True):
        assert base["loss"] == pytest.approx(
            base["reconstruction"] + base["kl"] + base["property"], rel=1e-5
        )
        assert tripled["loss"] - base["loss"] == pytest.approx(2 * base[term], rel=1e-3)
        assert tripled[term] == pytest.approx(base[term], rel=1e-5)


def test_kl_warm_up_scales_training_only(config: Train) -> None:
    """At the first step of a warm-up of 4 epochs of 1 step the KL weight is 0; validation has all
    of it.
    """
    config = replace(config, kl_weight=1.0, kl_warmup=4, property_weight=0.0, learning_rate=1e-9)
    trainer = trainer_of(build_vae(config, 8, MEAN, STD), config)
    x, y = given(trainer), np.tile(MEAN, (4, 1)).astype(np.float32)
    first = trainer.train_on_batch(x, y, return_dict=True)
    assert first["loss"] == pytest.approx(first["reconstruction"], rel=1e-5)
    trainer.reset_metrics()
    second = trainer.train_on_batch(x, y, return_dict=True)
    assert second["loss"] == pytest.approx(second["reconstruction"] + second["kl"] / 4, rel=1e-4)
    trainer.reset_metrics()
    validation = trainer.test_on_batch(x, y, return_dict=True)
    assert validation["loss"] == pytest.approx(
        validation["reconstruction"] + validation["kl"], rel=1e-4
    )


def test_gradient_matches_a_finite_difference(config: Train) -> None:
    """d loss along a common shift of the last decoder layer's biases, by TensorFlow's tape and by a
    central difference.
    """
    import tensorflow as tf

    trainer = compile_trainer(build_vae(config, 8, MEAN, STD), config, STD, steps_per_epoch=1)
    x, y = given(trainer), np.tile(MEAN, (4, 1)).astype(np.float32)
    bias = trainer.vae.get_layer("decoder").trainable_weights[-1]

    def loss(training: bool = False) -> tf.Tensor:
        return trainer.compute_loss(x, y, trainer(x, training=training), training=training)

    with tf.GradientTape() as tape:
        value = loss()
    slope = float(tf.reduce_sum(tape.gradient(value, bias.value)))
    at, step = keras.ops.convert_to_numpy(bias), 0.05
    ends = []
    for sign in (1, -1):
        bias.assign(at + sign * step)
        ends.append(float(loss()))
    assert slope == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-2)


TRAIN_AND_SAVE = """
import sys, numpy as np, keras
sys.path.insert(0, {src!r})
from svevae.config import Train
from svevae.model.vae import build_vae, compile_trainer
config = Train(**{config!r})
keras.utils.set_random_seed(0)
model = build_vae(config, 8, np.array([66000.0, 0.326]), np.array([4600.0, 0.005]))
trainer = compile_trainer(model, config, np.array([4600.0, 0.005]), 4)
x = np.load({voxels!r}); y = np.tile(np.float32([70000.0, 0.33]), (len(x), 1))
history = trainer.fit({{"voxels": x}}, y, epochs=3, batch_size=4, verbose=0).history["loss"]
assert history[-1] < history[0], history
model.save({model!r})
np.savez({outputs!r}, **{{key: np.asarray(value) for key, value in model(x).items()}})
assert keras.backend.backend() == {backend!r}
"""
LOAD_AND_COMPARE = """
import sys, numpy as np, keras
assert "svevae" not in sys.modules
model = keras.saving.load_model({model!r})
x = np.load({voxels!r}); expected = np.load({outputs!r})
for key, value in model(x).items():
    atol = 2e-4 * np.abs(expected[key]).max()
    np.testing.assert_allclose(np.asarray(value), expected[key], rtol=2e-4, atol=atol)
assert keras.backend.backend() == {backend!r}
"""


@pytest.mark.slow
@pytest.mark.parametrize(("trained", "loaded"), [("tensorflow", "jax"), ("jax", "tensorflow")])
def test_trains_on_either_backend_and_loads_in_the_other(
    config: Train, tmp_path: Path, environment: dict[str, str], trained: str, loaded: str
) -> None:
    np.save(tmp_path / "voxels.npy", cubes(8, count=16))
    values = {
        "src": str(Path(__file__).parents[2] / "src"),
        "config": vars(config) | {"learning_rate": 3e-3},
        "voxels": str(tmp_path / "voxels.npy"),
        "model": str(tmp_path / "model.keras"),
        "outputs": str(tmp_path / "outputs.npz"),
    }
    for script, backend in ((TRAIN_AND_SAVE, trained), (LOAD_AND_COMPARE, loaded)):
        done = subprocess.run(
            [sys.executable, "-c", script.format(**values, backend=backend)],
            capture_output=True,
            encoding="utf-8",
            check=False,
            env=environment | {"KERAS_BACKEND": backend},
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
