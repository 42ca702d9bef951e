"""Other people's meshes of parts, for finite element codes: read, with the numbers and sets of
their authors.

`read_mesh` reads Abaqus and CalculiX's .inp, and through meshio whatever else people have. `binned`
puts materials of SVEs into as few as an error allows, `write_deck` writes a mesh with them and a
`Pull` as a deck that both codes run, `write_vtu` the same for ParaView. `run_deck` runs a
deck by CalculiX and returns its `Load`, `read_results` the fields that it left, as `Results`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from svevae.lazy import lazy

if TYPE_CHECKING:
    from svevae.meshes.bins import Bins, Curves, binned
    from svevae.meshes.calculix import Load, run_deck
    from svevae.meshes.deck import Pull, write_deck
    from svevae.meshes.mesh import Block, Mesh
    from svevae.meshes.reading import read_mesh
    from svevae.meshes.results import Results, read_results
    from svevae.meshes.vtu import write_vtu

__all__ = [
    "Bins",
    "Block",
    "Curves",
    "Load",
    "Mesh",
    "Pull",
    "Results",
    "binned",
    "read_mesh",
    "read_results",
    "run_deck",
    "write_deck",
    "write_vtu",
]

__getattr__ = lazy(
    __name__,
    {
        "Bins": "bins",
        "Block": "mesh",
        "Curves": "bins",
        "Load": "calculix",
        "Mesh": "mesh",
        "Pull": "deck",
        "Results": "results",
        "binned": "bins",
        "read_mesh": "reading",
        "read_results": "results",
        "run_deck": "calculix",
        "write_deck": "deck",
        "write_vtu": "vtu",
    },
)
