"""As few materials as a stated error allows: SVEs that answer alike share one.

A material is Young's modulus E, the bulk modulus K, and the stress under tension at some strains,
between which it is linear. Where each of these numbers is within a factor of 1 + tolerance, so is
the stress of tension at any strain, and of pressure. Moduli and stresses in MPa.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svevae.errors import ConfigError

# of each strain the least plastic share, so that those of a table grow, as *PLASTIC asks
LEAST = 1e-5
ROUNDING = 1e-12  # of logarithms


@dataclass(frozen=True)
class Curves:
    """Isotropic materials: `E` and `nu` (any,), and their `stress` (any, point) under tension at
    the total `strain` (point,). All are above 0 and stresses do not fall.
    """

    strain: np.ndarray
    E: np.ndarray
    nu: np.ndarray
    stress: np.ndarray

    def __len__(self) -> int:
        return len(self.E)

    def plastic(self) -> np.ndarray:
        """Plastic strain at each point, (any, point), as *PLASTIC takes it: it begins at 0 and
        grows. Where the law is as good as elastic it grows by LEAST of the strain.
        """
        least = LEAST * (self.strain - self.strain[0])
        plastic = self.strain - self.stress / self.E[:, None]
        plastic[:, 0] = 0.0
        return np.maximum.accumulate(plastic - least, axis=1) + least

    def tension(self, strain: np.ndarray) -> np.ndarray:
        """Stress (any, strain) at other total strains, as a finite element code finds it from E and
        the table of plastic strains: beyond the last point it stays.
        """
        found = []
        for E, stress, plastic in zip(self.E, self.stress, self.plastic(), strict=True):
            table = np.interp(strain, plastic + stress / E, stress)
            found.append(np.minimum(E * strain, table))
        return np.array(found).reshape(len(self), len(strain))


@dataclass(frozen=True)
class Bins:
    """Materials in place of many: `which` (any,) is the bin of each, `error` the largest deviation
    of E, K or stress, as a fraction.
    """

    curves: Curves
    which: np.ndarray
    error: float


def binned(curves: Curves, tolerance: float) -> Bins:
    """Put materials into bins, so that each number of theirs is within `tolerance` of the bin's.

    From the weakest on: a bin takes what lies within the tolerance of a point above the weakest one
    that is left, and has the middle of what it took. Raises ConfigError for a tolerance that is not
    above 0.
    """
    if not 0 < tolerance < 1:
        raise ConfigError(f"bins: expected a tolerance between 0 and 1, received {tolerance}")
    bulk = curves.E / (3 * (1 - 2 * curves.nu))
    logs = np.log(np.column_stack([curves.E, bulk, curves.stress]))
    span, mean = np.log1p(tolerance), logs.mean(axis=1)
    order = np.argsort(mean, kind="stable")
    logs, ranked = logs[order], mean[order]
    which = np.full(len(order), -1)
    middles: list[np.ndarray] = []
    for first in range(len(order)):
        if which[first] >= 0:
            continue
        stop = np.searchsorted(ranked, ranked[first] + 2 * span, "right")
        left = first + np.flatnonzero(which[first:stop] < 0)
        far = np.abs(logs[left] - (logs[first] + span)).max(axis=1)
        taken = left[far <= span + ROUNDING]
        which[taken] = len(middles)
        middles.append((logs[taken].min(axis=0) + logs[taken].max(axis=0)) / 2)
    centre = np.array(middles).reshape(-1, logs.shape[1])
    error = float(np.expm1(np.abs(logs - centre[which]).max(initial=0.0)))
    numbers = np.exp(centre)
    nu = (1 - numbers[:, 0] / (3 * numbers[:, 1])) / 2
    own = np.empty_like(which)
    own[order] = which
    return Bins(Curves(curves.strain, numbers[:, 0], nu, numbers[:, 2:]), own, error)
