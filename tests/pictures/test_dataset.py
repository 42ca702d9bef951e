"""The picture of a dataset: which panels a file gives, what they show, and that none fails on an
unusual file.
"""

from __future__ import annotations

import errno
from pathlib import Path

import h5py
import matplotlib.image
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Poly3DCollection

from svevae.dataset.store import SVEDataset, open_dataset, write_dataset
from svevae.errors import DataError
from svevae.pictures import dataset as show
from svevae.pictures.dataset import dataset_figure, plot_dataset
from svevae.pictures.style import DPI

POROSITY, DIAMETER, DISTANCE = (
    "porosity [%]",
    "pore diameter, of equal sphere [um]",
    "distance in a part [SVE edges]",
)


def make(
    path: Path,
    voxels: np.ndarray,
    names: tuple[str, ...] = (),
    parts: int = 2,
    size: float | None = 10.0,
    **more: np.ndarray,
) -> SVEDataset:
    """A file of `voxels`, with random properties where `names` are given; `more` are further
    arrays, / written as __.
    """
    arrays = {"voxels": voxels} | {key.replace("__", "/"): array for key, array in more.items()}
    if names:
        arrays["properties"] = (
            np.random.default_rng(0).random((len(voxels), len(names))).astype(np.float32)
        )
        arrays["part_id"] = np.arange(len(voxels)) * parts // len(voxels)
    write_dataset(
        path, arrays, names, ("MPa",) * len(names), {} if size is None else {"voxel_size_um": size}
    )
    return open_dataset(path, labelled=bool(names))


def cubes(count: int, n: int, seed: int = 1) -> np.ndarray:
    """SVE k has one cubic pore of a random edge up to n/2; the first SVE has none."""
    voxels, random = np.zeros((count, n, n, n), np.uint8), np.random.default_rng(seed)
    for cube in voxels[1:]:
        x, y, z, edge = random.integers(1, n // 2 + 1, 4)
        cube[x : x + edge, y : y + edge, z : z + edge] = 1
    return voxels


def full(path: Path, count: int = 16, names: tuple[str, ...] = ("E_x", "E_z")) -> SVEDataset:
    """A file with everything: two parts of 2 x 2 x 2 SVEs, their labels and stress curves along z
    and x.
    """
    strain = np.linspace(0.01, 0.03, 4)
    stress = strain * np.arange(1, count + 1)[:, None]
    position = np.array(list(np.ndindex(2, 2, 2)) * 2)
    return make(
        path,
        cubes(count, 8),
        names,
        position=position,
        tension__strain=strain,
        tension__stress_x=stress / 2,
        tension__stress_z=stress,
    )


def plain(text: str) -> str:
    return text.replace("\N{MICRO SIGN}", "u").replace("\N{SUPERSCRIPT THREE}", "^3")


def labels(figure: Figure) -> list[str]:
    """What the panels below the SVEs count."""
    return [plain(axes.get_xlabel()) for section in figure.subfigs[1:] for axes in section.axes]


def texts(figure: Figure) -> list[str]:
    """The title and, from the least to the most porous, what stands above each SVE."""
    return [plain(text.get_text()) for text in figure.subfigs[0].texts]


def panel(figure: Figure, label: str) -> Axes:
    return figure.get_axes()[[plain(axes.get_xlabel()) for axes in figure.get_axes()].index(label)]


def test_every_panel_of_a_file_with_everything(tmp_path: Path) -> None:
    figure = dataset_figure(full(tmp_path / "all.h5"))
    assert labels(figure) == [POROSITY, DIAMETER, DISTANCE, "strain [%]", "E_x [MPa]", "E_z [MPa]"]
    assert texts(figure)[0] == "all.h5: 16 SVEs of 8^3 voxels of 10 um, from 2 parts"
    assert sum(axes.name == "3d" for axes in figure.get_axes()) == 6


def test_sves_stand_from_the_least_to_the_most_porous(tmp_path: Path) -> None:
    """Six of 16, by rank 0, 3, 6, 9, 12, 15 of the porosity; pores are drawn where there are any;
    the slice is the fullest.
    """
    data = full(tmp_path / "a.h5")
    voxels = data.voxels(np.arange(16))
    porosity = voxels.mean((1, 2, 3))
    chosen = np.argsort(porosity, kind="stable")[::3]
    figure = dataset_figure(data)
    found = [text.split(": ") for text in texts(figure)[1:]]
    assert [name for name, _ in found] == [f"SVE {sve}" for sve in chosen]
    assert [float(text.removesuffix(" % pores")) for _, text in found] == pytest.approx(
        100 * porosity[chosen], rel=5e-3
    )
    solids = [axes for axes in figure.get_axes() if axes.name == "3d"]
    drawn = [
        any(isinstance(item, Poly3DCollection) for item in axes.collections) for axes in solids
    ]
    assert drawn == [False, True, True, True, True, True]
    slices = [axes.images[0].get_array() for axes in figure.subfigs[0].axes if axes.images]
    for sve, image in zip(chosen, slices, strict=True):
        x = voxels[sve].sum(axis=(1, 2), dtype=int).argmax()
        np.testing.assert_array_equal(image, voxels[sve, x].T)


def test_histograms_count_every_sve(tmp_path: Path) -> None:
    data = full(tmp_path / "a.h5")
    figure = dataset_figure(data)
    for label, values in {"porosity [%]": None, "E_z [MPa]": data.properties[:, 1]}.items():
        cell = panel(figure, label)
        assert sum(bar.get_height() for bar in cell.patches) == 16
        assert len(cell.collections[0].get_offsets()) == 6
        if values is not None:
            assert set(cell.collections[0].get_offsets()[:, 0]) <= set(values.astype(float))


def test_curves_begin_at_zero_and_keep_their_values(tmp_path: Path) -> None:
    """Six SVEs along z and x; SVE k has the slope k + 1 MPa along z, half of it along x; strain in
    percent.
    """
    cell = panel(dataset_figure(full(tmp_path / "a.h5")), "strain [%]")
    curves = [line.get_xydata() for line in cell.get_lines() if len(line.get_xydata())]
    assert len(curves) == 12
    for curve in curves:
        np.testing.assert_array_equal(curve[0], 0)
        np.testing.assert_allclose(curve[1:, 0], [1, 5 / 3, 7 / 3, 3])
    slopes = [100 * curve[-1, 1] / curve[-1, 0] for curve in curves]
    assert slopes[0] == pytest.approx(1)
    np.testing.assert_allclose(slopes[6:], np.array(slopes[:6]) / 2)


def test_curves_at_strains_of_their_own(tmp_path: Path) -> None:
    """SVE k at k + 1 times the strains of the first: each curve ends at its own, in percent, and
    the picture is written.
    """
    strain = np.outer(np.arange(1, 7), [0.001, 0.002, 0.004])
    data = make(
        tmp_path / "a.h5",
        cubes(6, 8),
        ("E_z",),
        tension__strain=strain,
        tension__stress_z=1000 * strain,
    )
    cell = panel(dataset_figure(data), "strain [%]")
    curves = [line.get_xydata() for line in cell.get_lines() if len(line.get_xydata())]
    assert sorted(curve[-1, 0] for curve in curves) == pytest.approx(0.4 * np.arange(1, 7))
    for curve in curves:
        np.testing.assert_allclose(curve[:, 1], 10 * curve[:, 0])
    plot_dataset(data, tmp_path / "a.png")
    assert (tmp_path / "a.png").is_file()


def test_the_legend_of_the_curves_hides_none(tmp_path: Path) -> None:
    """The curves are a fan: the lowest run where a legend stood that was always at the lower
    right.
    """
    figure = dataset_figure(full(tmp_path / "a.h5"))
    figure.savefig(tmp_path / "a.png", dpi=DPI)
    cell = panel(figure, "strain [%]")
    legend = cell.get_legend().get_window_extent()
    for line in cell.get_lines():
        assert (
            not line.get_path()
            .transformed(line.get_transform())
            .intersects_bbox(legend, filled=False)
        )


def test_labels_without_a_load_path_are_told(tmp_path: Path) -> None:
    """Above the properties, in a line; nothing where every SVE has one, and where the file does not
    say.
    """
    said = [dataset_figure(full(tmp_path / "a.h5")).subfigs[2].get_suptitle()]
    for broken in ([3, 5], []):
        path = np.ones((16, 3), np.uint8)
        path[broken, 2] = 0
        with h5py.File(tmp_path / "a.h5", "r+") as file:
            file.pop("load_path", None)
            for seal in ("contents", "content_digest"):
                file.attrs.pop(seal, None)
            file["load_path"] = path
        said.append(dataset_figure(open_dataset(tmp_path / "a.h5")).subfigs[2].get_suptitle())
    assert said == ["", "2 SVEs without a load path (2 along z), labelled 0 there", ""]


@pytest.mark.parametrize(
    ("parts", "title"),
    [(1, "neighbours: correlation"), (2, "neighbours: correlation, standard error")],
)
def test_errors_are_named_where_they_are_drawn(tmp_path: Path, parts: int, title: str) -> None:
    position = np.array(list(np.ndindex(2, 2, 2)) * 2)[: 8 * parts]
    data = make(tmp_path / "a.h5", cubes(8 * parts, 8), ("E",), parts, position=position)
    assert panel(dataset_figure(data), DISTANCE).get_title() == title


def test_neighbours_show_the_table(tmp_path: Path) -> None:
    """Porosity and both properties against distances 1, 2^0.5, 3^0.5, and pairs of different
    parts.
    """
    cell = panel(dataset_figure(full(tmp_path / "a.h5")), DISTANCE)
    lines = [line for line in cell.get_lines() if line.get_marker() in "os^" and line.get_marker()]
    assert [len(line.get_xydata()) for line in lines] == [3, 1, 3, 1, 3, 1]
    np.testing.assert_allclose(lines[2].get_xdata(), np.sqrt([1, 2, 3]))
    assert [text.get_text() for text in cell.get_legend().get_texts()] == ["porosity", "E_x", "E_z"]


def unusual(path: Path, kind: str) -> SVEDataset:
    if kind == "unlabelled":
        return make(path, cubes(9, 8))
    if kind == "pore-free":
        return make(
            path,
            np.zeros((3, 8, 8, 8), np.uint8),
            ("E",),
            position=np.array([[0, 0, 0], [0, 0, 1], [0, 0, 2]]),
        )
    if kind == "one SVE":
        return make(
            path, cubes(2, 8)[1:], ("E", "nu"), parts=1, size=None, position=np.zeros((1, 3), int)
        )
    if kind == "twice in one place":
        return make(path, cubes(4, 8), ("E",), position=np.zeros((4, 3), int))
    if kind == "fourteen properties":
        return make(path, cubes(4, 8), tuple(f"p{i}" for i in range(14)))
    if kind == "one part":
        return make(
            path, cubes(8, 8), ("a$b",), parts=1, position=np.array(list(np.ndindex(2, 2, 2)))
        )
    return make(path, cubes(2, {"2 voxels": 2, "128 voxels": 128}[kind]))


@pytest.mark.parametrize(
    ("kind", "title", "expected"),
    [
        (
            "unlabelled",
            "9 SVEs of 8^3 voxels of 10 um, from 1 part; no labels",
            [POROSITY, DIAMETER],
        ),
        (
            "pore-free",
            "3 SVEs of 8^3 voxels of 10 um, from 2 parts",
            [POROSITY, DIAMETER, DISTANCE, "E [MPa]"],
        ),
        (
            "one SVE",
            "1 SVE of 8^3 voxels, size unknown, from 1 part",
            [POROSITY, DIAMETER.replace("um", "voxels"), "E [MPa]", "nu [MPa]"],
        ),
        (
            "twice in one place",
            "4 SVEs of 8^3 voxels of 10 um, from 2 parts",
            [POROSITY, DIAMETER, "E [MPa]"],
        ),
        (
            "fourteen properties",
            "4 SVEs of 8^3 voxels of 10 um, from 2 parts; 12 of 14 properties",
            [POROSITY, DIAMETER, *(f"p{i} [MPa]" for i in range(12))],
        ),
        (
            "one part",
            "8 SVEs of 8^3 voxels of 10 um, from 1 part",
            [POROSITY, DIAMETER, DISTANCE, "a$b [MPa]"],
        ),
        ("2 voxels", "2 SVEs of 2^3 voxels of 10 um, from 1 part; no labels", [POROSITY, DIAMETER]),
        (
            "128 voxels",
            "2 SVEs of 128^3 voxels of 10 um, from 1 part; no labels",
            [POROSITY, DIAMETER],
        ),
    ],
)
def test_unusual_files_are_drawn(
    tmp_path: Path, kind: str, title: str, expected: list[str]
) -> None:
    """What a file lacks has no panel; the rest is drawn, and no warning comes."""
    data = unusual(tmp_path / "a$b.h5", kind)
    figure = dataset_figure(data)
    assert labels(figure) == expected
    assert texts(figure)[0] == f"a$b.h5: {title}"
    figure.savefig(tmp_path / "a.png", dpi=DPI)
    assert_a_picture(tmp_path / "a.png", bool(data.names))


def assert_a_picture(path: Path, labelled: bool) -> None:
    """16 inches wide at 110 dots, higher with labels; white ground, ink, and more than greys."""
    image = matplotlib.image.imread(path)[..., :3]
    assert image.shape[1] == 1760
    assert image.shape[0] > (1100 if labelled else 900)
    assert 0.5 < (image == 1).all(axis=-1).mean() < 0.99
    assert np.ptp(image, axis=-1).max() > 0.3


def test_a_picture_looks_the_same_twice(tmp_path: Path) -> None:
    """It depends on the file and the seed alone."""
    data = full(tmp_path / "a.h5")
    plot_dataset(data, tmp_path / "a.png", seed=3)
    plot_dataset(data, tmp_path / "b.png", seed=3)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_real_sves(tmp_path: Path, tiny: SVEDataset) -> None:
    """96 SVEs of the reference dataset."""
    plot_dataset(tiny, tmp_path / "a.png")
    assert_a_picture(tmp_path / "a.png", labelled=True)


def test_the_seed_draws_the_sample_of_pores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for 4 of 16 SVEs, the title says so, and another seed measures others."""
    monkeypatch.setattr(show, "SIZED", 4 * 8**3)
    data = full(tmp_path / "a.h5")
    found = {panel(dataset_figure(data, seed), DIAMETER).get_title() for seed in range(4)}
    assert all("of 4 SVEs" in title for title in found)
    assert len(found) > 1


def test_a_path_that_is_no_png(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jpg: expected a name that ends in \.png"):
        plot_dataset(unusual(tmp_path / "a.h5", "unlabelled"), tmp_path / "a.jpg")


def test_voxels_that_are_not_0_or_1(tmp_path: Path) -> None:
    data = unusual(tmp_path / "a.h5", "unlabelled")
    with h5py.File(data.path, "r+") as file:
        file["voxels"][3, 0, 0, 5] = 7
    with pytest.raises(
        DataError, match=r"a\.h5: /voxels: expected 0 \(solid\) and 1 \(pore\), received 7 in SVE 3"
    ):
        plot_dataset(data, tmp_path / "a.png")


def test_a_damaged_file(tmp_path: Path) -> None:
    data = unusual(tmp_path / "a.h5", "unlabelled")
    with h5py.File(data.path, "r") as file:
        chunk = file["voxels"].id.get_chunk_info(0)
    content = bytearray(data.path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    data.path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.h5: cannot be read, damaged or truncated"):
        plot_dataset(data, tmp_path / "a.png")


def test_an_older_picture_survives_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(b"older")

    def full_disk(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    data = unusual(tmp_path / "a.h5", "unlabelled")
    monkeypatch.setattr("os.replace", full_disk)
    with pytest.raises(DataError, match=r"a\.png: not written: .*No space left"):
        plot_dataset(data, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"older"
    assert not list(tmp_path.glob(".*.part"))
