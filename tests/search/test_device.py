"""GPUs are found as the system names them and dealt in turn; cores are shared; the backend is one
that sees a GPU.
"""

from __future__ import annotations

import os
from pathlib import Path

import keras
import pytest

from svevae.search import device
from svevae.search.device import choose_backend, gpus, set_precision, worker_environment


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose nvidia-smi lists two GPUs and a MIG slice of the second."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    command = tmp_path / "nvidia-smi"
    command.write_text(
        "#!/bin/sh\necho 'GPU 0: NVIDIA H100 (UUID: GPU-1)'\necho 'GPU 1: NVIDIA H100 (UUID:"
        " GPU-2)'\necho '  MIG 1g'\n",
        encoding="utf-8",
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


def test_gpus_are_dealt_in_turn(two_gpus: None) -> None:
    assert gpus() == ["0", "1"]
    assert [worker_environment(i, 3)["CUDA_VISIBLE_DEVICES"] for i in range(3)] == ["0", "1", "0"]
    assert worker_environment(0, 3)["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"


def test_what_the_scheduler_of_a_cluster_gave_is_all_there_is(
    two_gpus: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-7f")
    assert gpus() == ["3", "GPU-7f"]
    for none in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", none)
        assert gpus() == []


def test_cores_are_shared_fairly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "gpus", list)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert {worker_environment(i, 3)["TF_NUM_INTRAOP_THREADS"] for i in range(3)} == {"2"}
    assert worker_environment(0, 99)["OMP_NUM_THREADS"] == "1"
    assert "OMP_NUM_THREADS" not in worker_environment(0, 1), "one worker has the machine to itself"


@pytest.mark.parametrize(
    ("preferred", "seeing", "found", "chosen"),
    [
        ("tensorflow", {"tensorflow", "jax"}, ["0"], "tensorflow"),
        ("tensorflow", {"jax"}, ["0"], "jax"),
        ("jax", {"tensorflow", "jax"}, ["0"], "jax"),
        ("torch", {"tensorflow"}, ["0"], "tensorflow"),
        ("tensorflow", set(), ["0"], "tensorflow"),
        ("tensorflow", {"jax"}, [], "tensorflow"),
    ],
)
def test_backend_is_one_that_sees_the_gpu(
    preferred: str, seeing: set[str], found: list[str], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.setattr(device, "gpus", lambda: found)
    monkeypatch.setattr(device, "_sees_gpu", lambda backend: backend in seeing)
    assert choose_backend(preferred) == chosen
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert choose_backend(preferred) == "torch"


def test_no_gpu_is_seen_where_there_is_none() -> None:
    assert not device._sees_gpu("tensorflow")
    assert not device._sees_gpu("jax")


@pytest.mark.parametrize(
    ("devices", "policy"),
    [(["gpu:0"], "mixed_bfloat16"), (["cuda:0"], "mixed_bfloat16"), (["cpu:0"], "float32")],
)
def test_products_are_of_bfloat16_on_a_gpu_alone(
    devices: list[str], policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: devices)
    try:
        assert devices[0] in set_precision()
        assert keras.config.dtype_policy().name == policy
    finally:
        keras.config.set_dtype_policy("float32")
