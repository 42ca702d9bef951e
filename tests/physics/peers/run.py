"""Run a peer in an environment of its own, made on first use: python run.py muspectre|unocg JOB.npz
RESULT.npz

Jobs and results: muspectre_worker.py and unocg_worker.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
EXTRA = {
    "unocg": ["--no-deps", "unocg==1.0.0"]
}  # its own list of requirements would bring CUDA and JupyterLab, 8 GB


def environment(peer: str) -> Path:
    """The Python of the peer's environment, `.venv-<peer>` in the project's root."""
    folder = ROOT / f".venv-{peer}"
    python, done = folder / "bin" / "python", folder / "requirements.txt"
    requirements = HERE / f"requirements-{peer}.txt"
    if not done.is_file() or done.read_text(encoding="utf-8") != requirements.read_text(
        encoding="utf-8"
    ):
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([*pip, "-r", str(requirements)], check=True)
        if peer in EXTRA:
            subprocess.run([*pip, *EXTRA[peer]], check=True)
        done.write_text(
            requirements.read_text(encoding="utf-8"), encoding="utf-8"
        )  # says what is installed, so it comes last
    return python


if __name__ == "__main__":
    peer, job, result = sys.argv[1:]
    command = [str(environment(peer)), str(HERE / f"{peer}_worker.py"), job, result]
    sys.exit(
        subprocess.run(
            command,
            env={**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")},
            check=False,
        ).returncode
    )
