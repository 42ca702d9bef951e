"""Many sampled parts on a mesh: each the part of `svevae field` and `svevae run`, the same whoever
runs it and however often it was interrupted. A stand-in encodes the porosity.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from svevae.cli import main
from svevae.dataset.cluster import Work, open_cluster
from svevae.dataset.store import write_dataset
from svevae.errors import DataError
from svevae.meshes.runs import RUNNING, Run, _scratch, run_apart
from svevae.scans.options import ImportOptions
from svevae.use import pulled
from svevae.use import spread as module
from svevae.use.mesh_options import MeshOptions
from svevae.use.spread import KEPT, Spread, describe_spread, spread_of_file
from tests.conftest import PATIENCE
from tests.dataset.test_cluster import dask_scheduler, dask_worker
from tests.meshes.bars import bar
from tests.meshes.test_calculix import needs_ccx
from tests.use.test_on_mesh import model, write_mesh

__all__ = ["model"]  # a fixture

YIELD = "yield load [N]"
ONE = Work(1)


class Here:
    """Work is done at once in this process; `stop` ends it after so many pieces."""

    workers, local = 1, True

    def __init__(self) -> None:
        self.done, self.stop = 0, 10**9

    def map(
        self, function: Callable, arguments: Iterable[tuple], idle: Callable
    ) -> Iterator[tuple[int, Run]]:
        for k, one in enumerate(arguments):
            if self.done == self.stop:
                raise KeyboardInterrupt
            yield k, function(*one)
            self.done += 1


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    found = Here()

    @contextmanager
    def opened(_: Work) -> Iterator[Here]:
        yield found

    monkeypatch.setattr(module, "open_cluster", opened)
    return found


def write_parts() -> None:
    """A file of 8 parts of 2 x 2 x 4 SVEs, each of a porosity of its own, 5 to 35 %."""
    random = np.random.default_rng(1)
    level = np.repeat(random.uniform(0.05, 0.35, 8), 16)[:, None, None, None]
    voxels = (random.random((128, 4, 4, 4)) < level).astype(np.uint8)
    position = np.tile(np.array(list(np.ndindex(2, 2, 4))), (8, 1))
    arrays = {"voxels": voxels, "part_id": np.repeat(np.arange(8), 16), "position": position}
    write_dataset("process.h5", arrays, (), (), {"voxel_size_um": 10.0})


def options(shape: tuple[int, int, int] = (2, 2, 4)) -> MeshOptions:
    """A bar of an element for each SVE, pulled by 2 % in 4 increments."""
    write_parts()
    path = write_mesh(bar("C3D8", shape, 0.04))
    step = {"pull": "TOP", "hold": "BOTTOM", "strain": 0.02, "increments": 4}
    return MeshOptions(path, sample=3, drawn=True, **step)


def spread(chosen: MeshOptions, count: int = 3, work: Work = ONE) -> Spread:
    return spread_of_file(
        Path("process.h5"), Path("a.csv"), "any", ImportOptions(), chosen, count, None, work
    )


@needs_ccx
def test_a_row_is_what_field_and_run_say(
    model: SimpleNamespace, here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    """Drawn and best, correlated or not; three decks of four differ. The curve is that of `svevae
    run`, row by row.
    """
    chosen, known = options(), set()
    step = ["--pull", "TOP", "--hold", "BOTTOM", "--strain", "0.02", "--increments", "4"]
    for drawn, correlated in ((True, True), (False, True), (True, False)):
        found = spread(replace(chosen, drawn=drawn, correlated=correlated), 2)
        row, curve = found.table.iloc[1], found.curves[found.curves["seed"] == 4]
        command = ["field", "process.h5", "-o", "part.inp", "-m", "any", "--mesh", "mesh.inp"]
        more = [*(["--drawn"] if drawn else []), *([] if correlated else ["--uncorrelated"])]
        assert main([*command, "--sample", "4", *step, *more]) == 0
        assert f"mean porosity of the part {row['porosity']:.3%}" in capsys.readouterr().out
        assert main(["run", "part.inp"]) == 0
        said = capsys.readouterr().out
        assert f"yield load {row[YIELD]:.5g} N" in said
        assert f"{row['force [N]']:.5g} N at 0.0032 mm" in said
        assert f"strain {row['peak PEEQ']:.3%} at node {row['node']} " in said
        assert f"element {row['element']} (SVE {row['sve']}, material" in said
        load = pd.read_csv("part-load.csv")
        for name in ("strain", "force [N]", "peak PEEQ"):
            np.testing.assert_allclose(curve[name], load[name], rtol=1e-6)
        known.add(row[YIELD])
    assert len(known) == 3
    assert model.encoded == 128


@needs_ccx
def test_what_is_finished_is_kept(model: SimpleNamespace, here: Here) -> None:
    """Interrupted after two parts and gone on with: as undisturbed, and no part is run twice; other
    seeds find those that are there. A damaged file is made again; another strain is another part,
    and so are clamped faces.
    """
    chosen = options((1, 1, 4))
    here.stop = 2
    with pytest.raises(KeyboardInterrupt):
        spread(chosen, 4)
    assert not list(KEPT.glob(f"{RUNNING}*"))
    here.stop = 10**9
    (KEPT / f"{RUNNING}dead").mkdir()
    found = spread(chosen, 4)
    assert here.done == 4
    assert not list(KEPT.glob(f"{RUNNING}*"))
    again = spread(chosen, 4)
    assert here.done == 4
    pd.testing.assert_frame_equal(again.table, found.table)
    next(KEPT.glob("*about.npz")).write_bytes(b"PK")
    assert describe_spread(spread(replace(chosen, sample=4), 4)).count("seeds 4 to 7")
    assert here.done in (5, 6)
    for kept in KEPT.glob("*.npz"):
        kept.unlink()
    pd.testing.assert_frame_equal(spread(chosen, 4).table, found.table)
    pd.testing.assert_frame_equal(spread(chosen, 4).curves, found.curves)
    done = here.done
    spread(replace(chosen, strain=0.021), 2)
    assert here.done == done + 2
    free, clamped = (spread(replace(chosen, clamp=one), 2).table[YIELD] for one in (False, True))
    assert here.done == done + 4
    assert (clamped > 1.001 * free).all()


@needs_ccx
def test_independent_sves_spread_less(model: SimpleNamespace, here: Here) -> None:
    """Eight SVEs side by side whose porosity is that of their part: correlated they are weak
    together, independent ones make up for each other, and bars spread by a third less.
    """
    chosen = replace(options((2, 2, 2)), drawn=False)
    together, alone = (
        spread(replace(chosen, correlated=one), 24).table[YIELD] for one in (True, False)
    )
    assert alone.std() < 0.67 * together.std()
    assert alone.mean() == pytest.approx(together.mean(), rel=0.1)


@needs_ccx
def test_a_run_that_fails(
    model: SimpleNamespace, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that CalculiX refuses and one that stops on the way: told, the others go on, and the
    next command tries again.
    """
    chosen = options((1, 1, 4))

    def broken(deck: bytes, table: bytes, folder: Path | None) -> Run:
        change = {1: (b", MATERIAL=", b", MATERIAL=NO"), 2: (b"INC=10000", b"INC=2")}
        deck = deck.replace(*change[here.done]) if here.done in change else deck
        return run_apart(deck, table, folder)

    monkeypatch.setattr(pulled, "run_apart", broken)
    found = spread(chosen, 4)
    said = describe_spread(found)
    assert said.startswith("2 parts at a strain of 0.02")
    assert "2 runs failed: seed 4: stopped before the first increment: *ERROR" in said
    assert "seed 5: stopped at a displacement of 0.0016 mm: " in said
    assert found.table["force [N]"].isna().tolist() == [False, True, False, False]
    assert len(found.quantities[YIELD]) == 2
    found.write(Path("a.csv"))
    assert pd.read_csv("a.csv")["failed"].notna().tolist() == [False, True, True, False]
    monkeypatch.setattr(pulled, "run_apart", run_apart)
    assert len(spread(chosen, 4).whole) == 4
    assert here.done == 6


@pytest.mark.parametrize(
    ("change", "count", "message"),
    [
        ({"pull": None, "hold": None, "strain": None}, 3, "pull, hold: expected the faces of"),
        ({"pull": "LID"}, 3, "LID: expected a set of nodes, a surface"),
        ({}, 1, "count: expected at least 2, received 1"),
        ({"porosity": "0.9"}, 3, r"porosity: expected a mean between .* received 0.9"),
    ],
)
@needs_ccx
def test_bad_options(
    change: dict, count: int, message: str, model: SimpleNamespace, here: Here
) -> None:
    chosen = replace(options((1, 1, 4)), **change)
    with pytest.raises(DataError, match=message):
        spread(chosen, count)
    assert here.done == 0


def test_without_ccx(
    model: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is encoded. And a name that is no table's."""
    chosen = options((1, 1, 4))
    monkeypatch.setenv("PATH", str(Path.cwd()))
    with pytest.raises(DataError, match=r"ccx: expected CalculiX on PATH, found none"):
        spread(chosen)
    assert model.encoded == 0
    command = ["spread", "process.h5", "--mesh", "mesh.inp", "-m", "any", "-o", "a.inp"]
    assert main(command) == 2
    assert "a.inp: expected a name that ends in .csv" in capsys.readouterr().err


@needs_ccx
@pytest.mark.filterwarnings("ignore:unclosed .socket:ResourceWarning")  # Dask's, of a dead worker
def test_a_dask_cluster_finds_what_one_process_does(
    model: SimpleNamespace,
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where one of its two workers is killed after the first part, and so CalculiX of it ends.
    Runs are in the folders of the workers, of which nothing is left but what died.
    """
    chosen = options((1, 1, 4))
    alone = spread(chosen, 6)
    for kept in KEPT.glob("*.npz"):
        kept.unlink()
    folders = [tmp_path / name for name in ("one", "other")]
    for one in folders:
        one.mkdir()
    with ExitStack() as stack:
        address, _ = stack.enter_context(dask_scheduler(environment, tmp_path))
        workers = [stack.enter_context(dask_worker(address, environment, one)) for one in folders]
        with open_cluster(Work(scheduler=address)) as cluster:
            places = [place for _, place in cluster.map(_scratch, [()] * 4)]
        assert {Path(place).relative_to(tmp_path).parts[0] for place in places} <= {"one", "other"}
        keep = pulled.Pulled.keep

        def kill(*arguments: object) -> None:
            workers[0].kill()
            keep(*arguments)

        monkeypatch.setattr(pulled.Pulled, "keep", kill)
        found = spread(chosen, 6, Work(scheduler=address))
        assert workers[0].wait(timeout=PATIENCE) == -signal.SIGKILL
        assert workers[1].poll() is None
    pd.testing.assert_frame_equal(found.table, alone.table)
    pd.testing.assert_frame_equal(found.curves, alone.curves)
    assert not list(folders[1].rglob(f"{RUNNING}*"))


@needs_ccx
def test_two_workers_find_what_one_does(model: SimpleNamespace) -> None:
    """In whatever order they finish."""
    chosen = options((1, 1, 4))
    one = spread(chosen, 3)
    for kept in KEPT.glob("*.npz"):
        kept.unlink()
    two = spread(chosen, 3, Work(2))
    pd.testing.assert_frame_equal(one.table, two.table)
    pd.testing.assert_frame_equal(one.curves, two.curves)
