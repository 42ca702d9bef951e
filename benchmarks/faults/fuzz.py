"""Feed damaged files to every command that reads, and count what is not told in words.

Each case has a number, and with the seed of the run it always is the same. Processes of their own
run them, one case after the other; one that takes too long or too much memory is ended, and a case
beyond the time is tried again before it counts.
"""

from __future__ import annotations

import json
import os
import queue
import re
import select
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from benchmarks.faults.project import ROOT, WORK, environment, finished
from benchmarks.faults.valid import kinds
from tqdm import tqdm

SECONDS = 20.0  # that a case may take
START = 600.0  # seconds in which a process is ready
MEMORY = 3072  # MiB beyond what a process has before a case
FOLDER = WORK / "fuzz"
CASES = 250  # of a process, until another takes its place
LOOK = 0.05


class Victim:
    """A process that runs cases."""

    def __init__(self, root: Path, number: int, light: bool = False):
        self.folder = root / f"process-{number}"
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "temporary").mkdir(parents=True)
        self.cases = 0
        store = f"sqlite:///{self.folder / 'mlflow.db'}"
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "benchmarks.faults.victim"),
                    *(str(self.folder / "case"), "light" if light else "all"),
                ],
                cwd=self.folder,
                env=environment()
                | {"TMPDIR": str(self.folder / "temporary"), "MLFLOW_TRACKING_URI": store},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self.base = 0
        if self._answer(START) is None:
            raise RuntimeError(f"{self.folder / 'log'}: no process for cases")
        self.base = self._memory()

    def run(self, seed: int, number: int, seconds: float) -> dict[str, Any]:
        """What happened in a case; the process has ended where that was a hang, a crash, or too
        much memory.
        """
        self.cases += 1
        self.base = self._memory()
        assert self.process.stdin
        try:
            self.process.stdin.write(json.dumps({"seed": seed, "number": number}).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self._answer(seconds)
        if answer is not None:
            return answer
        code = self.process.poll()
        log = (self.folder / "log").read_text(errors="replace")
        if code and code > 0 and "benchmarks/faults/victim.py" in log:  # the harness is at fault
            raise RuntimeError(f"case {number}: {log[-3000:]}")
        fault = "memory" if self.base < 0 else "hang" if code is None else "crash"
        self.end()
        return {
            "case": number,
            "seconds": seconds,
            "memory": MEMORY if fault == "memory" else 0,
            "faults": [[fault, f"exit code {code}"]],
        }

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with suppress(BrokenPipeError):  # what was written to it and never read
                stream.close()

    def _memory(self) -> int:
        try:
            return psutil.Process(self.process.pid).memory_info().rss >> 20
        except psutil.Error:
            return 0

    def _answer(self, seconds: float) -> dict[str, Any] | None:
        """The next line; None where the process ends, or takes too long or too much memory, which
        makes `base` negative.
        """
        deadline = time.monotonic() + seconds
        assert self.process.stdout
        while time.monotonic() < deadline:
            if select.select([self.process.stdout], [], [], LOOK)[0]:
                line = self.process.stdout.readline()
                if not line:
                    self.process.wait()
                return json.loads(line) if line else None
            if self.base and self._memory() > self.base + MEMORY:
                self.base = -1
                return None
        return None


def write_valid(root: Path, source: Path, light: bool = False) -> None:
    """Put valid files of every kind where processes copy them from; some come from the project
    `source`.
    """
    shutil.rmtree(root / "valid", ignore_errors=True)
    for kind in kinds(light):
        own = root / "valid" / re.sub(r"\W+", "-", kind.name)
        own.mkdir(parents=True)
        kind.write(own, source)


def code_digest() -> str:
    """Of svevae and of this harness: results of other code do not count."""
    import hashlib

    digest = hashlib.md5(usedforsecurity=False)
    for folder in (ROOT / "src" / "svevae", Path(__file__).parent):
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def run_cases(
    cases: int, seed: int, processes: int, root: Path = FOLDER, light: bool = False
) -> list[dict[str, Any]]:
    """All results, by the number of the case; those that an interrupted run found are kept."""
    kept = root / f"{seed}-{code_digest()}.jsonl"
    found: dict[int, dict[str, Any]] = {}
    if kept.exists():
        for line in kept.read_text().splitlines():
            result = json.loads(line)
            found[result["case"]] = result
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(cases):
        if number not in found:
            waiting.put(number)
    bar = tqdm(total=cases, initial=cases - waiting.qsize(), unit="case", desc="damaged files")
    errors: list[BaseException] = []

    def work(index: int, file: Any) -> None:
        victim = None
        try:
            while not errors:
                try:
                    number = waiting.get_nowait()
                except queue.Empty:
                    return
                if victim is None or victim.cases >= CASES or victim.process.poll() is not None:
                    if victim is not None:
                        victim.end()
                    victim = Victim(root, index, light)
                result = victim.run(seed, number, SECONDS)
                if result["faults"] and result["faults"][0][0] == "hang":
                    victim = Victim(root, index, light)
                    result = victim.run(seed, number, SECONDS)
                with lock:
                    found[number] = result
                    file.write(json.dumps(result) + "\n")
                    file.flush()
                    bar.update()
                    bar.set_postfix_str(f"{sum(bool(r['faults']) for r in found.values())} faults")
        except BaseException as error:
            errors.append(error)
        finally:
            if victim is not None:
                victim.end()

    lock = threading.Lock()
    with bar, open(kept, "a") as file:
        threads = [threading.Thread(target=work, args=(i, file)) for i in range(processes)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:
            errors.append(KeyboardInterrupt())
            for thread in threads:
                thread.join()
    if errors:
        raise errors[0]
    return [found[number] for number in sorted(found) if number < cases]


FAULTS = (
    *("traceback", "hang", "crash", "memory", "exit code", "no name", "too long"),
    *("temporary path", "called valid"),
)


def summed(results: list[dict[str, Any]], seed: int, light: bool = False) -> dict[str, Any]:
    """A row for each kind of files, and one for all."""
    from benchmarks.faults.victim import schedule

    rows: dict[str, dict[str, Any]] = {}
    for result in results:
        kind = schedule(light)[result["case"] % len(schedule(light))].name
        for name in (kind, "all"):
            row = rows.setdefault(
                name,
                {"cases": 0, "refused": 0, "memory": 0, "seconds": 0.0} | dict.fromkeys(FAULTS, 0),
            )
            row["cases"] += 1
            row["refused"] += result.get("code") == 2
            row["memory"] = max(row["memory"], result["memory"])
            row["seconds"] = max(row["seconds"], result["seconds"])
            for fault, _ in result["faults"]:
                row[fault] += 1
    total = rows.pop("all", {})
    return {"seed": seed, "kinds": dict(sorted(rows.items())) | {"all": total}}


def told(results: list[dict[str, Any]]) -> str:
    """The faults for who mends them: each kind of fault and place once, with a case to repeat."""
    places: dict[tuple[str, str], list[int]] = {}
    for result in results:
        for fault, details in result["faults"]:
            place = re.sub(r"\d{3,}|'[^']*'", "_", details.partition(": ")[0])
            what = f"{result.get('kind', '?')}, {result.get('command', '?')}"
            key = (fault, place if fault == "traceback" else what)
            places.setdefault(key, []).append(result["case"])
    counted = Counter({key: len(numbers) for key, numbers in places.items()})
    return "\n".join(
        f"{count:5d} {fault}: {place}; cases {', '.join(map(str, places[fault, place][:4]))}"
        for (fault, place), count in counted.most_common()
    )


PREFLIGHT = """
import sys
from benchmarks.faults.valid import kinds
from benchmarks.faults.victim import called, prepared, warm_up
from contextlib import suppress
from pathlib import Path
folder = Path(sys.argv[1])
warm_up()
for kind in kinds():
    for line in dict.fromkeys(kind.commands):
        prepared(kind, folder)
        if kind.before:
            called(kind.before)
        name = next(path for path in sorted(folder.glob(kind.damaged)) if path.is_file())
        line = tuple(str(name.relative_to(folder)) if word == "{scan}" else word for word in line)
        code, said, place = called(line)
        if code or place:
            sys.exit(f"{kind.name}: {line}: {code}: {place}: {said[-1500:]}")
"""

ONE = """
import json, sys
from contextlib import suppress
from pathlib import Path
from benchmarks.faults.victim import run_case, warm_up
warm_up()
print(json.dumps(run_case(int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[1]), keep=True)))
"""


def _alone(code: str, *arguments: str) -> str:
    """What a program printed that runs in a process of its own, with a folder for cases as its
    first argument. Raises RuntimeError where it fails.
    """
    folder = FOLDER / "alone"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}", "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder / "case"), *arguments],
        cwd=ROOT,
        env=environment() | store,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def preflight() -> None:
    """Raise RuntimeError where a command refuses a valid file: then the harness is at fault."""
    _alone(PREFLIGHT)


def one(seed: int, number: int, folder: Path) -> str:
    """What happened in one case, and what the command said; its files are put into `folder`."""
    write_valid(FOLDER, finished())
    said = json.loads(_alone(ONE, str(seed), str(number)))
    shutil.copytree(FOLDER / "alone" / "case", folder)
    return json.dumps(said, indent=1)


def fuzz(cases: int, seed: int, processes: int | None = None) -> dict[str, Any]:
    """Run all cases; the table."""
    write_valid(FOLDER, finished())
    preflight()
    results = run_cases(cases, seed, processes or len(os.sched_getaffinity(0)))
    print(told(results) or "no faults")
    return summed(results, seed)
