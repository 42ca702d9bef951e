"""Results of FANS and their microstructures, in one file or two."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from svevae.errors import DataError
from svevae.scans.importers import read_samples
from svevae.scans.options import ImportOptions
from tests.scans.sources import CUBES, imported, labels_of, tangent, write_hdf5


def check_fans(file: h5py.File, count: int) -> None:
    labels = labels_of(file)
    factors = 1 + np.arange(count)
    for name, modulus in {"E_x": 70e3, "E_y": 60e3, "E_z": 50e3}.items():
        assert labels[name][0] == "MPa"
        np.testing.assert_allclose(labels[name][1], modulus * factors, rtol=1e-12)
    stiffness = file["stiffness"][:]
    for index, shear in ((3, 22e3), (4, 24e3), (5, 26e3)):  # ours: xx yy zz yz xz xy
        np.testing.assert_allclose(stiffness[:, index, index], 2 * shear * factors, rtol=1e-12)
    np.testing.assert_array_equal(stiffness[:, :3, :3], [tangent(i)[:3, :3] for i in range(count)])


def test_fans_results_beside_their_microstructures(tmp_path: Path) -> None:
    """Two files as FANS has them: microstructures (z, y, x), results in
    <path>_results/<prefix>/load0/time_step0.
    """
    images = {f"set/{i}/ms": CUBES[i].T for i in range(3)} | {"set/10/ms": CUBES[3].T}
    results = {
        f"set/{i}/ms_results/run/load0/time_step0/homogenized_tangent": tangent(i) for i in range(3)
    }
    paths = [write_hdf5(tmp_path / "results.h5", results), write_hdf5(tmp_path / "ms.h5", images)]
    file, report = imported(paths, tmp_path)
    with file:
        np.testing.assert_array_equal(file["voxels"][:], CUBES[:3])
        check_fans(file, 3)
        assert file.attrs["axes"] == "zyx"
        assert file.attrs["source_files"] == 2
    assert "volumes without a tangent are left out: set/10/ms" in report


def test_fans_microstructures_in_the_same_file(tmp_path: Path) -> None:
    """`microstructure` among the results, (z, y, x, 1), or the only volume in a group above, here
    with xyz as its order.
    """
    step = "ms_results/load0/time_step0"
    write_hdf5(
        tmp_path / "a.h5",
        {
            f"{step}/homogenized_tangent": tangent(0) / 1000,
            f"{step}/microstructure": CUBES[0].T[..., None],
            f"{step}/stress": np.zeros((6, 6, 6, 6)),
        },
    )
    file, _ = imported([tmp_path / "a.h5"], tmp_path, stress_unit="GPa")
    with file:
        np.testing.assert_array_equal(file["voxels"][0], CUBES[0])
        np.testing.assert_allclose(labels_of(file)["E_x"][1], 70e3, rtol=1e-12)
    content = {}
    for i in range(2):
        content |= {
            f"s{i}/image_data/dset_0/image": CUBES[i],
            f"s{i}/image/ab12/load0/time_step0/homogenized_tangent": tangent(i),
        }
    order = {f"s{i}/image_data/dset_0/image": {"permute_order": "xyz"} for i in range(2)}
    file, _ = imported([write_hdf5(tmp_path / "b.h5", content, order)], tmp_path)
    with file:
        np.testing.assert_array_equal(file["voxels"][:], CUBES[:2])
        check_fans(file, 2)


def test_each_fault_of_fans_results_is_named(tmp_path: Path) -> None:
    first, second = (f"ms_results/load{i}/time_step0/homogenized_tangent" for i in range(2))
    both = {"ms": CUBES[0], first: tangent(0), second: tangent(1)}
    path = write_hdf5(tmp_path / "two.h5", both)
    with pytest.raises(
        DataError,
        match=(
            r"two\.h5: ms: expected one tangent, found .*load0.* and .*load1.*; say which with"
            r" --tangent"
        ),
    ):
        read_samples([path], ImportOptions())
    read = read_samples([path], ImportOptions(tangent="*load1*"))
    np.testing.assert_allclose(read.arrays["properties"][0], [140e3, 120e3, 100e3], rtol=1e-12)
    with pytest.raises(
        DataError,
        match=r"two\.h5: expected a homogenized_tangent that fits --tangent \*load7\*, found none",
    ):
        read_samples([path], ImportOptions(tangent="*load7*"))
    for content, message in (
        (
            {first: tangent(0)},
            (
                r"load0/time_step0/homogenized_tangent: expected one microstructure at ms or in a"
                r" group above, found none"
            ),
        ),
        (
            {"a": CUBES[0], "b": CUBES[1], first: tangent(0)},
            r"expected one microstructure at ms or in a group above, found .*: a, .*: b",
        ),
        (
            {"ms": CUBES[0], first: np.eye(3)},
            (
                r"homogenized_tangent: expected a symmetric, positive definite .* received shape"
                r" \(3, 3\)"
            ),
        ),
        (
            {"ms": CUBES[0], first: -np.eye(6)},
            (
                r"homogenized_tangent: expected a symmetric, positive definite .* received a"
                r" diagonal of"
            ),
        ),
    ):
        with pytest.raises(DataError, match=message):
            read_samples([write_hdf5(tmp_path / "bad.h5", content)], ImportOptions())
