"""Other people's meshes of parts, for finite element codes: read, with the numbers and sets of
their authors.

`read_mesh` reads Abaqus and CalculiX's .inp, and through meshio whatever else people have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from svevae.lazy import lazy

if TYPE_CHECKING:
    from svevae.meshes.mesh import Block, Mesh
    from svevae.meshes.reading import read_mesh

__all__ = ["Block", "Mesh", "read_mesh"]

__getattr__ = lazy(__name__, {"Block": "mesh", "Mesh": "mesh", "read_mesh": "reading"})
