#!/bin/sh
# Training speed beside native PyTorch and MONAI: sh benchmarks/run.sh [options of run.py], from the project's root, after `make .venv/.ready`.
set -e
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
export PATH

dvc pull --quiet data.dvc

# The copy of the requirements says what is installed, and stands only behind a whole installation.
if ! cmp -s benchmarks/requirements.txt .venv-benchmark/requirements.txt; then
    echo "making .venv-benchmark, PyTorch and MONAI: downloads 0.2 GB (CPU build) or some GB (CUDA build)"
    [ -x .venv-benchmark/bin/python ] || .venv/bin/python -m venv .venv-benchmark
    .venv-benchmark/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
    cp benchmarks/requirements.txt .venv-benchmark/requirements.txt
fi

exec python benchmarks/run.py "$@"
