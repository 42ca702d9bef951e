"""What is learnt of an SVE with stress-strain curves: its response beside that of its matrix.

| targets | number |
| --- | --- |
| Young's moduli along x, y, z over that of the matrix | 3 |
| shear moduli yz, xz, xy over that of the matrix | 3 |
| Poisson's ratios nu_zx, nu_zy, nu_yx | 3 |
| stress over the matrix's own, along each axis of tension at each increment | axes x increments |

Moduli and ratios are those of the orthotropic part of the stiffness. So taken, all depend on the
pores and on three numbers of the law alone (`svevae.physics.alloys`), little on the latter, and
every property that `svevae.physics.label` gives can be read off them (`svevae.model.reading`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svevae.dataset.store import LabelledDataset, SVEDataset, label_record
from svevae.hdf5 import reading
from svevae.physics.alloys import LAW
from svevae.physics.elasticity import SHEARS, poisson, shear, young
from svevae.physics.label import HINGED, property_names
from svevae.physics.voce import OFFSET, voce_curve

AXES = "xyz"
RATIOS = (("z", "x"), ("z", "y"), ("y", "x"))  # along, across
CONSTANTS = len(AXES) + len(SHEARS) + len(RATIOS)
# Poisson's ratios of nearly severed SVEs are any number
RATIO_RANGE = (-0.5, 1.0)
# of the matrix's modulus: what carries less is nearly severed, and nobody is judged by it
LEAST = 0.02
# of the matrix's modulus: Poisson's ratios of what carries less count for less
SOUND = 0.1


@dataclass(frozen=True)
class Curves:
    """Tension along `axes` (of "xyz") to strains that are the multiples `knots` of s0/E. `law`, as
    `svevae.physics.alloys.LAW`, is the usual one, that the file is labelled by; law_mean and
    law_std (3,) are of `law_features` over all SVEs.
    """

    axes: tuple[str, ...]
    knots: tuple[float, ...]
    law: tuple[float, ...]
    law_mean: tuple[float, ...]
    law_std: tuple[float, ...]


def law_features(laws: np.ndarray) -> np.ndarray:
    """(..., 3) nu, log Q/s0 and log b s0/E: what curves and stiffness depend on beside the pores,
    in units of s0, s0/E and E.
    """
    E, nu, s0, Q, b = np.moveaxis(np.asarray(laws, float), -1, 0)
    tiny = np.finfo(np.float32).tiny  # what does not harden has no logarithm
    return np.stack(
        [nu, np.log(np.maximum(Q / s0, tiny)), np.log(np.maximum(b * s0 / E, tiny))], axis=-1
    )


def read_curves(data: SVEDataset) -> Curves | None:
    """The curves of a file, where its properties can be read off them: those of
    `svevae.physics.label`, with /stiffness and the law of each SVE. None for any other file.
    """
    laws = laws_of_file(data)
    if laws is None or (laws[:, [0, 2]] <= 0).any():
        return None
    with reading(data.path, known=True) as file:
        if "stiffness" not in file or "tension/strain" not in file:
            return None
        axes = tuple(axis for axis in AXES if f"tension/stress_{axis}" in file)
        strain = file["tension/strain"][:].astype(float)
    if data.names != property_names(axes)[0]:
        return None
    knots = strain * (laws[:, 0] / laws[:, 2])[:, None]
    if not np.allclose(knots, knots[0], rtol=1e-4, atol=0):
        return None
    features = law_features(laws)
    return Curves(
        axes,
        tuple(knots[0].tolist()),
        usual_law(data, laws),
        tuple(features.mean(axis=0).tolist()),
        tuple(np.maximum(features.std(axis=0), 1e-3).tolist()),
    )


def laws_of_file(data: SVEDataset) -> np.ndarray | None:
    """(sve, 5) the law of each SVE; None where the file does not say."""
    if data.laws is not None:
        return data.laws
    law = _labelled_by(data)
    return None if law is None else np.tile(law, (data.count, 1))


def usual_law(data: SVEDataset, laws: np.ndarray) -> tuple[float, ...]:
    """The law that a file of the `laws` (sve, 5) is labelled by; where it does not say, that of
    most SVEs.
    """
    kinds, counts = np.unique(laws, axis=0, return_counts=True)
    return _labelled_by(data) or tuple(kinds[counts.argmax()].tolist())


def pore_free(curves: Curves, names: tuple[str, ...], laws: np.ndarray) -> np.ndarray:
    """(sve, property) what metals of the `laws` (sve, 5) have without pores: moduli, yield and flow
    stress in MPa; 1 for all else.
    """
    E, _, s0, Q, b = laws.T
    own = {
        "E": E,
        "yield": s0 - Q * np.expm1(-b * OFFSET),
        "flow": voce_curve(E, s0, Q, b, curves.knots[-1] * s0 / E),
    }
    return np.stack([own.get(name.split("_")[0], np.ones(len(laws))) for name in names], axis=1)


def carries_load(data: LabelledDataset) -> np.ndarray:
    """(sve,) whether an SVE has LEAST of its matrix's modulus along each axis that the properties
    name; all of a file that does not say its metals.
    """
    laws = laws_of_file(data)
    moduli = [i for i, name in enumerate(data.names) if name.startswith("E_")]
    if laws is None or not moduli:
        return np.ones(data.count, bool)
    return np.asarray((data.properties[:, moduli] >= LEAST * laws[:, :1]).all(axis=1))


def response_weights(response: np.ndarray) -> np.ndarray:
    """(sve, target) float32: how much each number of a `response` counts when it is learnt. 1, and
    less for the Poisson's ratios of what is nearly severed: they are any number, and their errors
    would outweigh all others (docs/model-log.md).
    """
    weights = np.ones_like(response, np.float32)
    weakest = response[:, : len(AXES)].min(axis=1, keepdims=True)
    weights[:, CONSTANTS - len(RATIOS) : CONSTANTS] = (weakest / SOUND).clip(0, 1)
    return weights


def _labelled_by(data: SVEDataset) -> tuple[float, ...] | None:
    record = label_record(data)
    try:
        return tuple(float(record["material"][name]) for name in LAW) if record else None
    except (KeyError, TypeError, ValueError):
        return None


def response_of(data: SVEDataset, curves: Curves, index: np.ndarray) -> np.ndarray:
    """(SVE of `index`, target) as above, of a file that has them. Without a load path moduli, ratio
    and stress are 0.
    """
    laws = laws_of_file(data)
    assert laws is not None
    E, nu, s0, Q, b = laws[index].T[..., None]
    with reading(data.path, known=True) as file:
        stiffness = file["stiffness"][:][index].astype(float)
        stress = [file[f"tension/stress_{axis}"][:][index] for axis in curves.axes]
    matrix = voce_curve(E, s0, Q, b, np.array(curves.knots) * s0 / E)
    moduli = np.stack([young(stiffness, axis) for axis in AXES], axis=1) / E
    moduli[moduli <= HINGED] = 0.0
    shears = np.stack([shear(stiffness, plane) for plane in SHEARS], axis=1) * 2 * (1 + nu) / E
    ratios = np.stack([poisson(stiffness, *axes) for axes in RATIOS], axis=1)
    ratios[moduli[:, [AXES.index(along) for along, _ in RATIOS]] == 0] = 0.0
    return np.hstack(
        [moduli, shears, ratios.clip(*RATIO_RANGE), *(curve / matrix for curve in stress)]
    ).astype(np.float32)


def turned_response(
    response: np.ndarray, curves: Curves, turn: tuple[int, int, int]
) -> np.ndarray | None:
    """`response` (sve, target) of the same SVEs whose axis i was axis turn[i] before; None where
    there is no curve along one of them.
    """
    before = [AXES[axis] for axis in turn]  # the axes that are now x, y, z
    along = [before[AXES.index(axis)] for axis in curves.axes]
    if not set(along) <= set(curves.axes):
        return None
    moduli, shears, ratios = np.split(response[:, :CONSTANTS], 3, axis=1)
    stress = response[:, CONSTANTS:].reshape(len(response), len(curves.axes), -1)
    turned_ratios = [
        _ratio(moduli, ratios, (before[AXES.index(a)], before[AXES.index(b)])) for a, b in RATIOS
    ]
    return np.hstack(
        [
            moduli[:, list(turn)],
            shears[:, list(turn)],
            np.stack(turned_ratios, axis=1).clip(*RATIO_RANGE),
            stress[:, [curves.axes.index(axis) for axis in along]].reshape(len(response), -1),
        ]
    ).astype(np.float32)


def _ratio(moduli: np.ndarray, ratios: np.ndarray, axes: tuple[str, str]) -> np.ndarray:
    """nu_ab of the same compliance, axes (a, b): nu_ab / E_a = nu_ba / E_b."""
    if axes in RATIOS:
        return ratios[:, RATIOS.index(axes)]
    a, b = (moduli[:, AXES.index(axis)] for axis in axes)
    return ratios[:, RATIOS.index(axes[::-1])] * np.divide(a, b, out=np.zeros_like(a), where=b > 0)
