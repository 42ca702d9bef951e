"""The load curve of a part of any shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from svevae.meshes.calculix import Load
from svevae.physics.voce import OFFSET
from svevae.pictures.style import LINE, MODEL, WISHED, save


def plot_load(path: Path, load: Load) -> None:
    """Plot force over displacement, the elastic line moved by 0.2 % of the length and the yield
    load where they meet.
    """
    figure = Figure(figsize=(5.2, 3.8), layout="constrained")
    axes = figure.subplots()
    axes.plot(np.append(0, load.displacement), np.append(0, load.force), ".-", color=MODEL, lw=1.5)
    top = float(load.force.max())
    if (found := load.yield_load) is not None:
        start = OFFSET * load.length
        axes.plot([start, start + top / load.stiffness], [0, top], color=LINE, lw=1, ls="--")
        axes.plot([start + found / load.stiffness], [found], "o", color=WISHED)
        axes.set_title(f"yield load {found:.4g} N", fontsize=10)
    axes.set_xlabel(f"displacement [{load.unit}]")
    axes.set_ylabel("force [N]")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    save(figure, path)
