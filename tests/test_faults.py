"""The short form of `make faults-kill` and `make faults-fuzz`, and that they see what they look
for. The long form: docs/reliability.md.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.faults import kill, report
from benchmarks.faults.commands import COMMANDS, Command, arrays, written
from benchmarks.faults.fuzz import Victim, run_cases, told, write_valid
from benchmarks.faults.kill import difference, disturb
from benchmarks.faults.mutations import MUTATIONS, mutate
from benchmarks.faults.project import GENERATE
from benchmarks.faults.valid import Kind
from benchmarks.faults.victim import _faults, content, schedule

from tests.conftest import ROOT, change_yaml

SEED = 1  # not that of the long form
CASES = 150
FOUR_PARTS = {"correlated": GENERATE["families"]["correlated"] | {"parts": 4}}

# Makes 3 pieces and waits to be killed, the first two times; then makes the rest. With a word it
# forgets the first piece each time.
MADE = """
import signal, sys
from pathlib import Path
starts = Path("starts")
count = len(starts.read_text()) if starts.exists() else 0
starts.write_text("." * (count + 1))
if sys.argv[1:]:
    Path("piece0").unlink(missing_ok=True)
for k in range(3 * (count + 1) if count < 2 else 12):
    if not Path(f"piece{k}").exists():
        Path(f"piece{k}").write_text(sys.argv[1] if sys.argv[1:] and count else "made")
if count < 2:
    signal.pause()
"""


@pytest.mark.parametrize("careless", [False, True])
def test_finished_work_that_is_made_again_counts_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, careless: bool
) -> None:
    monkeypatch.setattr(kill, "undisturbed", lambda *_: {f"piece{k}": "made" for k in range(12)})
    folders: list[Path] = []

    def prepare(folder: Path) -> None:
        folder.mkdir()
        (folder / ".a.part").touch()
        folders.append(folder)

    def pieces(folder: Path) -> dict[str, Any]:
        return {path.name: path.read_text(encoding="utf-8") for path in folder.glob("piece*")}

    command = Command(
        "made",
        (sys.executable, "-c", MADE, *(["again"] if careless else [])),
        prepare,
        written("piece*"),
        pieces,
    )
    row = disturb(command, tmp_path, kills=2, seed=0)
    assert (row["kills"], row["of_the_group"], row["runs"], row["pieces"]) == (2, 1, 1, 12)
    assert row["lost"] == careless
    assert row["equal"] == (not careless)
    assert row["leftovers"] == [".a.part"]
    assert (row["failed"], row["running"]) == ([], 0)


def test_results_are_compared_by_what_they_say() -> None:
    values = np.array([1.0, np.nan, -4.0])
    assert difference({"a": values, "b": "x"}, {"a": values.copy(), "b": "x"}) == 0
    assert difference({"a": np.array([1.0, np.nan, -3.96])}, {"a": values}) == pytest.approx(0.01)
    for other in ({}, {"a": values[:2]}, {"a": np.zeros(3)}, {"a": "x"}, {"b": values}):
        assert difference(other, {"a": values}) == float("inf")


def test_damage_depends_on_the_seed_alone_and_does_damage() -> None:
    data = np.random.default_rng(0).bytes(5000)
    for name, damage in MUTATIONS.items():
        one, other = (damage(data, np.random.default_rng(3)) for _ in range(2))
        assert one == other != data, name
    kinds = {mutate(b"a: 1\nb: two", np.random.default_rng(k), text=True)[0] for k in range(99)}
    assert kinds == {*MUTATIONS, "word"}
    assert mutate(b"", np.random.default_rng(0), text=False)[1]


@pytest.mark.parametrize(
    ("code", "said", "place", "faults"),
    [
        (0, "fine " * 999, "", []),
        (2, "svevae import: set/a.npy: expected", "", []),
        (2, "svevae import: expected an array", "", ["no name"]),
        (1, "", "KeyError at store.py", ["traceback"]),
        (0, "Traceback (most recent call last):", "", ["traceback"]),
        (1, "", "", ["exit code"]),
        (2, "a.npy" * 401, "", ["too long"]),
    ],
)
def test_what_counts_as_a_fault(code: int, said: str, place: str, faults: list[str]) -> None:
    kind = Kind("kind", lambda *_: None, ())
    found = _faults(kind, ("import", "set"), Path("set", "a.npy"), code, said, place)
    assert [fault for fault, _ in found] == faults


def _labelling(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "params.yaml").write_text(
        (ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    change_yaml(
        folder / "params.yaml",
        generate=GENERATE | {"families": FOUR_PARTS, "part": [2, 2, 1]},
        prepare={"dataset": GENERATE["output"]},
    )
    scan = np.random.default_rng(0).random((16, 16, 32)) < 0.05
    np.save(folder / "scan.npy", scan.astype(np.uint8))


def _killed_twice(name: str, folder: Path) -> dict[str, Any]:
    line = tuple("1" if word == "2" else word for word in COMMANDS[name].line)
    return disturb(replace(COMMANDS[name], line=line, prepare=_labelling), folder, 2, SEED)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """What two kills did to `svevae generate`, and the folder of a run without."""
    folder = tmp_path_factory.mktemp("generate")
    return _killed_twice("generate", folder), folder / "undisturbed"


def _assert_nothing_lost(row: dict[str, Any]) -> None:
    assert (row["kills"], row["lost"], row["failed"], row["running"]) == (2, 0, [], 0)
    assert row["equal"] == row["runs"] > 0


def test_generate_killed_twice(generated: tuple[dict[str, Any], Path]) -> None:
    _assert_nothing_lost(generated[0])
    assert arrays("data/tiny.h5")(generated[1])["voxels"].shape == (16, 8, 8, 8)


@pytest.mark.slow
def test_import_and_label_killed_twice(tmp_path: Path) -> None:
    _assert_nothing_lost(_killed_twice("import --label", tmp_path))


def test_damaged_files_are_told_in_words(
    generated: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    """Of each kind that needs no model; and a process that takes too long is ended."""
    write_valid(tmp_path, generated[1], light=True)
    results = run_cases(CASES, SEED, 1, tmp_path, light=True)
    assert len(results) == CASES
    assert {result.get("kind") for result in results} == {kind.name for kind in schedule(True)}
    assert told(results) == ""
    refused = sum(result["code"] == 2 for result in results)
    assert CASES / 4 < refused < CASES
    victim = Victim(tmp_path, 1, light=True)
    assert victim.run(SEED, 0, seconds=0.0)["faults"][0][0] == "hang"
    assert victim.process.poll() is not None


def test_what_a_file_says(generated: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    path = generated[1] / "data" / "tiny.h5"
    said = content(path)
    assert said is not None
    assert {"voxels", "part_id", "properties@names", "@content_digest"} <= said.keys()
    cut = tmp_path / "cut.h5"
    cut.write_bytes(path.read_bytes()[:2000])
    assert content(cut) is None


def test_the_page_has_the_tables_of_the_last_run() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    tables = report.tables()
    for part, table in tables.items():
        assert table in page, f"python -m benchmarks.faults tables: {part}"
    assert page.count(report.NOT_RUN) == [*tables.values()].count(report.NOT_RUN)
