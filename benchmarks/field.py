"""How long `svevae field` takes, and how much memory, beside the build of an earlier commit.

Makes a volume of greys with 2 % of pores, checks the earlier commit out beside this one, and runs
both commands in turn on the same file, each with an empty cache and a model of its own recipe,
trained for an epoch, then this one again with its cache; all that twice. Writes field.json: seconds
of wall clock and CPU, and the largest memory in MiB.
`python -m benchmarks.field [EDGE] [COMMIT]` (default: 384 voxels, 74f22d3; 10 minutes)

With `--mesh` this build alone, by the kept model (`dvc pull champion.dvc`), onto two meshes of
about a million elements where EDGE is 1024: C3D8 in the box of the scan and, where `gmsh` is on
PATH, C3D10 in a cylinder within; the command once to encode, then with its codes, and reading the
deck again. These go to the entry `mesh` of field.json.
`python -m benchmarks.field --mesh 1024` (15 minutes)
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.training import FILE, lay, stage

HERE = Path(__file__).resolve().parent
RESULT = HERE / "field.json"
EDGE, COMMIT = 384, "74f22d3"
ROUNDS = 2  # the faster of them counts
VOXEL = 0.01  # mm
ELEMENTS, SIZE = 100, 0.148  # along each edge of the box, and mm of one in the cylinder
CUBE = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)])
CUBE = np.concatenate([CUBE, CUBE + np.array([0, 0, 1])])
DECK = (
    "from svevae.cli import main; main(['field', 'scan.npy', '--voxel-size', '10', '--mesh',"
    " 'mesh.inp', '-o', 'part.inp', '--pull', 'ZMAX', '--hold', 'ZMIN', '--strain', '0.01', '-m',"
    " {!r}])"
)
READ = (
    "from pathlib import Path; from svevae.meshes import read_mesh;"
    " mesh = read_mesh(Path('part.inp')); print(len(mesh.elements), len(mesh.numbers))"
)
COMMAND = "from svevae.cli import main; main(['field', 'scan.npy', '-o', 'scan.csv', '-m', {!r}])"


def write_scan(path: Path, edge: int) -> None:
    """Greys of 8 bits, pores of some voxels, slice by slice."""
    random = np.random.default_rng(0)
    scan = np.lib.format.open_memmap(path, "w+", np.uint8, (edge,) * 3)
    coarse = -(-edge // 4)
    for x in range(edge):
        if x % 4 == 0:
            pore = (random.random((coarse, coarse)) < 0.02).repeat(4, 0).repeat(4, 1)[:edge, :edge]
        noise = random.normal(0, 8, (edge, edge)).astype(np.float32)
        scan[x] = np.clip(np.where(pore, 70, 180) + noise, 0, 255)
    scan.flush()


def write_elsewhere(path: Path, edge: int) -> None:
    """`write_scan` in a process of its own: what is mapped here, when a command is started, counts
    as the largest memory of that command.
    """
    writer = multiprocessing.get_context("spawn").Process(target=write_scan, args=(path, edge))
    writer.start()
    writer.join()


def write_box(path: Path, edge: float, count: int) -> None:
    """A box of `edge` mm from the origin, `count` hexahedra C3D8 along each edge."""
    ends = (count + 1,) * 3
    points = np.indices(ends).reshape(3, -1).T * edge / count
    cells = np.indices((count,) * 3).reshape(3, -1).T
    nodes = 1 + np.ravel_multi_index(tuple((cells[:, None] + CUBE).transpose(2, 0, 1)), ends)
    with path.open("w", encoding="utf-8") as file:
        for head, table in (("*NODE", points), ("*ELEMENT, TYPE=C3D8", nodes)):
            rows = np.column_stack([np.arange(1, len(table) + 1), table])
            np.savetxt(file, rows, "%.9g", ", ", header=head, comments="")


def write_cylinder(path: Path, edge: float, size: float) -> None:
    """A cylinder along z in that box, of tetrahedra C3D10 of `size` mm, by gmsh."""
    script = path.with_suffix(".geo")
    half = edge / 2
    script.write_text(
        f'SetFactory("OpenCASCADE"); Cylinder(1) = {{{half}, {half}, 0, 0, 0, {edge}, {half}}};\n'
        f'Physical Volume("BODY") = {{1}}; Mesh.MeshSizeMax = {size}; Mesh.MeshSizeMin = {size};\n'
        "Mesh.ElementOrder = 2; Mesh.Algorithm3D = 10;\n"
    )
    subprocess.run(["gmsh", "-3", "-v", "1", script, "-o", path], check=True)


def timed(source: Path, folder: Path, code: str) -> dict[str, float]:
    """Wall clock, CPU and memory of a program in `folder`, by the package in `source`."""
    environment = os.environ | {"PYTHONPATH": str(source / "src"), "KERAS_BACKEND": "tensorflow"}
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{source}: {code} ended with {os.waitstatus_to_exitcode(status)}")
    return {
        "seconds": round(time.perf_counter() - begun, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "memory_MiB": round(usage.ru_maxrss / 1024),
    }


def trained(source: Path, folder: Path) -> Path:
    """A model of the recipe of the build at `source`, after one epoch."""
    lay(source, folder, HERE.parent / FILE, times=0.0)
    stage(source, folder, "prepare")
    stage(source, folder, "train")
    return folder / "artifacts" / "model"


def onto_meshes(edge: int) -> dict[str, Any]:
    """The figures of `--mesh`, by the type of elements."""
    code = DECK.format(str(HERE.parent / "champion" / "model"))
    found: dict[str, Any] = {"voxels_along_each_edge": edge}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_elsewhere(folder / "scan.npy", edge)
        for kind in ("C3D8", "C3D10"):
            scale = edge / 1024
            if kind == "C3D8":
                write_box(folder / "mesh.inp", edge * VOXEL, max(1, round(ELEMENTS * scale)))
            elif shutil.which("gmsh"):
                write_cylinder(folder / "mesh.inp", edge * VOXEL, SIZE)
            else:
                continue
            first, again = (timed(HERE.parent, folder, code) for _ in range(2))
            count = sum(1 for _ in (folder / "part.csv").open(encoding="utf-8")) - 1
            read = timed(HERE.parent, folder, READ)
            found[kind] = {"elements": count, "first": first, "again": again, "read": read}
            print(kind, found[kind], flush=True)
    return found | {"processors": len(os.sched_getaffinity(0))}


def main() -> None:
    if "--mesh" in sys.argv:
        given = [int(one) for one in sys.argv[1:] if one != "--mesh"]
        kept = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
        kept["mesh"] = onto_meshes(*(given or [EDGE]))
        RESULT.write_text(json.dumps(kept, indent=1) + "\n")
        return
    edge = int(sys.argv[1]) if len(sys.argv) > 1 else EDGE
    commit = sys.argv[2] if len(sys.argv) > 2 else COMMIT
    root = HERE.parent
    found: dict[str, Any] = {"voxels_along_each_edge": edge, "earlier_commit": commit}
    with tempfile.TemporaryDirectory() as place:
        earlier = Path(place) / "build"
        subprocess.run(
            ["git", "worktree", "add", "-q", "--detach", str(earlier), commit],
            cwd=root,
            check=True,
        )
        try:
            builds = {"earlier": earlier, "now": root}
            models = {
                name: trained(source, Path(place) / f"{name}-training")
                for name, source in builds.items()
            }
            for name in ROUNDS * ("earlier", "now", "again"):
                build = "now" if name == "again" else name
                folder = Path(place) / build
                folder.mkdir(exist_ok=True)
                if not (folder / "scan.npy").exists():
                    write_elsewhere(folder / "scan.npy", edge)
                if name != "again":
                    shutil.rmtree(folder / ".checkpoints", ignore_errors=True)
                took = timed(builds[build], folder, COMMAND.format(str(models[build])))
                print(name, took, flush=True)
                found[name] = min(found.get(name, took), took, key=lambda each: each["seconds"])
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(earlier)], cwd=root)
    found["processors"] = len(os.sched_getaffinity(0))
    kept = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    found |= {name: kept[name] for name in ("mesh",) if name in kept}
    RESULT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
