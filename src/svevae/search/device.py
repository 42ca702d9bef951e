"""The hardware of a trial: the GPUs of this machine, the backend that can use one, and a fair share
of the processors.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess

THREADS = (
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NPROC",
)


def gpus() -> list[str]:
    """List the NVIDIA GPUs of this machine as CUDA_VISIBLE_DEVICES names them; those that it names
    if it is set.
    """
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name.strip() and name.strip() != "-1"]
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(
        ["nvidia-smi", "-L"], capture_output=True, encoding="utf-8", check=False
    )
    count = sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
    return [str(i) for i in range(count)]


def worker_environment(index: int, workers: int) -> dict[str, str]:
    """Environment variables of worker `index` of `workers` on this machine: its GPU, or its share
    of the cores.
    """
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3"}  # errors of TensorFlow are raised in Python too
    if devices := gpus():  # several workers on one GPU share its memory: none may take all of it
        shared = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        return quiet | shared | {"CUDA_VISIBLE_DEVICES": devices[index % len(devices)]}
    if workers == 1:
        return quiet
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return quiet | dict.fromkeys(THREADS, str(max(1, cores // workers)))


def choose_backend(preferred: str) -> str:
    """Choose the Keras backend: KERAS_BACKEND if it is set; on a machine with a GPU the first of
    `preferred`, TensorFlow and JAX that sees the GPU; else `preferred`.
    """
    if chosen := os.environ.get("KERAS_BACKEND"):
        return chosen
    if gpus():
        for backend in dict.fromkeys((preferred, "tensorflow", "jax")):
            if importlib.util.find_spec(backend) and _sees_gpu(backend):
                return backend
    return preferred


def _sees_gpu(backend: str) -> bool:
    if backend == "tensorflow":
        import tensorflow

        return bool(tensorflow.config.list_physical_devices("GPU"))
    if backend == "jax":
        import jax

        return jax.default_backend() == "gpu"
    import torch

    return torch.cuda.is_available()


def set_precision() -> str:
    """Have Keras multiply in bfloat16 on a GPU and in float32 elsewhere. Returns backend and
    device in words.
    """
    import keras

    devices = keras.distribution.list_devices()
    on_gpu = any(name in device for device in devices for name in ("gpu", "cuda"))
    keras.config.set_dtype_policy("mixed_bfloat16" if on_gpu else "float32")
    return f"{keras.backend.backend()} {', '.join(devices)}{' bfloat16' if on_gpu else ''}"
