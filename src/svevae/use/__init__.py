"""What people do with a trained model: load, predict, sample, design, scatter, field, spread,
lighten.

Each verb is a command of the same name, and works on files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from svevae.lazy import lazy

if TYPE_CHECKING:
    from svevae.use.champion import load
    from svevae.use.design import Design, design_file
    from svevae.use.field import encode_volume, field_file
    from svevae.use.lighten import Lightened, Wish, lighten_file
    from svevae.use.mesh_options import MeshOptions
    from svevae.use.on_mesh import deck_file
    from svevae.use.predict import predict_file
    from svevae.use.sample import sample_file
    from svevae.use.scatter import Scatter, scatter_of_file
    from svevae.use.spread import Spread, spread_of_file

__all__ = [
    "Design",
    "Lightened",
    "MeshOptions",
    "Scatter",
    "Spread",
    "Wish",
    "deck_file",
    "design_file",
    "encode_volume",
    "field_file",
    "lighten_file",
    "load",
    "predict_file",
    "sample_file",
    "scatter_of_file",
    "spread_of_file",
]

__getattr__ = lazy(
    __name__,
    {
        "Design": "design",
        "Lightened": "lighten",
        "MeshOptions": "mesh_options",
        "Scatter": "scatter",
        "Spread": "spread",
        "Wish": "lighten",
        "deck_file": "on_mesh",
        "design_file": "design",
        "encode_volume": "field",
        "field_file": "field",
        "lighten_file": "lighten",
        "load": "champion",
        "predict_file": "predict",
        "sample_file": "sample",
        "scatter_of_file": "scatter",
        "spread_of_file": "spread",
    },
)
