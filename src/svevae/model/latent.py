"""A trained model in physical units, and the folder it lives in: the Keras file and the contract
that describes it.
"""

from __future__ import annotations

import hashlib
import os
import reprlib
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from svevae.errors import DataError
from svevae.files import repair_folder, replace_folder
from svevae.model.contract import CONTRACT_FILE, MODEL_FILE, POSTERIOR_FILE, ModelContract
from svevae.model.elastic import at_once
from svevae.model.posterior import Posterior
from svevae.physics.alloys import LAW
from svevae.words import some

OUTPUTS = {
    "latent_mean",
    "latent_log_var",
    "logits",
    "properties",
    "properties_std",
    "novelty",
}


class Prediction(NamedTuple):
    """Properties (sve, property) and their standard deviations, in units of the model; novelty
    (sve,), above 1 for an unfamiliar SVE.

    The standard deviations are calibrated on the validation parts: `properties` +- 1.645 `std`
    holds the solver's value for 90 % of SVEs like those. See `svevae.model.uncertainty`.
    """

    properties: np.ndarray
    std: np.ndarray
    novelty: np.ndarray


class Response(NamedTuple):
    """Stress-strain curves: `stress` and its standard deviation `stress_std` (sve, axis, increment)
    in MPa at `strain` (sve, increment), and `constants` (sve, 9): E_x, E_y, E_z, G_yz, G_xz, G_xy
    in MPa, nu_zx, nu_zy, nu_yx.
    """

    strain: np.ndarray
    stress: np.ndarray
    stress_std: np.ndarray
    constants: np.ndarray


class LatentModel:
    """A trained structure-property map.

    `names` and `units` of the properties; `n` voxels along an edge; `latent_dim`; `voxel_size` in
    micrometres or None; `grain` is the correlation length of `svevae.model.sampling.binarise` in
    voxels. `contract` holds these and where the model comes from (data digests, parameters,
    version). `posterior` is where the latent codes of the training SVEs are, the prior where none
    was fitted.
    """

    def __init__(
        self,
        model: keras.Model,
        contract: ModelContract,
        batch_size: int = 64,
        posterior: Posterior | None = None,
    ):
        self.model, self.contract = model, contract
        self.batch_size = at_once(contract.n, batch_size)
        self.posterior = posterior or Posterior.prior(contract.latent_dim)
        self.names, self.units = contract.names, contract.units
        self.n, self.latent_dim, self.voxel_size = (
            contract.n,
            contract.latent_dim,
            contract.voxel_size,
        )
        self.grain = contract.grain

    def encode(self, voxels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Voxels (sve, n, n, n) of 0 and 1 -> mean and standard deviation of q(z | x), each (sve,
        latent).

        Raises DataError for another shape or another value.
        """
        mean, log_var, _ = self._run(self.model.get_layer("encoder"), self._checked(voxels))
        return mean, np.exp(log_var / 2)

    def decode(self, latent: np.ndarray) -> np.ndarray:
        """Latent vectors (sve, latent) -> the probability of a pore in each voxel (sve, n, n, n).
        Raises DataError for another shape.
        """
        return sigmoid(self._run(self.model.get_layer("decoder"), self._checked_latent(latent)))

    def reconstruct(self, voxels: np.ndarray) -> np.ndarray:
        """Voxels (sve, n, n, n) -> the probability of a pore after encoding and decoding, same
        shape. Raises DataError as `encode`.
        """
        return self.decode(self.encode(voxels)[0])

    def predict(self, voxels: np.ndarray) -> np.ndarray:
        """Voxels (sve, n, n, n) -> properties (sve, property) in `units`, in the order of `names`.
        Raises DataError as `encode`.
        """
        return self.predict_from_latent(self.encode(voxels)[0])

    def predict_from_latent(self, latent: np.ndarray, law: np.ndarray | None = None) -> np.ndarray:
        """Latent vectors (sve, latent) -> properties (sve, property) in `units`. `law` and errors
        as in `prediction`.
        """
        return self.prediction(latent, law).properties

    def prediction(self, latent: np.ndarray, law: np.ndarray | None = None) -> Prediction:
        """Latent vectors (sve, latent) -> properties, how sure they are, how unfamiliar the SVEs.

        `law`, (5,) or one for each SVE, is that of the matrix as `svevae.physics.alloys.LAW`,
        without it the contract's. Raises DataError for another shape, and for a law where the model
        knows one alone.
        """
        raw = self._predicted(latent, law)
        return Prediction(raw["properties"], raw["properties_std"], raw["novelty"][:, 0])

    def response(self, latent: np.ndarray, law: np.ndarray | None = None) -> Response:
        """Latent vectors (sve, latent) -> stress-strain curves and elastic constants. `law` and
        errors as in `prediction`; DataError also for a model without curves.
        """
        if not self.contract.law:
            raise DataError("response: expected a model trained on curves, received one without")
        raw = self._predicted(latent, law)
        return Response(raw["strain"], raw["stress"], raw["stress_std"], raw["constants"])

    def outputs(self, voxels: np.ndarray) -> dict[str, np.ndarray]:
        """All at once: latent_mean, latent_std (sve, latent), probability (sve, n, n, n),
        properties, properties_std (sve, property), novelty (sve,).
        """
        raw = self._run(self.model, self._checked(voxels))
        return {
            "latent_mean": raw["latent_mean"],
            "latent_std": np.exp(raw["latent_log_var"] / 2),
            "probability": sigmoid(raw["logits"]),
            "properties": raw["properties"],
            "properties_std": raw["properties_std"],
            "novelty": raw["novelty"][:, 0],
        }

    def digest(self) -> str:
        """A digest of the weights, which tells one model from another."""
        whole = hashlib.sha256()
        for weight in self.model.get_weights():
            whole.update(np.ascontiguousarray(weight).tobytes())
        return whole.hexdigest()[:24]

    def _predicted(self, latent: np.ndarray, law: np.ndarray | None) -> dict[str, np.ndarray]:
        latent = self._checked_latent(latent)
        if not self.contract.law:
            if law is not None:
                raise DataError(
                    "law: expected none, of a model that knows the metal of its training SVEs alone"
                )
            return self._run(self.model.get_layer("predictor"), latent)
        law = np.asarray(self.contract.law if law is None else law, np.float32)
        if law.shape not in ((len(LAW),), (len(latent), len(LAW))):
            raise DataError(
                f"law: expected {', '.join(LAW)}, once or for each SVE, received shape {law.shape}"
            )
        law = np.broadcast_to(law, (len(latent), len(LAW)))
        return self._run(self.model.get_layer("predictor"), latent, law)

    def _run(self, model: keras.Model, *x: np.ndarray) -> Any:
        # Not `predict`, which sets up a data pipeline each time: for one SVE 50 times what the
        # model takes.
        batches = [
            model.predict_on_batch(pieces[0] if len(x) == 1 else pieces)
            for first in range(0, len(x[0]), self.batch_size)
            for pieces in [[array[first : first + self.batch_size] for array in x]]
        ]
        return keras.tree.map_structure(lambda *pieces: np.concatenate(pieces), *batches)

    def _checked(self, voxels: np.ndarray) -> np.ndarray:
        try:
            voxels = np.asarray(voxels)
        except ValueError as error:  # rows of different lengths
            raise DataError(
                f"voxels: expected an array, received {reprlib.repr(voxels)}"
            ) from error
        if voxels.dtype.kind not in "biuf":
            raise DataError(f"voxels: expected numbers, received values of {voxels.dtype}")
        if voxels.ndim != 4 or voxels.shape[1:] != (self.n,) * 3 or not len(voxels):
            raise DataError(
                f"voxels: expected shape (sve, {self.n}, {self.n}, {self.n}), received"
                f" {voxels.shape}"
            )
        if not _binary(voxels):
            raise DataError(
                f"voxels: expected 0 (solid) and 1 (pore), received values from {voxels.min()} to"
                f" {voxels.max()}"
            )
        return voxels.astype(np.uint8, copy=False)

    def _checked_latent(self, latent: np.ndarray) -> np.ndarray:
        latent = np.asarray(latent, np.float32)
        if latent.ndim != 2 or latent.shape[1] != self.latent_dim or not len(latent):
            raise DataError(
                f"latent: expected shape (sve, {self.latent_dim}), received {latent.shape}"
            )
        return latent


def _binary(voxels: np.ndarray) -> bool:
    """Whether all are 0 or 1; for unsigned integers 30 times as fast as by `isin`."""
    return bool(voxels.max() <= 1 if voxels.dtype.kind in "bu" else np.isin(voxels, (0, 1)).all())


def load_folder(folder: Path, batch_size: int = 64) -> LatentModel:
    """The model that `save_folder` wrote. Raises DataError where a file is missing, or is of a
    version that this one cannot use.
    """
    repair_folder(folder.parent)
    repair_folder(folder)
    for file in (MODEL_FILE, CONTRACT_FILE):
        if not (folder / file).is_file():
            raise DataError(
                f"{folder}: expected a folder with {MODEL_FILE} and {CONTRACT_FILE}, {file} is"
                " missing"
            )
    contract = ModelContract.load(folder / CONTRACT_FILE)
    with _readable(folder / MODEL_FILE, "a Keras model"):
        # safe: no code that a stranger has put into the file is run
        model = keras.saving.load_model(folder / MODEL_FILE, safe_mode=True)
    _check_structure(model, folder / MODEL_FILE)
    posterior = None
    if (folder / POSTERIOR_FILE).is_file():
        with _readable(folder / POSTERIOR_FILE, "the arrays of a posterior"):
            posterior = Posterior.load(folder / POSTERIOR_FILE)
    _check_fits(contract, model, posterior, folder / CONTRACT_FILE)
    return LatentModel(model, contract, batch_size, posterior)


def _check_structure(model: Any, path: Path) -> None:
    """Raises DataError unless the model at `path` has the parts of `svevae.model.vae`."""
    outputs = getattr(model, "output", None)
    found = set(outputs) if isinstance(outputs, dict) else set()
    if missing := OUTPUTS - found:
        older = "; one of an earlier svevae has to be trained again" if found else ""
        raise DataError(
            f"{path}: expected a model that gives {some(sorted(OUTPUTS))}, received one without"
            f" {some(sorted(missing))}{older}"
        )
    names = {layer.name for layer in model.layers}
    if missing := {"encoder", "decoder", "predictor"} - names:
        raise DataError(
            f"{path}: expected the layers encoder, decoder and predictor, received none called"
            f" {some(sorted(missing))}"
        )


def _check_fits(
    contract: ModelContract, model: keras.Model, posterior: Posterior | None, path: Path
) -> None:
    """Raises DataError unless the contract at `path` is of a model and a posterior like these."""
    sizes = {
        "n": (contract.n, model.input.shape[1]),
        "latent_dim": (contract.latent_dim, model.output["latent_mean"].shape[-1]),
        "names": (len(contract.names), model.output["properties"].shape[-1]),
    }
    for key, (received, expected) in sizes.items():
        if received != expected:
            raise DataError(
                f"{path}: {key}: expected {expected} as in {MODEL_FILE}, received {received}"
            )
    scaler = model.get_layer("predictor").get_layer("physical_units")
    for key, theirs in (("mean", scaler.offset), ("std", scaler.scale)):
        ours = getattr(contract, key)
        if ours and not np.allclose(ours, theirs, rtol=1e-5, atol=0):
            raise DataError(
                f"{path}: {key}: expected {reprlib.repr(list(theirs))} as in {MODEL_FILE}, received"
                f" {reprlib.repr(list(ours))}"
            )
    if posterior and posterior.means.shape[1] != contract.latent_dim:
        raise DataError(
            f"{path}: latent_dim: expected {posterior.means.shape[1]} as in {POSTERIOR_FILE},"
            f" received {contract.latent_dim}"
        )


@contextmanager
def _readable(file: Path, expected: str) -> Iterator[None]:
    """DataError in place of what readers raise of damaged files: both kinds are zip archives, whose
    checksums tell damage, and of what is whole but something else Keras raises anything.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            if damaged := archive.testzip():
                raise zipfile.BadZipFile(f"{damaged} is damaged")
        yield
    except Exception as error:
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        said = said if len(said) <= 300 else f"{said[:300]}..."
        raise DataError(f"{file}: expected {expected}, cannot be read: {said}") from error


def save_folder(
    folder: Path, model: keras.Model, contract: ModelContract, posterior: Posterior | None = None
) -> None:
    """Write the model, its contract and its aggregate posterior into `folder`.

    The folder appears whole or not at all, and until then an older one stays.
    """
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    beside.mkdir(parents=True)
    try:
        model.save(beside / MODEL_FILE)
        contract.save(beside / CONTRACT_FILE)
        if posterior:
            posterior.save(beside / POSTERIOR_FILE)
        replace_folder(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Pore probabilities from logits, any shape."""
    return 0.5 * (1 + np.tanh(0.5 * logits))  # never overflows
