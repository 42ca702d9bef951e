"""Labels of many SVEs: work that fails or dies, SVEs without a load path, and where the work is
done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from svevae.dataset import cluster, labelling
from svevae.dataset.cluster import Bar
from svevae.dataset.journal import Journal, voxel_digest
from svevae.dataset.label_settings import LabelSettings
from svevae.dataset.labelling import label_converged, label_sves, without_labels
from svevae.dataset.store import find_problems, write_dataset
from svevae.errors import ConfigError, SolverError, SvevaeError
from svevae.physics.elasticity import Material
from svevae.physics.homogenize import Solver
from svevae.physics.label import Tension, label
from tests.dataset.sves import NAMES, SETTINGS, STRAIN, UNITS, N, random_sves


class Here:
    """Stands for a cluster: works in this process, the last piece first, and remembers what it was
    asked for.
    """

    workers = 1

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.pieces: list[int] = []

    def map(
        self, function: Callable, arguments: Iterable[tuple], *_: Any
    ) -> Iterator[tuple[int, Any]]:
        for index, argument in reversed(list(enumerate(arguments))):
            if function is labelling.label_batch:
                self.asked += argument[1]
                self.pieces.append(len(argument[1]))
            yield index, function(*argument)


def named(count: int) -> list[str]:
    return [f"SVE {i}" for i in range(count)]


def quick_batch(
    voxels: np.ndarray, names: list[str], settings: LabelSettings, _: np.ndarray | None = None
) -> tuple[dict[str, np.ndarray], list[SvevaeError]]:
    """Stands for `label_batch`: all labels are the number of pores; what is called "bad" does not
    converge, and what is called "late" yields too late.
    """
    pores = voxels.sum(axis=(1, 2, 3)).astype(np.float32)
    pores[[name in ("bad", "late") for name in names]] = np.nan
    columns = {
        "properties": np.repeat(pores[:, None], len(NAMES), 1),
        "tension/stress_x": np.repeat(pores[:, None], len(STRAIN), 1),
    }
    errors = {"bad": SolverError("bad: residual 1"), "late": ConfigError("strain: late")}
    return columns, [errors[name] for name in names if name in errors]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelling, "label_batch", quick_batch)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("batch", [1, 3, 100])
def test_rows_come_in_the_order_of_the_sves(tmp_path: Path, batch: int) -> None:
    """Although pieces of like porosity are labelled together and finish in any order."""
    voxels = random_sves(10)
    columns = label_sves(voxels, named(10), SETTINGS, Journal(tmp_path, SETTINGS), Here(), batch)
    np.testing.assert_array_equal(columns["properties"][:, 0], voxels.sum(axis=(1, 2, 3)))
    assert columns["tension/stress_x"].shape == (10, len(STRAIN))


@pytest.mark.usefixtures("quick")
def test_equal_sves_are_labelled_once(tmp_path: Path) -> None:
    """6 SVEs, of which two are solid and two a copy of the first: 3 are solved, 6 rows returned.
    Another run solves none of them.
    """
    first, other = random_sves(2)
    solid = np.zeros_like(first)
    voxels, here = np.stack([first, solid, first, other, solid, first]), Here()
    columns = label_sves(voxels, named(6), SETTINGS, Journal(tmp_path, SETTINGS), here, 2)
    assert sorted(here.asked) == ["SVE 0", "SVE 1", "SVE 3"]
    np.testing.assert_array_equal(columns["properties"][:, 0], voxels.sum(axis=(1, 2, 3)))
    more, again = np.concatenate([voxels, 1 - voxels[:1]]), Here()
    label_sves(more, named(7), SETTINGS, Journal(tmp_path, SETTINGS), again, 2)
    assert again.asked == ["SVE 6"]


@pytest.mark.usefixtures("quick")
def test_copies_of_an_sve_that_fails_are_counted(tmp_path: Path) -> None:
    """3 of 4 SVEs are one that fails once: 3 of the file have no label."""
    voxels, names = random_sves(2)[[0, 1, 0, 0]], ["bad", "fine", "copy", "copy"]
    with pytest.raises(
        SolverError,
        match=r"^3 of 4 SVEs could not be labelled, all others are kept:\n  bad: residual 1$",
    ):
        label_sves(voxels, names, SETTINGS, Journal(tmp_path, SETTINGS), Here(), 2)


@pytest.mark.usefixtures("quick")
def test_sves_that_fail_are_listed_and_all_others_kept(tmp_path: Path) -> None:
    """Two of 5 fail: the error has both, the journal the other three; the next
    run tries the two alone.
    """
    voxels, names = random_sves(5), ["good", "bad", "fine", "bad", "well"]
    with pytest.raises(SolverError) as error:
        label_sves(voxels, names, SETTINGS, Journal(tmp_path, SETTINGS), Here(), 2)
    lines = str(error.value).splitlines()
    assert lines == [
        "2 of 5 SVEs could not be labelled, all others are kept:",
        "  bad: residual 1",
        "  bad: residual 1",
    ]
    kept = Journal(tmp_path, SETTINGS)
    assert set(kept.rows) == {voxel_digest(voxels[i]) for i in (0, 2, 4)}
    again = Here()
    with pytest.raises(SolverError):
        label_sves(voxels, names, SETTINGS, kept, again, 2)
    assert again.asked == ["bad", "bad"]


@pytest.mark.usefixtures("quick")
def test_what_converges_has_labels(tmp_path: Path) -> None:
    """Those of 2 of 4 SVEs, their places, and why the others have none."""
    voxels, names = random_sves(4), ["good", "bad", "bad", "fine"]
    columns, index, errors = label_converged(
        voxels, names, SETTINGS, Journal(tmp_path, SETTINGS), Here(), 3
    )
    assert index.tolist() == [0, 3]
    np.testing.assert_array_equal(columns["properties"][:, 0], voxels[index].sum(axis=(1, 2, 3)))
    assert list(map(str, errors)) == ["bad: residual 1"] * 2
    assert without_labels(errors, 4, index) == (
        "2 SVEs could not be labelled and are left out:\n  bad: residual 1\n  bad: residual 1"
    )
    assert without_labels([], 4, np.arange(4)) == ""


@pytest.mark.usefixtures("quick")
def test_the_first_without_labels_is_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Not after hours, and not each: the attribute and the report have them all."""
    names = ["bad", "late", "good", "bad"]
    journal = Journal(tmp_path, SETTINGS)
    label_converged(random_sves(4), names, SETTINGS, journal, Here(), 3)
    assert capsys.readouterr().err.count("labels: left out: ") == 1


LATE, STUCK = ConfigError("strain: expected to go on"), SolverError("SVE 1: residual 1")


@pytest.mark.parametrize(
    ("errors", "error", "message"),
    [
        ([STUCK, LATE], SolverError, r"none of 2 SVEs could be labelled:\n  SVE 1: residual 1\n"),
        ([LATE, LATE], ConfigError, "strain: expected to go on$"),
    ],
)
def test_a_file_without_any_labels_is_an_error(
    errors: list[SvevaeError], error: type[SvevaeError], message: str
) -> None:
    """Of the parameter alone where no curve of any SVE goes on until it yields."""
    with pytest.raises(error, match=f"^{message}"):
        without_labels(errors, 2, np.arange(0))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("together", "pieces"), [(1, [1] * 7), (3, [3, 3, 1]), (80, [7])])
def test_a_worker_is_given_what_it_solves_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: int, pieces: list[int]
) -> None:
    """One SVE on a CPU: so the bar moves with each, and all workers end together. The journal has a
    file for each `batch`.
    """
    monkeypatch.setattr(labelling, "batch_memory", lambda *_: (together, 2**20))
    here, journal = Here(), Journal(tmp_path, SETTINGS)
    label_converged(random_sves(7), named(7), SETTINGS, journal, here, 3)
    assert sorted(here.pieces, reverse=True) == pieces
    assert len(list(journal.folder.iterdir())) == {1: 3, 3: 2, 80: 1}[together]


@pytest.mark.usefixtures("quick")
def test_the_bar_moves_with_each_sve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From those that are in the journal, 2 of 6, on to all."""
    voxels, journal, seen = random_sves(6), Journal(tmp_path, SETTINGS), []
    label_converged(voxels[:2], named(2), SETTINGS, journal, Here(), 8)

    class Watched(Bar):
        def update(self, n: float | None = 1) -> bool | None:
            before = self.n
            seen.append((before, n, self.initial, self._workers))
            return super().update(n)

    monkeypatch.setattr(cluster, "Bar", Watched)
    label_converged(voxels, named(6), SETTINGS, journal, Here(), 8)
    assert seen == [(k, 1, 2, 1) for k in range(2, 6)]


@pytest.mark.usefixtures("quick")
def test_an_interruption_keeps_what_is_finished(tmp_path: Path) -> None:
    """2 SVEs, although a file of the journal has 8."""

    class Interrupted(Here):
        def map(self, *given: Any) -> Iterator[tuple[int, Any]]:
            for count, answer in enumerate(super().map(*given)):
                if count == 2:
                    raise KeyboardInterrupt
                yield answer

    journal = Journal(tmp_path, SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        label_converged(random_sves(4), named(4), SETTINGS, journal, Interrupted(), 8)
    assert len(Journal(tmp_path, SETTINGS).rows) == 2


# The solver


def shapes() -> dict[str, np.ndarray]:
    """SVEs by what is special about them; the matrix of `plates` is cut by pores across x, that of
    `island` across all axes.
    """
    solid, plates, island = np.zeros((3, N, N, N), np.uint8)
    plates[0] = 1
    island[0], island[:, 0], island[:, :, 0] = 1, 1, 1
    first, second = random_sves(2)
    return {
        "solid": solid,
        "plates": plates,
        "island": island,
        "pores": np.ones_like(solid),
        "first": first,
        "second": second,
    }


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """The SVEs of `shapes`, by the solver, in pieces of 4."""
    voxels = np.stack(list(shapes().values()))
    journal = Journal(tmp_path_factory.mktemp("journal"), SETTINGS)
    return label_sves(voxels, list(shapes()), SETTINGS, journal, Here(), 4)


def row(columns: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    i = list(shapes()).index(name)
    return {key: column[i] for key, column in columns.items()}


def properties(columns: dict[str, np.ndarray], name: str) -> dict[str, float]:
    return dict(zip(NAMES, map(float, row(columns, name)["properties"]), strict=True))


def test_solid_is_the_material(labelled: dict[str, np.ndarray]) -> None:
    """Without pores E = 70 GPa and nu = 0.33 along every axis, and the curves of x and z are
    one.
    """
    found = properties(labelled, "solid")
    assert found["E_x"] == pytest.approx(70_000, rel=1e-5)
    assert found["E_z"] == pytest.approx(70_000, rel=1e-5)
    assert found["nu_zx"] == pytest.approx(0.33, rel=1e-5)
    assert found["yield_x"] == pytest.approx(found["yield_z"], rel=1e-4)
    assert row(labelled, "solid")["load_path"].tolist() == [1, 1, 1]


def test_plates_carry_along_their_plane_alone(labelled: dict[str, np.ndarray]) -> None:
    """Five of six layers are left, in parallel along z: exactly 5/6 of the solid's stiffness, yield
    and flow; across them all is 0.
    """
    found, solid = properties(labelled, "plates"), properties(labelled, "solid")
    for name in ("E_z", "yield_z", "flow_z"):
        assert found[name] == pytest.approx(solid[name] * 5 / 6, rel=2e-3)
    assert [found[name] for name in ("E_x", "yield_x", "flow_x")] == [0, 0, 0]
    assert not row(labelled, "plates")["tension/stress_x"].any()
    assert row(labelled, "plates")["load_path"].tolist() == [0, 1, 1]


@pytest.mark.parametrize("name", ["island", "pores"])
def test_without_a_load_path_all_is_zero(labelled: dict[str, np.ndarray], name: str) -> None:
    """An island in pores and pores alone: no stiffness, no stress and no residual, and load_path
    says why.
    """
    assert all(not column.any() for column in row(labelled, name).values())


def test_labels_are_datasets_of_the_contract(
    labelled: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """They make a valid file, SVEs without a load path included, and residuals keep the
    tolerance.
    """
    arrays = labelled | {
        "voxels": np.stack(list(shapes().values())),
        "part_id": np.arange(6),
        "tension/strain": np.array(STRAIN),
    }
    write_dataset(tmp_path / "a.h5", arrays, NAMES, UNITS, {})
    assert find_problems(tmp_path / "a.h5") == []
    assert labelled["stiffness"].shape == (6, 6, 6)
    assert labelled["residual"].max() <= SETTINGS.tolerance
    assert labelled["residual"][-1] > 0


class Stubborn:
    """Stands for `label`: the SVE called "first" fails in the given precisions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *dtypes: str):
        self.label, self.dtypes, self.tried = labelling.label, dtypes, []
        monkeypatch.setattr(labelling, "label", self)

    def __call__(
        self,
        voxels: np.ndarray,
        material: Material,
        tension: Tension,
        solver: Any,
        names: list[str],
        halves: bool,
        laws: np.ndarray | None,
    ) -> Any:
        self.tried += [(name, solver.settings.dtype) for name in names]
        if "first" in names and solver.settings.dtype in self.dtypes:
            raise SolverError("first, increment 2: residual 0.1")
        assert halves == (solver.settings.dtype == "float64")
        return self.label(voxels, material, tension, solver, names, halves, laws)


def test_an_sve_that_fails_is_tried_with_more_care(
    labelled: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Double precision and half increments find the same labels to the tolerance, at the given
    strains; the other SVE is not redone.
    """
    stubborn = Stubborn(monkeypatch, "float32")
    pair = np.stack([shapes()["first"], shapes()["second"]])
    columns = label_sves(
        pair, ["first", "second"], SETTINGS, Journal(tmp_path, SETTINGS), Here(), 2
    )
    assert sorted(stubborn.tried) == [
        ("first", "float32"),
        ("first", "float64"),
        ("second", "float32"),
    ]
    expected = row(labelled, "first")
    assert {key: column.dtype for key, column in columns.items()} == {
        key: column.dtype for key, column in labelled.items()
    }
    np.testing.assert_allclose(
        columns["tension/stress_z"][0], expected["tension/stress_z"], rtol=2e-3
    )
    np.testing.assert_allclose(columns["stiffness"][0], expected["stiffness"], atol=1e-3 * 70_000)
    np.testing.assert_allclose(columns["properties"][0], expected["properties"], rtol=2e-3)


def test_noise_of_85_percent_is_labelled(tmp_path: Path) -> None:
    """It hangs together by corners, and the elastic cases take more than 500 iterations: the second
    attempt has as many as it needs, and finds no load path.
    """
    noise = (np.random.default_rng(0).random((1, 16, 16, 16)) < 0.85).astype(np.uint8)
    with pytest.raises(SolverError, match=r"^noise, load case 0: residual \S+ after 500 iter"):
        label(noise, SETTINGS.material, SETTINGS.tension, Solver((16,) * 3), ["noise"])
    found = label_sves(noise, ["noise"], SETTINGS, Journal(tmp_path, SETTINGS), Here(), 1)
    assert not found["load_path"].any()
    assert not found["properties"].any()


def test_an_sve_that_fails_twice_has_no_label(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, labelled: dict[str, np.ndarray]
) -> None:
    """The error names it, and `second`, of the same piece, is in the journal with the labels it has
    anyway.
    """
    Stubborn(monkeypatch, "float32", "float64")
    pair = np.stack([shapes()["first"], shapes()["second"]])
    with pytest.raises(
        SolverError,
        match=(
            r"^1 of 2 SVEs could not be labelled, all others are kept:\n"
            r"  first, increment 2: residual 0\.1$"
        ),
    ):
        label_sves(pair, ["first", "second"], SETTINGS, Journal(tmp_path, SETTINGS), Here(), 2)
    kept = Journal(tmp_path, SETTINGS).rows
    assert set(kept) == {voxel_digest(pair[1])}
    np.testing.assert_allclose(
        kept[voxel_digest(pair[1])]["properties"], row(labelled, "second")["properties"], rtol=1e-4
    )


@pytest.mark.parametrize("dtypes", [(), ("float32",)])
def test_a_curve_that_ends_before_yield_names_the_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dtypes: tuple[str, ...]
) -> None:
    """In a worker, at the first attempt or the second: of an SVE that yields much later than its
    material. It has no label, the other has; the file goes on without it.
    """
    Stubborn(monkeypatch, *dtypes)
    late = replace(SETTINGS, material=Material(70_000.0, 0.33, 5000.0))
    pair = np.stack([shapes()["first"], np.ones_like(shapes()["first"])])
    names, journal = ["first", "pores"], Journal(tmp_path, late)
    columns, index, errors = label_converged(pair, names, late, journal, Here(), 2)
    assert index.tolist() == [1]
    assert not columns["properties"].any()
    [error] = errors
    assert isinstance(error, ConfigError)
    assert str(error) == (
        "strain: expected to go on until the 0.2 % yield of first along x, received 0.01 as the"
        " last"
    )
    with pytest.raises(ConfigError, match=r"^strain: expected to go on until the 0\.2 % yield"):
        label_sves(pair[:1], names[:1], late, journal, Here(), 2)


def test_memory_is_said_before_the_work_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """One SVE on a CPU; where a GPU's memory is known, 80 % of what is free, in whole SVEs, is one
    batch.
    """
    assert labelling.batch_memory((N, N, N), SETTINGS) == (1, Solver((N, N, N)).memory())
    label_sves(shapes()["first"][None], ["first"], SETTINGS, Journal(tmp_path, SETTINGS), Here(), 2)
    assert "labels: each worker solves 1 SVE at a time, in 0.5 MiB" in capsys.readouterr().err


def test_batch_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    each = Solver((N, N, N), by="jax").memory()
    device = SimpleNamespace(
        memory_stats=lambda: {"bytes_limit": 110 * each, "bytes_in_use": 10 * each}
    )
    monkeypatch.setattr(labelling, "_solver", lambda *given: Solver(*given, by="jax"))
    monkeypatch.setattr("jax.local_devices", lambda: [device])
    assert labelling.batch_memory((N, N, N), SETTINGS) == (80, 80 * each)


@pytest.mark.usefixtures("quick")
def test_batch_of_a_gpu_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(labelling, "batch_memory", lambda *_: (80, 2**27))
    label_sves(random_sves(2), named(2), SETTINGS, Journal(tmp_path, SETTINGS), Here(), 2)
    assert "labels: each worker solves 80 SVEs at a time, in 128.0 MiB" in capsys.readouterr().err
