"""What svevae does on a GPU: labels, large SVEs, training beside PyTorch and MONAI, search trials.

    python benchmarks/gpu.py [--minutes 9] [--wheels DIR] [--again NAME]
    python benchmarks/gpu.py --tiny --out FILE      all of it, tiny, also on a CPU

Writes benchmarks/gpu.json after every measurement, for each card by its name. Within the minutes
it measures what is missing there, so that a second call goes on. It needs a Python with JAX for the
GPU, and this checkout, which need not be installed. Keras with optree and namex, and what else is
not installed, may come as wheels.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "src"))
try:
    import numpy as np
    from gpu_plan import FULL, TINY, Measurement, Size, measurements
    from parameters import AXES, EDGE, GENERATOR, PART, PORES
    from workers import Worker

    from svevae.dataset.cut import cut
    from svevae.errors import ConfigError, DataError, SvevaeError
    from svevae.files import check_target, save_arrays, write_json
    from svevae.physics.label import property_names
    from svevae.physics.microstructure import make_part, random_parameters
except ModuleNotFoundError as missing:
    print(
        f"{missing.name}: not installed; expected a Python with JAX for the GPU, which brings"
        ' numpy and scipy: pip install "jax[cuda13]"',
        file=sys.stderr,
    )
    sys.exit(2)

RESULT = HERE / "gpu.json"
DATASET = ROOT / "data" / "sve_porous_alsi10mg_32.h5"
PATIENCE = 300  # seconds, for JAX to start
LONGEST = 1440  # minutes
NO_FIGURES = ("not_installed", "failed")
Cards = dict[str, dict[str, dict[str, Any]]]  # card: measurement: figures


class Processes(AbstractContextManager):
    """The process that measures: one at a time, since each takes the card's memory for itself."""

    def __init__(self, environment: dict[str, str]):
        self.environment = environment
        self.name, self.worker = "", None

    def ask(self, name: str, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """What the process `name` answers, which is started if another or none runs. Raises
        TimeoutError where it takes longer than `seconds`.
        """
        began = time.monotonic()
        if self.worker is None or self.name != name:
            self.end()
            self.worker = Worker(
                name, Path(sys.executable), HERE / "gpu_worker.py", {}, self.environment
            )
            self.name = name
        stopped, process = [], self.worker.process

        def stop() -> None:
            stopped.append(name)
            process.kill()

        timer = Timer(max(0.0, seconds - (time.monotonic() - began)), stop)
        timer.daemon = True
        timer.start()
        try:
            found = self.worker.ask(request)
        except RuntimeError as error:  # the process is gone
            self.end()
            if stopped:
                raise TimeoutError from error
            found = {"failed": str(error)}
        finally:
            timer.cancel()
        if "failed" in found:  # what it leaves on the card may harm the next
            self.end()
        return found

    def end(self) -> None:
        if self.worker is not None:
            self.worker.__exit__()
        self.worker = None

    def __exit__(self, *_: object) -> None:
        self.end()


def parse_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=9.0,
        help="begin nothing that would take longer, and end what does (default: %(default)g)",
    )
    parser.add_argument(
        "--wheels", type=Path, metavar="DIR", help="import from the wheels of this folder too"
    )
    parser.add_argument(
        "--again",
        action="append",
        default=[],
        metavar="NAME",
        help="measure anew what is called so, or begins so; may be given several times",
    )
    parser.add_argument(
        "--tiny", action="store_true", help="everything at tiny sizes, on a CPU if need be"
    )
    parser.add_argument(
        "--out", type=Path, default=RESULT, metavar="FILE", help="default: benchmarks/gpu.json"
    )
    return parser.parse_args(arguments)


def read(path: Path) -> Cards:
    """The figures of earlier calls. Raises DataError where the file has something else."""
    check_target(path)
    if not path.exists():
        return {}
    wrong = f"{path}: expected the figures of cards, as this command writes them"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{wrong}, received no JSON: {error}; move it away") from error
    cards = [*found.values()] if isinstance(found, dict) else [None]
    if not all(
        isinstance(card, dict) and all(isinstance(row, dict) for row in card.values())
        for card in cards
    ):
        raise DataError(f"{wrong}, received other JSON; move it away")
    return found


def unpack(wheels: Path, folder: Path) -> None:
    """Unpack the wheels of `wheels`. Raises DataError where there is none, or one is damaged."""
    found = sorted(wheels.glob("*.whl"))
    if not found:
        raise DataError(f"{wheels}: expected a folder with wheels (.whl), found none")
    for wheel in found:
        try:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise DataError(f"{wheel}: expected a wheel, a zip archive: {error}") from error


def save_sves(size: Size, path: Path) -> str:
    """Write the SVEs to measure with, those of the dataset where it is there and can be read; what
    they are, in words.
    """
    if size.edge == EDGE and DATASET.is_file():
        try:
            from svevae.dataset.store import open_dataset
        except ModuleNotFoundError as error:
            print(f"{DATASET.name} is not read: {error.name} is not installed", flush=True)
        else:
            data = open_dataset(DATASET)
            arrays = {"voxels": data.voxels(np.arange(data.count)), "part_id": data.part_id}
            arrays |= {"properties": data.properties, "names": np.array(data.names)}
            save_arrays(path, arrays)
            return f"{data.count} of {DATASET.name}"
    shape = tuple(count * size.edge for count in PART)
    pores = {  # lengths as long to the SVE as in the dataset
        key: [max(1.5, value * size.edge / EDGE) for value in given] if "length" in key else given
        for key, given in PORES.items()
    }
    cubes = []
    for part in range(size.parts):
        values = random_parameters(GENERATOR, pores, 0, part)
        cubes.append(cut(make_part(GENERATOR, shape, 0, part, values), size.edge)[0])
    voxels, names = np.concatenate(cubes), property_names(AXES)[0]
    labels = np.random.default_rng(0).normal(1, 0.1, (len(voxels), len(names)))
    save_arrays(
        path,
        {
            "voxels": voxels,
            "part_id": np.repeat(np.arange(size.parts), len(cubes[0])),
            "properties": labels.astype(np.float32),
            "names": np.array(names),
        },
    )
    return f"{len(voxels)} made like those of params.yaml, with random labels"


def commit() -> str | None:
    """The commit of this checkout; None where it is no clone."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() or None
    except OSError:
        return None


def told(found: dict[str, Any]) -> str:
    """A measurement in words."""
    for key in NO_FIGURES:
        if key in found:
            return f"{key.replace('_', ' ')}: {found[key]}"
    units = {
        "sve_per_second": "SVE/s",
        "trials_an_hour": "trials an hour",
        "seconds": "s",
        "stiffness": "apart in stiffness",
        "stress": "in stress",
        "compile_seconds": "s more for the first",
    }
    return ", ".join(f"{found[key]:.3g} {unit}" for key, unit in units.items() if key in found)


def wanted(plan: list[Measurement], again: list[str], done: dict[str, Any]) -> list[Measurement]:
    """What has no figures yet, or is asked for again. Raises ConfigError for an unknown name."""
    for name in again:
        if not any(one.name.startswith(name) for one in plan):
            names = "; ".join(one.name for one in plan)
            raise ConfigError(f"--again: expected the beginning of one of {names}; received {name}")
    return [
        one
        for one in plan
        if any(one.name.startswith(name) for name in again)
        or any(key in done.get(one.name, {"failed": ""}) for key in NO_FIGURES)
    ]


def find_card(processes: Processes, tiny: bool) -> dict[str, Any]:
    """The card and the versions, from the process that labels. Raises ConfigError without a GPU."""
    try:
        about = processes.ask("labels", {"kind": "about"}, PATIENCE)
    except TimeoutError:
        about = {"failed": f"JAX did not name it within {PATIENCE} s"}
    if "platform" not in about or (about["platform"] == "cpu" and not tiny):
        saw = told(about) if "platform" not in about else "JAX finds a CPU alone"
        raise ConfigError(
            f'no GPU found: {saw}; expected JAX with its plugin (pip install "jax[cuda13]"); for a'
            " trial on this machine pass --tiny --out FILE"
        )
    return about


def main(arguments: list[str] | None = None) -> int:
    options = parse_options(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return measure(options, Path(folder))
    except SvevaeError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; run it again to go on", file=sys.stderr)
        return 130


def measure(options: argparse.Namespace, folder: Path) -> int:
    """Measure what is wanted and fits, in `folder` what is only for now; 1 if something failed."""
    if not 0 <= options.minutes <= LONGEST:
        raise ConfigError(f"--minutes: expected 0 to {LONGEST}, received {options.minutes:g}")
    deadline = time.monotonic() + 60 * options.minutes
    if options.tiny and options.out.resolve() == RESULT:
        raise ConfigError("--tiny: expected --out FILE, another file than that of real figures")
    cards, size = read(options.out), TINY if options.tiny else FULL
    paths = [str(ROOT / "src")]
    if options.wheels:
        unpack(options.wheels, folder / "wheels")
        paths.append(str(folder / "wheels"))
    environment = {
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")]).rstrip(
            os.pathsep
        ),
        "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "0"),
        "OMP_NUM_THREADS": str(os.cpu_count()),
    }
    plan, left, failed = measurements(size), [], []
    wanted(plan, options.again, {})
    with Processes(environment) as processes:
        about = find_card(processes, options.tiny)
        done = cards.setdefault(about["card"], {})
        asked = wanted(plan, options.again, done)
        print(f"{about['card']}: {len(asked)} of {len(plan)} to measure", flush=True)
        sves = save_sves(size, folder / "sves.npz") if asked else ""
        run = {key: about[key] for key in ("driver", "runtime", "versions")}
        run |= {"commit": commit(), "sves": sves}
        for number, one in enumerate(asked, start=1):
            seconds = deadline - time.monotonic()
            if one.seconds > seconds:
                left.append(one.name)
                continue
            print(f"[{number}/{len(asked)}] {one.name}: ", end="", flush=True)
            request = one.request
            if request["kind"] != "elastic":
                request = request | {"sves": str(folder / "sves.npz")}
            if request["kind"] == "peer":
                request = request | {"gpu": about["platform"] != "cpu"}
            try:
                found = processes.ask(one.process, request, seconds)
            except TimeoutError:
                print("stopped, the minutes are over", flush=True)
                left.append(one.name)
                continue
            if (card := found.pop("card", about["card"])) != about["card"]:
                found = {"failed": f"it ran on {card}"}
            without = any(key in found for key in NO_FIGURES)
            failed += [one.name] if "failed" in found else []
            if not (without and one.name in done):  # figures stay where a later try finds none
                date = datetime.now(UTC).isoformat(timespec="seconds")
                done[one.name] = found | {"run": {"date": date, **run}}
                write_json(options.out, cards)
            print(told(found), flush=True)
    if left:
        print(f"left: {'; '.join(left)}. Run it again to go on.")
    if failed:
        print(f"failed: {'; '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
