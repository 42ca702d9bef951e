#!/usr/bin/env bash
# `mlflow server` 3.17.2 exits with 0 where its server could not start.
#
# The command starts uvicorn as a process of its own, waits for it, and does not look at how it
# ended: with a port that is taken, uvicorn says so and exits with 3, mlflow with 0. Expected: an
# exit status that tells. A supervisor that restarts on failure, and a script that goes on after
# `|| exit`, take it for a server that was stopped; ask its /health instead.
# Seen with mlflow 3.17.2, uvicorn 0.54.0, Python 3.11: "address already in use", uvicorn by itself
# 3, mlflow 0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .venv
.venv/bin/pip install --quiet mlflow==3.17.2 uvicorn==0.54.0
cat > try.py <<'PY'
import os
import socket
import subprocess
import sys

with socket.socket() as taken:
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    where = ["--host", "127.0.0.1", "--port", str(taken.getsockname()[1]), "--workers", "1"]
    store = ["--backend-store-uri", "sqlite:///mlflow.db"]
    quiet = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    for name, command in (
        ("uvicorn", ["uvicorn", "mlflow.server.fastapi_app:app", *where]),
        ("mlflow", ["mlflow", "server", *store, *where]),
    ):
        done = subprocess.run(
            [".venv/bin/" + command[0], *command[1:]], capture_output=True, text=True, env=quiet
        )
        assert "address already in use" in (done.stdout + done.stderr).lower(), done.stderr
        print(name, done.returncode)
PY
.venv/bin/python try.py | tee said
grep -qx "uvicorn 3" said
grep -qx "mlflow 0" said
