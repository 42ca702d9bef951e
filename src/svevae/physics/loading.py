"""A path of mean strain and stress that SVEs are taken along, how large its increments are, and
where a solution begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from svevae.errors import ConfigError
from svevae.physics.elasticity import AXES, TRACE, VoxelMaterial

# an increment's residual is measured against its load, or this share of the whole load if that is
# more
SMALLEST_LOAD = 1e-2


@dataclass(frozen=True)
class Loading:
    """A path of the mean strain and stress: where `controlled` (6,) the mean follows `strain`
    (increment, 6), else `stress`, in MPa.

    `names` are what errors call the increments, else their places. Raises ConfigError where a shape
    is wrong or a number is not finite.
    """

    strain: np.ndarray
    stress: np.ndarray
    controlled: np.ndarray
    names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if (
            np.ndim(self.strain) != 2
            or np.shape(self.strain)[1] != 6
            or np.shape(self.stress) != np.shape(self.strain)
        ):
            received = f"{np.shape(self.strain)} and {np.shape(self.stress)}"
            raise ConfigError(
                "loading: expected strain and stress of one shape (increment, 6), received"
                f" {received}"
            )
        if np.shape(self.controlled) != (6,):
            raise ConfigError(
                f"loading.controlled: expected shape (6,), received {np.shape(self.controlled)}"
            )
        if not (np.isfinite(self.strain).all() and np.isfinite(self.stress).all()):
            raise ConfigError("loading: expected finite numbers")

    @classmethod
    def prescribed_strain(cls, strain: np.ndarray) -> Loading:
        """All six mean strains given, (increment, 6)."""
        return cls(np.asarray(strain, float), np.zeros(np.shape(strain)), np.ones(6, bool))

    @classmethod
    def uniaxial_stress(
        cls, axis: str, strain: npt.ArrayLike, names: Sequence[str] | None = None
    ) -> Loading:
        """Tension along `axis` ("x", "y" or "z") at the given strains (increment,), the other five
        mean stresses zero.
        """
        i, targets = AXES[axis], np.asarray(strain, float)
        path = np.zeros((len(targets), 6))
        path[:, i] = targets
        return cls(path, np.zeros_like(path), np.arange(6) == i, names)


def load_sizes(loading: Loading, fields: VoxelMaterial, stiffness: np.ndarray | None) -> np.ndarray:
    """(increment, sve): energy norm of each increment's load, the unit of its residual; above 0.

    Of strains on what the SVE itself has for a `stiffness` (sve, 6, 6), if that is known, so that
    one which carries little is solved as exactly as a dense one; of stresses on the mean elastic
    medium.
    """
    mean = _mean_stiffness(fields)
    stiffness, compliance = mean if stiffness is None else stiffness, np.linalg.inv(mean)
    voxels = np.prod(fields.bulk.shape[1:])

    def size(strain: np.ndarray, stress: np.ndarray) -> np.ndarray:
        strain, stress = strain * loading.controlled, stress * ~np.asarray(loading.controlled, bool)
        energy = np.einsum("ki,sij,kj->ks", strain, stiffness, strain)
        energy += np.einsum("ki,sij,kj->ks", stress, compliance, stress)
        return np.sqrt(voxels * np.maximum(energy, 0.0))

    own = size(
        *(
            np.diff(target, axis=0, prepend=np.zeros((1, 6)))
            for target in (loading.strain, loading.stress)
        )
    )
    whole = np.maximum.accumulate(size(loading.strain, loading.stress))
    load = np.maximum(own, SMALLEST_LOAD * whole)
    return np.where(load > 0, load, 1.0)


def step_ratio(loading: Loading, k: int) -> float:
    """How far increment k goes in the direction of the one before it, in its lengths; 0 at a
    reversal.
    """
    # stresses as strains, roughly
    targets = np.where(loading.controlled, loading.strain, loading.stress * 1e-5)
    now, last = targets[k] - targets[k - 1], targets[k - 1] - (targets[k - 2] if k > 1 else 0)
    return float(np.clip(now @ last / max(last @ last, 1e-30), 0, 4))


def elastic_start(
    loading: Loading, fields: VoxelMaterial, stiffness: np.ndarray | None
) -> np.ndarray:
    """The mean strain (sve, 6) of the elastic response at the first increment: exact if the
    `stiffness` (sve, 6, 6) is known, else that of the mean medium.
    """
    stiffness = _mean_stiffness(fields) if stiffness is None else stiffness
    controlled = np.asarray(loading.controlled, bool)
    mean = np.zeros((len(stiffness), 6))
    mean[:, controlled] = loading.strain[0, controlled]
    if not controlled.all():
        missing = np.where(controlled, 0, loading.stress[0]) - np.einsum(
            "sij,sj->si", stiffness, mean
        )
        inverse = np.linalg.pinv(
            stiffness[:, ~controlled][:, :, ~controlled], rcond=1e-6, hermitian=True
        )
        mean[:, ~controlled] = np.einsum("sij,sj->si", inverse, missing[:, ~controlled])
    return mean


def _mean_stiffness(fields: VoxelMaterial) -> np.ndarray:
    """(sve, 6, 6): mean of the voxels' elastic stiffnesses."""
    bulk, shear = (modulus.mean(axis=(1, 2, 3)) for modulus in fields[:2])
    return bulk[:, None, None] * np.outer(TRACE, TRACE) + 2 * shear[:, None, None] * (
        np.eye(6) - np.outer(TRACE, TRACE) / 3
    )
