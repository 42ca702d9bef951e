"""Figures of results: each module draws one kind; `style` holds what they share.

The functions here return a matplotlib `Figure`, so that notebooks show it and commands save it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from svevae.lazy import lazy

if TYPE_CHECKING:
    from svevae.pictures.dataset import dataset_figure
    from svevae.pictures.design import design_figure
    from svevae.pictures.scatter import scatter_figure

__all__ = ["dataset_figure", "design_figure", "scatter_figure"]

__getattr__ = lazy(
    __name__,
    {
        "dataset_figure": "dataset",
        "design_figure": "design",
        "scatter_figure": "scatter",
    },
)
