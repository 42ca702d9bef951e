"""Time of `svevae check` beside that of reading the same file by h5py alone, and of scattered SVEs
beside reading them by an older checkout of svevae, in one run.

    git worktree add ../svevae-before 74f22d3
    python benchmarks/files.py ../svevae-before

Each figure is the fastest of several, in a process of its own that has read the file once before,
so that it comes from memory and not from the disk: the decompressor is then what limits. Scattered
are 1,210 SVEs of a file of 4,080 and of one of 32,768, each written by the checkout that reads it.
Writes files.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
RESULT = HERE / "files.json"
COUNT, SMALL, N, SCATTERED, REPEATS = 32768, 4080, 32, 1210, 3  # 1 GiB of voxels

TIMED = """
import json, sys, time
import h5py, numpy as np
what, path, scattered, repeats = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
def read():
    with h5py.File(path) as file:
        items = []
        file.visititems(lambda _, x: items.append(x) if isinstance(x, h5py.Dataset) else None)
        for item in items:
            for start in range(0, len(item), 2048):
                item[start : start + 2048]
def check():
    from svevae.dataset.store import describe_dataset
    describe_dataset(path)
def check_before():
    from svevae.dataset.store import describe, find_problems
    assert not find_problems(path, labelled=False)
    describe(path)
def scatter():
    from svevae.dataset.store import open_dataset
    data = open_dataset(path)
    index = np.random.default_rng(0).choice(data.count, scattered, replace=False)
    begun = time.perf_counter()
    data.voxels(index)
    return time.perf_counter() - begun
times = []
for _ in range(repeats + 1):
    begun = time.perf_counter()
    inner = globals()[what]()
    times.append(inner or time.perf_counter() - begun)
print(json.dumps(min(times[1:])))
"""


def run(source: Path, *arguments: str) -> str:
    """What Python prints, with svevae of the checkout `source`."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={"PYTHONPATH": str(source / "src")},
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout


def timed(what: str, path: Path, source: Path, repeats: int = REPEATS) -> float:
    """Seconds of `what` on the file, with svevae of the checkout `source`."""
    return float(
        json.loads(run(source, "-c", TIMED, what, str(path), str(SCATTERED), str(repeats)))
    )


def make(path: Path, count: int) -> None:
    """Write `count` SVEs of about 10 % of pores, as svevae writes them."""
    import numpy as np
    from scipy.ndimage import gaussian_filter

    from svevae.dataset.store import write_dataset

    random = np.random.default_rng(0)
    some = [gaussian_filter(random.normal(size=(N, N, N)), 1.5, mode="wrap") for _ in range(256)]
    cubes = np.stack([(field > np.quantile(field, 0.9)).astype(np.uint8) for field in some])
    voxels = np.empty((count, N, N, N), np.uint8)
    for start in range(0, count, len(cubes)):
        rolled = np.roll(cubes, start // len(cubes), axis=(1, 2, 3))
        voxels[start : start + len(cubes)] = rolled[: count - start]
    arrays = {
        "voxels": voxels,
        "properties": random.random((count, 10)).astype(np.float32),
        "part_id": np.arange(count) // 64,
    }
    names = tuple(f"p{k}" for k in range(10))
    write_dataset(path, arrays, names, ("MPa",) * 10, {"voxel_size_um": 10.0})


def main() -> None:
    if sys.argv[1:2] == ["make"]:
        make(Path(sys.argv[2]), int(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path, help="a checkout of 74f22d3")
    before, here = parser.parse_args().before, HERE.parent
    with tempfile.TemporaryDirectory() as folder:
        files: dict[tuple[Path, int], Path] = {}
        for source in (here, before):
            for count in (COUNT, SMALL):
                path = files[source, count] = Path(folder) / f"{len(files)}.h5"
                run(source, str(Path(__file__).resolve()), "make", str(path), str(count))
        found: dict[str, float] = {
            "SVEs": COUNT,
            "read by h5py [s]": timed("read", files[here, COUNT], here),
            "check [s]": timed("check", files[here, COUNT], here),
            "check before [s]": timed("check_before", files[before, COUNT], before),
        }
        for count in (SMALL, COUNT):
            now = timed("scatter", files[here, count], here)
            then = timed("scatter", files[before, count], before, 1)
            found |= {
                f"scattered, {SCATTERED} of {count} [s]": now,
                f"scattered, {SCATTERED} of {count}, before [s]": then,
                f"scattered, {SCATTERED} of {count}, times faster": then / now,
            }
        sizes = [files[source, COUNT].stat().st_size for source in (here, before)]
        found["size of the file, share of before"] = sizes[0] / sizes[1]
    found["check, share of the rate of h5py"] = found["read by h5py [s]"] / found["check [s]"]
    found["check, times faster"] = found["check before [s]"] / found["check [s]"]
    text = json.dumps(found, indent=1)
    RESULT.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
