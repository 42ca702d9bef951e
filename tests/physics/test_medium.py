"""The preconditioner is the inverse of the element's stiffness on a homogeneous medium: checked on
the element itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from svevae.physics import element
from svevae.physics import medium as module
from svevae.physics.elasticity import DEVIATORIC_BASIS, TRACE
from svevae.physics.medium import Medium, Point, spectrum

RNG = np.random.default_rng(0)
COUNT, SHAPE = 2, (4, 6, 2)
UNIAXIAL = np.array([0.0, 1, 1, 1, 1, 1])  # free: all mean strains but xx
precondition = jax.jit(module.precondition)
homogeneous_medium = jax.jit(module.homogeneous_medium, static_argnames="shape")


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    RNG.bit_generator.state = np.random.default_rng(
        0
    ).bit_generator.state  # each test draws the same alone and among others
    with jax.enable_x64(True):
        yield


def stiffnesses(unit: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Bulk modulus (sve,) and an anisotropic, positive stiffness on deviators (5, 5, sve), as
    plastic flow makes it.
    """
    root = RNG.normal(size=(COUNT, 5, 5))
    return unit * RNG.uniform(1, 2, COUNT), unit * np.moveaxis(
        np.einsum("sij,skj->sik", root, root) + 0.1 * np.eye(5), 0, -1
    )


def random_point(shape: tuple[int, int, int], free: np.ndarray) -> Point:
    """A displacement without a mean, and mean strains where they are free: the space in which the
    solver works.
    """
    nodal = RNG.normal(size=(3, COUNT, *shape))
    return Point(
        jnp.asarray(nodal - nodal.mean(element.GRID, keepdims=True)),
        jnp.asarray(RNG.normal(size=(6, COUNT)) * free[:, None]),
    )


@jax.jit
def operator(x: Point, bulk: jax.Array, deviatoric: jax.Array, free: jax.Array) -> Point:
    """Forces and stress sum of a homogeneous medium, by the element."""
    deviator, dilatation = element.strain(element.corner_displacement(*x))
    stress = jnp.einsum("ijs,jgsxyz->igsxyz", deviatoric, deviator)
    nodal, total = element.assemble(
        element.corner_forces(stress, bulk[:, None, None, None] * dilatation)
    )
    return Point(nodal, total * free[:, None])


def medium(
    bulk: np.ndarray, deviatoric: np.ndarray, free: np.ndarray, shape: tuple[int, int, int]
) -> Medium:
    return homogeneous_medium(
        jnp.asarray(bulk),
        jnp.asarray(deviatoric),
        jnp.asarray(free),
        shape,
        spectrum(shape, "float64"),
    )


@pytest.mark.parametrize("shape", [SHAPE, (5, 1, 7)])
def test_it_is_the_inverse(shape: tuple[int, int, int]) -> None:
    """precondition(operator(x)) = x for each frequency and the free mean strains, even and odd
    grids, whatever the unit of stress.
    """
    bulk, deviatoric = stiffnesses(unit=7e4)
    x = random_point(shape, UNIAXIAL)
    back = precondition(
        operator(x, bulk, deviatoric, UNIAXIAL), medium(bulk, deviatoric, UNIAXIAL, shape)
    )
    np.testing.assert_allclose(np.asarray(back.nodal), np.asarray(x.nodal), atol=1e-9)
    np.testing.assert_allclose(np.asarray(back.mean), np.asarray(x.mean), atol=1e-9)


@pytest.mark.parametrize("number", [0, 1, 6])
def test_compliance_of_the_free_strains(number: int) -> None:
    """Of n free components: the inverse of that block of the stiffness over the number of voxels;
    zero elsewhere.
    """
    bulk, deviatoric = stiffnesses()
    free = (np.arange(6) < number).astype(float)
    compliance = np.moveaxis(np.asarray(medium(bulk, deviatoric, free, SHAPE).compliance), -1, 0)
    expected = np.zeros((COUNT, 6, 6))
    stiffness = np.einsum("ai,abs,bj->sij", DEVIATORIC_BASIS, deviatoric, DEVIATORIC_BASIS) + bulk[
        :, None, None
    ] * np.outer(TRACE, TRACE)
    expected[:, :number, :number] = np.linalg.inv(stiffness[:, :number, :number]) / np.prod(SHAPE)
    np.testing.assert_allclose(compliance, expected, atol=1e-12)


def test_symmetric_and_positive() -> None:
    """a . P b = b . P a and a . P a > 0, as conjugate gradients need."""
    inverse = medium(*stiffnesses(), UNIAXIAL, SHAPE)
    a, b = random_point(SHAPE, UNIAXIAL), random_point(SHAPE, UNIAXIAL)
    pa, pb = precondition(a, inverse), precondition(b, inverse)

    def dot(left: Point, right: Point) -> np.ndarray:
        return np.asarray(
            (left.nodal * right.nodal).sum((0, *element.GRID)) + (left.mean * right.mean).sum(0)
        )

    np.testing.assert_allclose(dot(a, pb), dot(b, pa), rtol=1e-11)
    assert (dot(a, pa) > 0).all()


def test_translation_has_no_answer() -> None:
    """A net force moves nothing: frequency zero of the displacement stays zero."""
    x = precondition(
        Point(jnp.ones((3, COUNT, *SHAPE)), jnp.zeros((6, COUNT))),
        medium(*stiffnesses(), np.ones(6), SHAPE),
    )
    assert np.abs(np.asarray(x.nodal)).max() < 1e-13


def test_no_stiffness() -> None:
    """A medium without bulk and shear modulus cannot be inverted, but other SVEs of the batch do
    not suffer.
    """
    bulk, deviatoric = stiffnesses()
    bulk[0], deviatoric[..., 0] = 0, 0
    x = random_point(SHAPE, np.zeros(6))
    back = precondition(
        operator(x, bulk, deviatoric, np.zeros(6)), medium(bulk, deviatoric, np.zeros(6), SHAPE)
    )
    np.testing.assert_allclose(np.asarray(back.nodal)[:, 1], np.asarray(x.nodal)[:, 1], atol=1e-9)


def test_single_precision() -> None:
    """In float32 and MPa the inverse holds to 1e-4, though determinants of 70,000 MPa cubed are out
    of scale for it.
    """
    bulk, shear = np.full(COUNT, 68_627.0), 26_316.0
    deviatoric = 2 * shear * np.eye(5)[..., None] * np.ones(COUNT)
    x = random_point(SHAPE, UNIAXIAL)
    single = [jnp.asarray(part, "float32") for part in (bulk, deviatoric, UNIAXIAL)]
    forces = operator(x, bulk, deviatoric, UNIAXIAL)
    rough = Point(forces.nodal.astype("float32"), forces.mean.astype("float32"))
    back = precondition(rough, homogeneous_medium(*single, SHAPE, spectrum(SHAPE, "float32")))
    assert back.nodal.dtype == jnp.float32
    np.testing.assert_allclose(np.asarray(back.nodal), np.asarray(x.nodal), atol=1e-4)
    np.testing.assert_allclose(np.asarray(back.mean), np.asarray(x.mean), atol=1e-4)
