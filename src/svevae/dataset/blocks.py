"""How the scatter of a quantity falls with the size of the volume that it is averaged over."""

from __future__ import annotations

import numpy as np
import pandas as pd

from svevae.errors import DataError

Shape = tuple[int, int, int]


def block_shapes(position: np.ndarray, part_id: np.ndarray) -> list[Shape]:
    """Blocks of SVEs, doubled along x, y and z in turn where a part has room: 1, 2 x 1 x 1, 2 x 2 x
    1, 2 x 2 x 2, 4 x 2 x 2, ...

    position (sve, 3) and part_id (sve,) as in the contract. As long as some part holds two of them.
    """
    extent = (
        np.max([np.ptp(position[part_id == part], axis=0) for part in np.unique(part_id)], axis=0)
        + 1
    )
    shapes: list[Shape] = [(1, 1, 1)]
    stuck = 0  # axes along which no part has room
    while stuck < 3:
        wider = list(shapes[-1])
        wider[(len(shapes) - 1 + stuck) % 3] *= 2
        if np.prod(extent // wider) < 2:
            stuck += 1
        else:
            stuck = 0
            shapes.append((wider[0], wider[1], wider[2]))
    return shapes


def block_scatter(
    values: np.ndarray, part_id: np.ndarray, position: np.ndarray, shapes: list[Shape] | None = None
) -> pd.DataFrame:
    """Standard deviation, within parts, of the mean of a quantity over blocks of neighbouring SVEs.

    values (sve,) in any unit, part_id (sve,), position (sve, 3) integers; `shapes` of blocks in
    SVEs, else `block_shapes`. A part is tiled from its corner, blocks that it does not fill are
    left out. Columns: shape, sves (in a block), blocks (in all), std, standard_error, independent.

    The mean is that of the values, (1/V) sum v_i. Of a porosity it is the porosity of the block. Of
    stiffness or strength it is not the block's own: as if each SVE were strained alike, a Voigt
    estimate, from above where the SVEs are stiffer bound than in the block (Huet 1990, J. Mech.
    Phys. Solids 38, 813, for uniform strain on the boundary; periodic SVEs only nearly so), and of
    a ratio or a yield stress no bound at all. So this is how the scatter of the SVEs' properties
    averages out, and for the properties of large blocks an approximation that is good where they
    differ little from SVE to SVE.

    `std`^2 is the sum over parts of the squares of m_b - mean_part(m), over the sum of (blocks of
    the part - 1): unbiased for blocks that do not depend on each other; what all blocks of a part
    have in common is left out. `independent` is std of one SVE over sqrt(V), the law of independent
    SVEs, and of any field with a finite integral range at large V (Kanit et al. 2003, IJSS 40,
    3647); where neighbours resemble each other std falls less. `standard_error` is the delete-one
    jackknife over parts, NaN for fewer than two.

    Raises DataError for arrays that do not fit or are not finite, and where no part has two SVEs.
    """
    values, part_id, position = (
        np.asarray(values, np.float64),
        np.asarray(part_id),
        np.asarray(position),
    )
    if values.ndim != 1 or part_id.shape != values.shape or position.shape != (len(values), 3):
        raise DataError(
            f"values: expected (sve,), part_id (sve,), position (sve, 3), received {values.shape},"
            f" {part_id.shape}, {position.shape}"
        )
    if not np.isfinite(values).all():
        raise DataError(
            f"values: expected finite numbers, received {values[~np.isfinite(values)][0]}"
        )
    rows = []
    for shape in shapes or block_shapes(position, part_id):
        squares, freedom = [], []
        for part in np.unique(part_id):
            mine = part_id == part
            means = _block_means(values[mine], position[mine], shape)
            if len(means) > 1:
                squares.append(np.square(means - means.mean()).sum())
                freedom.append(len(means) - 1)
        if squares:
            std, error = _pooled(np.array(squares), np.array(freedom))
            rows.append(
                (
                    " x ".join(map(str, shape)),
                    int(np.prod(shape)),
                    sum(freedom) + len(freedom),
                    std,
                    error,
                )
            )
    if not rows:
        raise DataError("part_id: expected parts of two SVEs or more, received none")
    table = pd.DataFrame(rows, columns=["shape", "sves", "blocks", "std", "standard_error"])
    table["independent"] = table["std"].iloc[0] * np.sqrt(table["sves"].iloc[0] / table["sves"])
    return table


def scatter_exponent(table: pd.DataFrame) -> float:
    """alpha of std^2 proportional to V^-alpha, by least squares over the rows of `block_scatter`.

    1 for independent SVEs (the power law of Kanit et al. 2003); NaN for fewer than two sizes, or no
    scatter.
    """
    seen = table[table["std"] > 0]
    return (
        float("nan")
        if len(seen) < 2
        else float(-2 * np.polyfit(np.log(seen["sves"]), np.log(seen["std"]), 1)[0])
    )


def _block_means(values: np.ndarray, position: np.ndarray, shape: Shape) -> np.ndarray:
    """Means (block,) over the blocks of one part that are full."""
    block = (position - position.min(axis=0)) // shape
    _, row, sizes = np.unique(block, axis=0, return_inverse=True, return_counts=True)
    sums = np.bincount(row.ravel(), values)
    return (sums / sizes)[sizes == np.prod(shape)]


def _pooled(squares: np.ndarray, freedom: np.ndarray) -> tuple[float, float]:
    """Standard deviation over all parts, and its jackknife error, from sums of squares and degrees
    of freedom (part,).
    """
    std = float(np.sqrt(squares.sum() / freedom.sum()))
    if len(squares) < 2:
        return std, float("nan")
    without = np.sqrt((squares.sum() - squares) / (freedom.sum() - freedom))
    return std, float(np.sqrt((len(squares) - 1) * without.var()))
