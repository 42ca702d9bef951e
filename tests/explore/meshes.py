"""A page with a mesh, for tests: SVEs of 4 voxels of 10 um, and bars of elements as large."""

from __future__ import annotations

import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from svevae.explore.mesh import Choice, Filled, MeshSession, Upload
from svevae.meshes.mesh import Mesh
from svevae.model.latent import Response
from svevae.scans.options import ImportOptions
from tests.meshes.bars import bar
from tests.use.test_field import LABELS, VOLUME, stand_in

LAW = (70e3, 0.33, 200.0, 300.0, 40.0)


def curves_too() -> SimpleNamespace:
    """The stand-in that encodes the porosity, with whole curves and pores of its own."""
    model = stand_in(labels=LABELS, law=LAW)

    def response(latent: np.ndarray) -> Response:
        stress = (1 - latent[:, :1])[:, None] * np.array([300.0, 400.0])
        strain = np.array([[0.01, 0.03]]).repeat(len(latent), 0)
        return Response(strain, stress, 0 * stress, np.zeros(0))

    model.response, model.grain = response, 1.0
    model.decode = lambda latent: np.broadcast_to(latent[:, :1, None, None], (len(latent), 4, 4, 4))
    return model


def text_of(mesh: Mesh) -> bytes:
    """A mesh of one block as an .inp file."""
    lines = ["*NODE"]
    for number, point in zip(mesh.numbers.tolist(), mesh.points.tolist(), strict=True):
        lines.append(", ".join([str(number), *(f"{one:.9g}" for one in point)]))
    [block] = mesh.blocks
    lines.append(f"*ELEMENT, TYPE={block.kind}")
    for number, nodes in zip(block.numbers.tolist(), block.nodes.tolist(), strict=True):
        lines.append(", ".join(map(str, [number, *nodes])))
    for name, members in mesh.node_sets.items():
        lines += [f"*NSET, NSET={name}", *(f"{one}," for one in members.tolist())]
    return "\n".join(lines).encode()


def volume(array: np.ndarray = VOLUME, **options: object) -> Upload:
    """A volume as it is dropped."""
    stream = io.BytesIO()
    np.save(stream, array)
    return Upload("scan.npy", stream.getvalue(), ImportOptions(**options), 1 << 20)


def session(mesh: Mesh | None = None) -> MeshSession:
    """A page on which a mesh of 2 x 2 x 2 elements as large as the SVEs was dropped."""
    made = MeshSession(curves_too(), None, {})
    made.take("mesh.inp", text_of(mesh or bar("C3D8", (2, 2, 2), 0.04)), 1 << 28)
    return made


def filled(mesh: Mesh | None = None, **choice: object) -> Filled:
    """That mesh with the material of VOLUME."""
    return session(mesh).fill(Choice(**choice), volume())


def moved(mesh: Mesh, by: float, times: float = 1.0) -> Mesh:
    """A mesh moved along x, in another unit."""
    return replace(mesh, points=times * (mesh.points + np.array([by, 0.0, 0.0])))


def porosity(x: int, y: int, z: int) -> float:
    return float(VOLUME[4 * x : 4 * x + 4, 4 * y : 4 * y + 4, 4 * z : 4 * z + 4].mean())
