"""The two back ends beside each other: one physics, by JAX and by numba."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from svevae.physics import batched
from svevae.physics.cpu import batch, fourier, rows
from svevae.physics.cpu.plasticity import saturation
from svevae.physics.elasticity import PRESETS, Material, PorousMaterial
from svevae.physics.hardening import Hardening
from svevae.physics.homogenize import Loading, Settings, Solver

VOCE = PRESETS["as-built-z"]
STRAINS = (0.001, 0.004, 0.01)


def sves(shape: tuple[int, int, int], count: int = 2) -> np.ndarray:
    return (np.random.default_rng(0).random((count, *shape)) < 0.05).astype(np.uint8)


@pytest.mark.parametrize("shape", [(8, 8, 8), (5, 3, 37), (2, 4, 64)], ids=str)
@pytest.mark.parametrize(("dtype", "within"), [("float64", 1e-9), ("float32", 2e-5)])
def test_back_ends_agree(shape: tuple[int, int, int], dtype: str, within: float) -> None:
    """Stiffness, iterations, curves and fields of any grid, also of rows that 32 does not divide;
    at one tolerance both take the same steps, so what is apart is rounding.
    """
    voxels = sves(shape)
    settings = Settings(dtype, tolerance=1e-4)
    found = []
    for by in ("numba", "jax"):
        solver = Solver(shape, settings, by=by)
        elastic = solver.elastic(VOCE, voxels)
        loading = Loading.uniaxial_stress("y", STRAINS)
        found.append((elastic, solver.path(VOCE, loading, voxels, elastic, fields=True)))
    (elastic, path), (other, otherwise) = found
    np.testing.assert_array_equal(elastic.iterations, other.iterations)
    scale = other.stiffness.max()
    np.testing.assert_allclose(elastic.stiffness / scale, other.stiffness / scale, atol=within)
    np.testing.assert_allclose(path.stress / 300, otherwise.stress / 300, atol=within)
    np.testing.assert_allclose(path.strain, otherwise.strain, atol=within)
    for name, field in otherwise.fields.items():
        near = {"stress": 300.0}.get(name, 0.01)
        np.testing.assert_allclose(
            path.fields[name] / near, field / near, atol=100 * within, err_msg=name
        )


@pytest.mark.parametrize("nu_p", [0.5, 0.3])
def test_back_ends_agree_on_porous_materials(nu_p: float) -> None:
    """The ellipse, of constants that differ from voxel to voxel, one of which never yields."""
    shape, random = (4, 5, 6), np.random.default_rng(1)
    s0 = random.uniform(100, 300, (2, *shape))
    s0[0, 1, 2, 3], s0[1, 0, 0, 0] = np.inf, 0.0
    material = PorousMaterial(
        E=random.uniform(3e4, 7e4, (2, *shape)), nu=0.3, s0=s0, Q=200.0, b=40.0, nu_p=nu_p
    )
    loading = Loading.prescribed_strain(
        np.outer([0.002, 0.006, 0.003], [1.0, -0.3, 0.2, 0.5, 0.1, -0.2])
    )
    settings = Settings("float64", tolerance=1e-6)
    one, other = (
        Solver(shape, settings, by=by).path(material, loading, fields=True)
        for by in ("numba", "jax")
    )
    np.testing.assert_allclose(one.stress, other.stress, rtol=1e-8, atol=1e-6)
    for name, field in other.fields.items():
        np.testing.assert_allclose(one.fields[name], field, rtol=1e-6, atol=1e-8, err_msg=name)


@pytest.mark.parametrize(("dtype", "within"), [("float64", 1e-9), ("float32", 2e-5)])
def test_back_ends_agree_on_tables(dtype: str, within: float) -> None:
    """A table for each voxel, one of which never yields and one of which has no strength at
    first; at one tolerance both take the same steps.
    """
    shape, random = (4, 5, 6), np.random.default_rng(1)
    strain = np.cumsum(random.uniform(1e-4, 4e-3, (2, *shape, 7)), axis=-1)
    stress = np.cumsum(random.uniform(0, 60, strain.shape), axis=-1) + 80
    stress[0, 1, 2, 3], stress[1, 0, 0, 0, 0] = np.inf, 0.0
    material = PorousMaterial(
        E=random.uniform(3e4, 7e4, (2, *shape)),
        nu=0.3,
        nu_p=random.uniform(0, 0.5, (2, *shape)),
        hardening=Hardening(strain - strain[..., :1], stress),
    )
    loading = Loading.prescribed_strain(
        np.outer([0.002, 0.006, 0.003], [1.0, -0.3, 0.2, 0.5, 0.1, -0.2])
    )
    one, other = (
        Solver(shape, Settings(dtype, tolerance=1e-4), by=by).path(material, loading, fields=True)
        for by in ("numba", "jax")
    )
    np.testing.assert_array_equal(one.newton, other.newton)
    np.testing.assert_allclose(one.stress / 300, other.stress / 300, atol=within)
    for name, field in other.fields.items():
        near = {"stress": 300.0}.get(name, 0.01)
        np.testing.assert_allclose(
            one.fields[name] / near, field / near, atol=100 * within, err_msg=name
        )


def test_threads_share_a_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slabs of planes, one for each thread: the result of one thread."""
    voxels, loading = sves((7, 4, 6), 1), Loading.uniaxial_stress("x", STRAINS)
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(batch, "LARGE", 1)
        monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
        solver = Solver(voxels.shape[1:], Settings("float64", tolerance=1e-6), by="numba")
        elastic = solver.elastic(VOCE, voxels)
        path = solver.path(VOCE, loading, voxels, elastic, fields=True)
        found.append((elastic.stiffness, path.stress, path.fields["plastic_strain"]))
    for one, three in zip(*found, strict=True):
        np.testing.assert_allclose(one, three, rtol=1e-9, atol=1e-12)


def test_memory_of_numba() -> None:
    """What numpy allocates at the peak, within 25 % of `Solver.memory`."""
    shape = (32, 32, 32)
    solver, voxels = Solver(shape, by="numba"), sves(shape, 1)
    loading = Loading.uniaxial_stress("x", STRAINS)
    elastic = solver.elastic(VOCE, voxels)
    works = {
        "elastic": lambda: solver.elastic(VOCE, voxels),
        "path": lambda: solver.path(VOCE, loading, voxels, elastic),
    }
    held = {}
    for kind, work in works.items():
        work()  # compiles
        tracemalloc.start()
        work()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        held[kind] = peak + (elastic.displacement.nbytes if kind == "path" else 0)
    said = {kind: solver.memory(1, kind) for kind in held}
    assert said == pytest.approx(held, rel=0.25), {k: v / 32**3 / 4 for k, v in held.items()}


def test_rows_hold_fields() -> None:
    fields = np.random.default_rng(0).random((3, 2, 4, 37))
    held = rows.to_rows(fields, "float64")
    assert held.shape == (2, 4, 2, 3, rows.ROW)
    np.testing.assert_array_equal(rows.from_rows(held, 37), fields)
    assert not held[:, :, 1, :, 5:].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saturation(dtype: type) -> None:
    x = np.append(0, np.logspace(-12, 3, 500)).astype(dtype)
    found = np.array([saturation(value) for value in x])
    exact = -np.expm1(-x.astype(np.longdouble))
    assert np.abs(found - exact).max() < 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(found, exact.astype(dtype), rtol=4 * np.finfo(dtype).eps)


def test_kernels_are_kept_by_a_digest_of_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In NUMBA_CACHE_DIR if that is set, else where files can be written, else nowhere."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    rows._cache.cache_clear()
    assert (folder := rows._cache()) is not None
    assert folder.parent == tmp_path

    @rows.kernel
    def double(x: float) -> float:
        return x + x

    assert double(2.0) == 4.0
    assert list(folder.rglob("*.nbi")), "nothing is kept"
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    rows._cache.cache_clear()
    assert rows._cache() is None

    @rows.kernel
    def triple(x: float) -> float:
        return x + x + x

    assert triple(2.0) == 6.0
    monkeypatch.undo()
    rows._cache.cache_clear()


def test_no_yield_stress_and_no_hardening() -> None:
    """s0 = 0 flows at once and s0 = inf never, by either back end."""
    for material in (replace(VOCE, s0=0.0), Material(E=7e4, nu=0.33)):
        stress = [
            Solver((4, 4, 4), Settings("float64"), by=by)
            .path(material, Loading.uniaxial_stress("z", STRAINS), sves((4, 4, 4)))
            .stress
            for by in ("numba", "jax")
        ]
        np.testing.assert_allclose(*stress, rtol=1e-6, atol=1e-6)


def test_no_product_is_rounded_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU multiplies float32 matrices in TensorFloat-32, 11 bits, unless it is told otherwise:
    every product of the elastic cases and of an increment asks for all bits.
    """
    traced = []

    def traced_first(name: str, static: tuple[int, ...]) -> None:
        function = getattr(batched, name)

        def call(*arguments: Any) -> Any:
            traced.append(str(jax.make_jaxpr(function, static)(*arguments)))
            return function(*arguments)

        monkeypatch.setattr(batched, name, call)

    traced_first("solve_elastic", (3,))
    traced_first("solve_increment", (8, 9))
    voxels, solver = sves((4, 4, 4)), Solver((4, 4, 4), by="jax")
    solver.path(VOCE, Loading.uniaxial_stress("z", [0.01]), voxels, solver.elastic(VOCE, voxels))
    assert len(traced) == 2
    for program in traced:
        products = program.count("dot_general[")
        assert products > 3
        assert program.count("precision=(Precision.HIGHEST, Precision.HIGHEST)") == products


@pytest.mark.parametrize("shape", [(8, 4, 16), (64, 64, 2), (1, 1, 1)], ids=str)
def test_transforms_agree(shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """FFTW, in pieces of the grid, beside scipy, which works where pyFFTW is not installed."""
    pytest.importorskip("pyfftw")
    monkeypatch.setattr(fourier, "CHUNK", 64)

    def each(work: Callable[[int], Any], count: int) -> list[Any]:
        return [work(k) for k in range(count)]

    def multiply(waves: np.ndarray, start: int) -> None:
        waves *= factors[: waves.shape[1], start : start + waves.shape[2]]

    random = np.random.default_rng(0)
    factors = random.random((shape[0], shape[1], shape[2] // 2 + 1))
    nodal, found = random.normal(size=(3, *shape)), []
    for installed in (True, False):
        if not installed:
            monkeypatch.setitem(sys.modules, "pyfftw", None)
        transforms = fourier.fourier(shape, "float64", 1, each)
        transforms.before[:] = nodal
        transforms.apply(multiply)
        np.testing.assert_array_equal(transforms.before, nodal)
        found.append((type(transforms), transforms.after))
    assert found[0][0] is not found[1][0]
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-12 * np.prod(shape))
