"""How long the default recipe trains, and what comes of it, beside an earlier build.

Checks the earlier commit out beside this one. Both prepare, train and evaluate on the same file of
SVEs, each with its own recipe, this one also with twice its epochs, in turn; the training is timed
as its stage runs, start of the process, statistics, properties and calibration included. Writes
training.json. `python benchmarks/training.py [FILE] [COMMIT]` (default:
data/sve_porous_alsi10mg_32.h5, 74f22d3; 20 minutes)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULT = HERE / "training.json"
FILE, COMMIT = "data/sve_porous_alsi10mg_32.h5", "74f22d3"
RUN = "import sys; from svevae.cli import main; sys.exit(main(sys.argv[1:]))"
ROUNDS = 2  # the faster of them counts
SCORES = ("mean_r2", "worst_r2", "elastic_ridge_mean_r2", "bce_ratio", "pca_bce_ratio")


def stage(source: Path, folder: Path, name: str) -> float:
    """Run a stage of the build at `source` in `folder`; seconds."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", RUN, name],
        cwd=folder,
        env=os.environ
        | {
            "PYTHONPATH": str(source / "src"),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{source}: {name}: {done.stderr[-2000:]}")
    return time.perf_counter() - begun


def lay(source: Path, folder: Path, file: Path, times: float = 1.0) -> None:
    """A project with the parameters of the build, `times` their epochs, at least one, but for what
    would have nothing to do with the training.
    """
    params = yaml.safe_load((source / "params.yaml").read_text(encoding="utf-8"))
    params["prepare"]["dataset"] = str(file)
    params["train"]["from_search"] = False
    params["train"]["epochs"] = max(1, round(times * params["train"]["epochs"]))
    params["evaluate"] |= {"samples": 8, "solved": 0, "pictures": 1, "others": []}
    if "regressor_epochs" in params["evaluate"]:
        params["evaluate"]["regressor_epochs"] = 0
    folder.mkdir()
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def main(file: str = FILE, commit: str = COMMIT) -> None:
    found: dict[str, Any] = {"file": file, "commit": commit, "cores": len(os.sched_getaffinity(0))}
    with tempfile.TemporaryDirectory() as temporary:
        older = Path(temporary) / "older"
        worktree = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*worktree, "add", "-q", "--detach", str(older), commit], check=True)
        try:
            builds = {"this": (ROOT, 1), "this, twice the epochs": (ROOT, 2), "older": (older, 1)}
            seconds: dict[str, list[float]] = {name: [] for name in builds}
            for k in range(ROUNDS):
                for name, (source, times) in builds.items():
                    folder = Path(temporary) / f"{name}-{k}"
                    lay(source, folder, ROOT / file, times)
                    stage(source, folder, "prepare")
                    seconds[name].append(stage(source, folder, "train"))
                    print(f"{name}: {seconds[name][-1]:.0f} s", flush=True)
                    if k == 0:
                        stage(source, folder, "evaluate")
                        path = folder / "artifacts" / "evaluation" / "metrics.json"
                        scores = json.loads(path.read_text(encoding="utf-8"))
                        found[name] = {key: scores[key] for key in SCORES}
                        print(found[name], flush=True)
        finally:
            subprocess.run([*worktree, "remove", "--force", str(older)], check=True)
    for name, each in seconds.items():
        found[name]["train_seconds"] = each
        found[name]["times_faster"] = min(seconds["older"]) / min(each)
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
