"""As few materials as a stated error allows: SVEs that answer alike share one.

A material is Young's modulus E, the bulk modulus K, and the stress under tension at some strains,
between which it is linear. Where each of these numbers is within a factor of 1 + error, so is the
stress of tension at any strain, and of pressure. Moduli and stresses in MPa.

Half of the error is for sharing, half for where plastic flow begins: porous metals yield bit by
bit, and points of a table that are as good as elastic cost CalculiX (2.20) its increments. A bar
with a hole of 1,208 C3D10 takes 674 increments and 207 s with all points, 50 and 13 s without those
within 0.1 % of elastic; its force is the same to 0.002 %.

Neither half says what becomes of curves that are no concave ones, which tables of plastic strains
that grow can only follow so far. So each SVE's deviation is measured, and those that share too much
share again, in narrower bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svevae.errors import ConfigError

# Raise it where the same curves come to share other materials, or these get other tables: runs that
# were kept are then made again.
RECIPE = 2
# of each strain the least plastic share, so that those of a table grow, as *PLASTIC asks
LEAST = 1e-5
ROUNDING = 1e-12  # of logarithms


@dataclass(frozen=True)
class Curves:
    """Isotropic materials: `E` and `nu` (any,), and their `stress` (any, point) under tension at
    the total `strain` (point,). All are above 0 and stresses do not fall, nor grow by more than E
    times the strain: where they would, a table follows as near as it can.
    """

    strain: np.ndarray
    E: np.ndarray
    nu: np.ndarray
    stress: np.ndarray

    def __len__(self) -> int:
        return len(self.E)

    def __getitem__(self, rows: np.ndarray) -> Curves:
        return Curves(self.strain, self.E[rows], self.nu[rows], self.stress[rows])

    def table(
        self, k: int, slack: float = 0.0, least: float = LEAST
    ) -> tuple[np.ndarray, np.ndarray]:
        """Stress and plastic strain (point,) of the k-th material as *PLASTIC takes them: plastic
        strains begin at 0 and grow, by at least the share `least` of the strain. Of the points that
        are as good as elastic, with plastic strains of at most `slack` of the strain, the last one
        alone is there; where the first one is not, flow begins at half its stress.
        """
        strain, stress = self.strain, self.stress[k]
        plastic = strain - stress / self.E[k]
        elastic = np.logical_and.accumulate(plastic <= slack * strain)
        first = max(int(elastic.sum()) - 1, 0)
        if not elastic[0]:
            strain, stress = (np.append(one[0] / 2, one) for one in (strain, stress))
            plastic = np.append(0.0, plastic)
        strain, stress, plastic = strain[first:], stress[first:], plastic[first:]
        plastic[0] = 0.0
        least = least * (strain - strain[0])
        return stress, np.maximum.accumulate(plastic - least) + least

    def knots(
        self, k: int, slack: float = 0.0, least: float = LEAST
    ) -> tuple[np.ndarray, np.ndarray]:
        """Total strains and stresses between which the k-th material is linear, from 0 on, as a
        finite element code finds them from E and the table.
        """
        stress, plastic = self.table(k, slack, least)
        return np.append(0.0, plastic + stress / self.E[k]), np.append(0.0, stress)

    def proof(self, offset: float) -> np.ndarray:
        """Stress (any,) at the plastic strain `offset`; that of the first or the last point where
        the table does not go there.
        """
        tables = (self.table(k) for k in range(len(self)))
        return np.array([np.interp(offset, plastic, stress) for stress, plastic in tables])

    def tension(self, strain: np.ndarray, slack: float = 0.0) -> np.ndarray:
        """Stress (any, strain) at other total strains, by `knots`: beyond the last point it
        stays.
        """
        rows = [np.interp(strain, *self.knots(k, slack)) for k in range(len(self))]
        return np.array(rows).reshape(len(self), len(strain))


@dataclass(frozen=True)
class Bins:
    """Materials in place of many: `which` (any,) is the bin of each, `slack` how near elastic the
    points are that their tables leave out, `error` the largest deviation of E, K or the stress of
    tension, as a fraction.
    """

    curves: Curves
    which: np.ndarray
    error: float = 0.0
    slack: float = 0.0


def binned(curves: Curves, tolerance: float) -> Bins:
    """Put materials into bins, so that E, K and the stress of each, at any strain, are within
    `tolerance` of the bin's, for tolerances well above LEAST.

    Raises ConfigError for a tolerance that is not above 0.
    """
    if not 0 < tolerance < 1:
        raise ConfigError(f"bins: expected a tolerance between 0 and 1, received {tolerance}")
    bulk = curves.E / (3 * (1 - 2 * curves.nu))
    logs = np.log(np.column_stack([curves.E, bulk, curves.stress]))
    span = np.log1p(tolerance) / 2
    slack = float(-np.expm1(-span))
    which = np.empty(len(curves), np.int64)
    left, kept, error = np.arange(len(curves)), [logs[:0]], 0.0
    while left.size:
        centre, group = _grouped(logs[left], span)
        made = _materials(curves.strain, centre)
        moduli = np.expm1(np.abs(logs[left, :2] - centre[group, :2]).max(axis=1))
        off = np.maximum(moduli, _deviations(curves[left], made, group, slack))
        good = off <= tolerance
        if len(centre) == len(left):  # each its own: there is no nearer one
            good[:] = True
        used, own = np.unique(group[good], return_inverse=True)
        which[left[good]] = sum(map(len, kept)) + own
        kept.append(centre[used])
        error = max(error, float(off[good].max(initial=0.0)))
        left, span = left[~good], span / 2
    return Bins(_materials(curves.strain, np.concatenate(kept)), which, error, slack)


def _grouped(logs: np.ndarray, span: float) -> tuple[np.ndarray, np.ndarray]:
    """Middles (group, number) of groups of rows (any, number) that are within `span` of each other
    on either side, and the group (any,) of each.

    From the lowest on: a group takes what lies within the span of a point above the lowest row that
    is left, and has the middle of what it took.
    """
    mean = logs.mean(axis=1)
    order = np.argsort(mean, kind="stable")
    logs, ranked = logs[order], mean[order]
    group = np.full(len(order), -1)
    middles: list[np.ndarray] = []
    for first in range(len(order)):
        if group[first] >= 0:
            continue
        stop = np.searchsorted(ranked, ranked[first] + 2 * span + ROUNDING, "right")
        left = first + np.flatnonzero(group[first:stop] < 0)
        far = np.abs(logs[left] - (logs[first] + span)).max(axis=1)
        taken = left[far <= span + ROUNDING]
        group[taken] = len(middles)
        middles.append((logs[taken].min(axis=0) + logs[taken].max(axis=0)) / 2)
    found = np.empty_like(group)
    found[order] = group
    return np.array(middles), found


def _materials(strain: np.ndarray, logs: np.ndarray) -> Curves:
    """Curves of the logarithms of E, K and stresses."""
    numbers = np.exp(logs)
    nu = (1 - numbers[:, 0] / (3 * numbers[:, 1])) / 2
    return Curves(strain, numbers[:, 0], nu, numbers[:, 2:])


def _deviations(curves: Curves, made: Curves, which: np.ndarray, slack: float) -> np.ndarray:
    """The largest deviation (any,) of the stress of tension of each from that of its bin: both are
    linear between their knots.
    """
    found = np.empty(len(curves))
    bins = [made.knots(k, slack) for k in range(len(made))]
    for i, k in enumerate(which.tolist()):
        own = curves.knots(i, least=0.0)
        at = np.concatenate([own[0][1:], bins[k][0][1:]])
        found[i] = np.abs(np.interp(at, *bins[k]) / np.interp(at, *own) - 1).max()
    return found
