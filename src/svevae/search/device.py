"""What a trial runs on: the GPUs of this machine, the backend that can use one, a fair share of the
processors.
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
    """The NVIDIA GPUs of this machine, as CUDA_VISIBLE_DEVICES names them; those it names if it is
    set.
    """
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name.strip() and name.strip() != "-1"]
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return [
        str(i)
        for i, line in enumerate(
            line for line in listed.stdout.splitlines() if line.startswith("GPU ")
        )
    ]


def worker_environment(index: int, workers: int) -> dict[str, str]:
    """Variables of worker `index` of `workers` on this machine: its GPU, or its share of the
    cores.
    """
    found, quiet = (
        gpus(),
        {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # what goes wrong comes as a Python error too
    if found:  # several on one GPU share its memory, so none may take all of it
        shared = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        return quiet | shared | {"CUDA_VISIBLE_DEVICES": found[index % len(found)]}
    if workers == 1:
        return quiet
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return quiet | dict.fromkeys(THREADS, str(max(1, cores // workers)))


def choose_backend(preferred: str) -> str:
    """KERAS_BACKEND if it is set; on a machine with a GPU the first of `preferred`, TensorFlow and
    JAX that sees one; else `preferred`.
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
    """bfloat16 for products where Keras runs on a GPU, float32 elsewhere; "backend device", for a
    person to read.
    """
    import keras

    devices = keras.distribution.list_devices()
    on_gpu = any(name in device for device in devices for name in ("gpu", "cuda"))
    keras.config.set_dtype_policy("mixed_bfloat16" if on_gpu else "float32")
    return f"{keras.backend.backend()} {', '.join(devices)}{' bfloat16' if on_gpu else ''}"
