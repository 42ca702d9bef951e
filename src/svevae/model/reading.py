"""Properties and stress-strain curves read off what the predictor learns, as fixed Keras layers.

The predictor gives the response of an SVE beside that of its matrix (`svevae.dataset.curves`).
Stress is that ratio times the matrix's own curve, which follows from its law; between two
increments the curve is as round as in `svevae.physics.knee`. Moduli, flow stress and 0.2 % yield
are read off that curve, so that they cannot disagree with it.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from svevae.dataset.curves import AXES, CONSTANTS, RATIOS, Curves
from svevae.physics.alloys import LAW
from svevae.physics.knee import LEAST_LOST, ROUND, SHARE, SHARP, bend, sharpness
from svevae.physics.voce import OFFSET

NEWTON = 12
# points of the curve between which the yield is looked for: it is then within 1e-4 of that of
# `svevae.physics.knee.proof_stress`
POINTS = 128  # over the whole curve, and as many about the knee
KNEE = (0.5, 2.0)  # in strain over s0/E
KNEES = 129  # of the table of how round a curve is
TINY = 1e-6
LEAST = 1e-2  # of s0: stress of the matrix that the standard deviation of a yield is a share of


def reading(names: tuple[str, ...], curves: Curves) -> keras.Model:
    """(targets, their standard deviations, law) -> {"properties", "properties_std": (batch,
    property); "strain": (batch, increment); "stress", "stress_std": (batch, axis, increment), MPa;
    "constants": (batch, 9) E_x, E_y, E_z, G_yz, G_xz, G_xy in MPa and nu_zx, nu_zy, nu_yx}.

    Targets (batch, target) as `svevae.dataset.curves`, law (batch, 5). Nothing in it is trained.
    """
    axes, increments = len(curves.axes), len(curves.knots)
    targets, spread = (
        keras.Input((CONSTANTS + axes * increments,), name=name) for name in ("targets", "spread")
    )
    law = keras.Input((len(LAW),), name="law")
    E, nu, s0, Q, b = (law[:, i : i + 1] for i in range(len(LAW)))
    unit = s0 / E  # of strain
    knots = _constant("knots", np.array(curves.knots))(law)
    at_knots = _matrix_curve(knots, Q / s0, b * unit)
    grid = _grid(np.array(curves.knots))
    points = _constant("points", grid)(law)
    at_points = _matrix_curve(points, Q / s0, b * unit)
    between = _between(np.append(0.0, curves.knots), grid)
    before_yield = [float(x) for x in curves.knots if x < 1]
    roundness = _roundness(before_yield[-1]) if before_yield else None

    def parts(x: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Moduli along the axes of tension (batch, axis), and all ratios of stress between 0 and
        the last increment (batch, axis, 1 + increment).
        """
        moduli = ops.take(x, [AXES.index(axis) for axis in curves.axes], axis=1)
        ratios = layers.Reshape((axes, increments))(x[:, CONSTANTS:])
        return moduli, layers.Concatenate(axis=2)([moduli[:, :, None], ratios])

    moduli, ratios = parts(targets)
    _, ratios_std = parts(spread)
    disturbed = 1 - ops.clip(moduli, 0.0, 1.0)[:, :, None] ** SHARE
    if roundness is None:
        n = SHARP * ops.ones_like(disturbed)
    else:
        # of the elastic stress at the last increment before the matrix yields
        kept = ratios[:, :, len(before_yield)] / ops.maximum(moduli, TINY)
        n = roundness(((1 - kept) / ops.maximum(disturbed[:, :, 0], TINY))[:, :, None])
    round_at_points = _round_curve(points, at_points, Q / s0, b * unit, disturbed, n)
    to_round = at_knots[:, None, :] / _round_curve(knots, at_knots, Q / s0, b * unit, disturbed, n)
    on_grid, std_on_grid = (
        between(layers.Concatenate(axis=2)([x[:, :, :1], x[:, :, 1:] * to_round]))
        for x in (ratios, ratios_std)
    )
    # the first point where the curve is below the line of slope E through the offset
    offset = OFFSET / unit
    line = moduli[:, :, None] * (points - offset)[:, None, :]
    above = on_grid * round_at_points - line
    below = ops.cast(above <= 0, "int32")
    right = ops.argmax(below, axis=2)
    right = ops.where(ops.max(below, axis=2) > 0, right, len(grid) - 1)
    right = ops.maximum(right, 1)
    after, before = (ops.one_hot(i, len(grid), dtype="float32") for i in (right, right - 1))
    d0, d1 = (ops.sum(above * here, axis=2) for here in (before, after))
    share = ops.clip(d0 / ops.maximum(d0 - d1, 1e-12), 0.0, 1.0)
    here = before * (1 - share)[:, :, None] + after * share[:, :, None]
    strain_at_yield = ops.sum(here * points[:, None, :], axis=2)
    yields = moduli * (strain_at_yield - offset)
    # what has no stiffness yields at 0, and nobody is quite sure of that
    yields_std = ops.sum(here * std_on_grid * ops.maximum(round_at_points, LEAST), axis=2)
    flow, flow_std = (x[:, :, -1] * at_knots[:, -1:] for x in (ratios, ratios_std))

    scale = _constants_in_units(E, nu)
    constants, constants_std = (x[:, :CONSTANTS] * scale for x in (targets, spread))
    columns, columns_std = (
        _columns(names, curves, given, yielding * s0, flowing * s0)
        for given, yielding, flowing in (
            (constants, yields, flow),
            (constants_std, yields_std, flow_std),
        )
    )
    outputs = {
        "properties": columns,
        "properties_std": columns_std,
        "strain": knots * unit,
        "stress": ratios[:, :, 1:] * (at_knots * s0)[:, None, :],
        "stress_std": ratios_std[:, :, 1:] * (at_knots * s0)[:, None, :],
        "constants": constants,
    }
    model = keras.Model([targets, spread, law], outputs, name="reading")
    model.trainable = False
    return model


def _matrix_curve(
    strain: keras.KerasTensor, hardening: keras.KerasTensor, rate: keras.KerasTensor
) -> keras.KerasTensor:
    """Stress over s0 of the matrix at strains over s0/E, (batch, any); Q/s0 and b s0/E (batch, 1).

    As `svevae.physics.voce.voce_curve`: Newton's method climbs to the root.
    """
    plastic = ops.zeros_like(strain)
    for _ in range(NEWTON):
        left = hardening * ops.exp(-rate * plastic)
        excess = strain - plastic - 1.0 - hardening + left
        plastic = ops.maximum(plastic + excess / (1.0 + rate * left), 0.0)
    return strain - plastic


def _round_curve(
    strain: keras.KerasTensor,
    matrix: keras.KerasTensor,
    hardening: keras.KerasTensor,
    rate: keras.KerasTensor,
    disturbed: keras.KerasTensor,
    n: keras.KerasTensor,
) -> keras.KerasTensor:
    """Stress over s0 of the round curve at strains (batch, any) where the matrix has `matrix`; of
    axes of which pores disturb the share `disturbed` (batch, axis, 1): (batch, axis, any).
    """
    flow = 1 + hardening * (1 - ops.exp(-rate * (strain - matrix)))
    x = ops.maximum((strain / flow)[:, None, :], TINY)
    low = ops.minimum(x, 1.0)
    bent = low * (1 + ops.minimum(x, 1 / x) ** n) ** (-1 / n)
    return (1 - disturbed) * matrix[:, None, :] + disturbed * flow[:, None, :] * bent


def _roundness(x: float) -> keras.Model:
    """What `svevae.physics.knee.sharpness` gives of the share (batch, axis, 1) lost at the strain
    `x` over s0/E: linear between logarithms of it.
    """
    most = float(1 - bend(np.array(x), np.array(ROUND)))
    table = np.linspace(np.log(LEAST_LOST), np.log(most), KNEES)
    step = table[1] - table[0]
    lost = keras.Input((None, 1))
    place = (ops.log(ops.clip(lost, LEAST_LOST, most)) - table[0]) / step
    hats = ops.relu(1 - ops.abs(place - _constant("places", np.arange(KNEES))(lost)))
    layer = layers.Dense(1, use_bias=False, dtype="float32", name="roundness")
    layer.build((None, None, KNEES))
    layer.set_weights([sharpness(np.exp(table), np.array(x))[:, None]])
    return keras.Model(lost, layer(hats))


def _constants_in_units(E: keras.KerasTensor, nu: keras.KerasTensor) -> keras.KerasTensor:
    """What each constant of the targets is a multiple of: (batch, 9)."""
    shear = E / (2 * (1 + nu))
    return layers.Concatenate()([E] * len(AXES) + [shear] * 3 + [ops.ones_like(E)] * len(RATIOS))


def _columns(
    names: tuple[str, ...],
    curves: Curves,
    constants: keras.KerasTensor,
    yields: keras.KerasTensor,
    flow: keras.KerasTensor,
) -> keras.KerasTensor:
    """(batch, property) in the order of `names`."""
    along = {"yield": yields, "flow": flow}
    columns = []
    for name in names:
        kind, axis = name.split("_")
        if kind in along:
            i = curves.axes.index(axis)
            columns.append(along[kind][:, i : i + 1])
        else:
            i = (
                AXES.index(axis)
                if kind == "E"
                else 2 * len(AXES) + RATIOS.index((axis[0], axis[1]))
            )
            columns.append(constants[:, i : i + 1])
    return layers.Concatenate()(columns)


def _grid(knots: np.ndarray) -> np.ndarray:
    """Strains over s0/E from 0 to the last increment, among them where a curve may bend."""
    everywhere, about = np.linspace(0.0, knots[-1], POINTS), np.linspace(*KNEE, POINTS)
    grid = np.unique(np.concatenate([everywhere, about, knots, [1.0]]))
    apart = np.append(np.inf, np.diff(grid)) > TINY
    return grid[apart & (grid <= knots[-1])]


def _constant(name: str, values: np.ndarray) -> layers.Dense:
    """A layer that gives `values` whatever it sees: a constant that Keras saves well."""
    return layers.Dense(
        len(values),
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(values.tolist()),
        dtype="float32",
        name=name,
    )


def _between(knots: np.ndarray, points: np.ndarray) -> layers.Layer:
    """A layer that gives values (batch, axis, knot) at `points`, linear between the knots."""
    hats = np.stack([np.interp(points, knots, unit) for unit in np.eye(len(knots))])
    layer = layers.EinsumDense("bak,kp->bap", (None, len(points)), dtype="float32", name="between")
    layer.build((None, None, len(knots)))
    layer.set_weights([hats])
    return layer
