"""The real Fourier basis against waves, and fixed products against numpy."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from svevae.model.fourier import fixed_dense, fixed_product, fourier_basis, wave_numbers


@pytest.mark.parametrize("n", [5, 8])
def test_the_basis_is_orthonormal_and_its_derivatives_are_those_of_waves(n: int) -> None:
    basis, k = fourier_basis(n), wave_numbers(n)
    np.testing.assert_allclose(basis @ basis.T, np.eye(n), atol=1e-12)
    np.testing.assert_allclose(fourier_basis(n, 2), -((k**2)[:, None]) * basis, atol=1e-12)
    np.testing.assert_allclose(fourier_basis(n, 4), (k**4)[:, None] * basis, atol=1e-12)
    x = 2 * np.pi * np.arange(n) / n
    wave = np.cos(x) + 2 * np.sin(2 * x)
    derivative = (basis @ wave) @ fourier_basis(n, 1)
    np.testing.assert_allclose(derivative, -np.sin(x) + 4 * np.cos(2 * x), atol=1e-12)


def test_fixed_products_are_numpys_and_are_saved() -> None:
    random = np.random.default_rng(0)
    x, kernel = random.random((3, 4, 5)).astype(np.float32), random.random((2, 5))
    inputs = keras.Input(x.shape[1:])
    products = [fixed_product("bxy,ky->bkx", kernel)(inputs), fixed_dense(kernel.T)(inputs)]
    model = keras.Model(inputs, products)
    found, dense = model.predict(x, verbose=0)
    np.testing.assert_allclose(found, np.einsum("bxy,ky->bkx", x, kernel), rtol=1e-5)
    np.testing.assert_allclose(dense, found.swapaxes(1, 2), rtol=1e-5)
    copy = keras.Model.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(copy.predict(x, verbose=0)[1], model.predict(x, verbose=0)[1])
