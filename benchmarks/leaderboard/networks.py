"""Networks as one would first build them, each in a process of its own and trained on the SVEs of
data/porous_metals_32.h5 for a quarter of an hour.

As the regressions of `baselines`, they predict the properties in units of the matrix from the pores
and from what is left of the matrix's law.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from benchmarks.leaderboard.baselines import by_blocks, law_features
from benchmarks.leaderboard.learning import PREDICTED, TASK, Recipe
from benchmarks.leaderboard.score import in_units_of_the_matrix
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from svevae.dataset.curves import carries_load
from svevae.dataset.split import split_by_part
from svevae.dataset.store import LabelledDataset
from svevae.dataset.symmetry import AS_IS, turned_targets
from svevae.errors import DataError, TrainingError
from svevae.files import load_arrays, save_arrays
from svevae.model.metrics import r2

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PEERS = ROOT / ".venv-benchmark" / "bin" / "python"
ENVIRONMENT = {
    "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "OMP_WAIT_POLICY": "PASSIVE",  # PyTorch's threads, many times slower beside other jobs
}


@dataclass(frozen=True)
class Network:
    """A module of this folder that has a `Learner`, what it imports, the Python that has that."""

    module: str
    imports: tuple[str, ...]
    python: Path
    recipe: Recipe


NETWORKS = {
    "3-D convolutions": Network(
        "convolutional",
        ("keras",),
        Path(sys.executable),
        Recipe(20, 2e-3, {"stem": 16, "grids": [[32], [64, 64], [128, 128]], "dense": 256}),
    ),
    "MONAI VAE": Network(
        "monai_vae",
        ("torch", "monai"),
        PEERS,
        Recipe(
            12,
            3e-3,
            {
                "widths": [32, 64, 128, 256],
                "latent": 64,
                "dense": 256,
                "norm": "batch",
                "property_weight": 1e4,
            },
        ),
    ),
}


def named(name: str | None) -> dict[str, Network]:
    """The network of a name, all without one. Raises DataError where there is none of the name."""
    if name is None:
        return NETWORKS
    if name not in NETWORKS:
        raise DataError(f"--only: expected {' or '.join(NETWORKS)}, received {name}")
    return {name: NETWORKS[name]}


def check(network: Network) -> None:
    """Raise DataError, which says what to install, where a network's Python is not there or lacks
    what it imports.
    """
    find = f"from importlib.util import find_spec as f; assert all(map(f, {network.imports}))"
    if (
        not network.python.is_file()
        or subprocess.run([network.python, "-c", find], capture_output=True, check=False).returncode
    ):
        folder = network.python.parents[1]
        raise DataError(
            f"{network.python}: expected a Python with {' and '.join(network.imports)}; make it by"
            f" `python -m venv {folder.name}` and `{folder.name}/bin/python -m pip install -r"
            " benchmarks/requirements.txt`"
        )


def predict(
    name: str, network: Network, train: LabelledDataset, test: LabelledDataset, path: Path
) -> None:
    """Train a network on `train`, from where an earlier call was stopped, and write its predictions
    of the test SVEs as CSV. Raises as `learn`.
    """
    everything = np.ones(test.count, bool)
    found = learn(name, network, train, carries_load(train), test, everything, path.with_suffix(""))
    found *= in_units_of_the_matrix(np.ones(found.shape), test) ** -1
    pd.DataFrame(found, columns=list(test.names)).to_csv(path, index_label="sve")


def validate(
    name: str, network: Network, train: LabelledDataset, epochs: int, folder: Path
) -> np.ndarray:
    """(property,) R2 on an eighth of the parts of `train`, of the network trained on the others for
    so many epochs: what the recipes were chosen by. Raises as `learn`.
    """
    split, whole = split_by_part(train, 1 / 8, 1 / 8, seed=0), carries_load(train)
    apart = np.isin(train.part_id, split.parts["validation"])
    short = replace(network, recipe=replace(network.recipe, epochs=epochs))
    found = learn(name, short, train, whole & ~apart, train, whole & apart, folder)
    true = in_units_of_the_matrix(train.properties.astype(float), train)
    return r2(true[whole & apart], found)


def learn(
    name: str,
    network: Network,
    train: LabelledDataset,
    seen: np.ndarray,
    test: LabelledDataset,
    new: np.ndarray,
    folder: Path,
) -> np.ndarray:
    """(SVE of `new`, property) in units of the matrix, as the network says that has learnt from the
    SVEs `seen` of `train`; both (sve,) bool. `folder` keeps the checkpoint.

    Raises TrainingError where its process fails.
    """
    labels = turned_targets(train, np.arange(train.count), None)
    own = {turn: in_units_of_the_matrix(each, train)[seen] for turn, each in labels.items()}
    target, law = StandardScaler().fit(own[AS_IS]), StandardScaler().fit(law_features(train)[seen])
    task = {
        "n": np.array(train.n),
        "bits": packed(train)[seen],
        "laws": law.transform(law_features(train)[seen]).astype(np.float32),
        "turns": np.array(list(own)),
        "targets": np.stack([target.transform(each) for each in own.values()]).astype(np.float32),
        "new_bits": packed(test)[new],
        "new_laws": law.transform(law_features(test)[new]).astype(np.float32),
    }
    save_arrays(folder / TASK, task)
    run(name, network, folder, fingerprint(network, task))
    found = load_arrays(folder / PREDICTED)
    assert found is not None
    return target.inverse_transform(found["predicted"])


def packed(data: LabelledDataset) -> np.ndarray:
    """(sve, byte) the voxels at one bit each."""
    return by_blocks(data, lambda cubes: np.packbits(cubes.reshape(len(cubes), -1), axis=1))


def fingerprint(network: Network, task: dict[str, np.ndarray]) -> str:
    """Names all that a training depends on: recipe, code and data."""
    known = hashlib.sha256(repr(network.recipe).encode())
    for module in ("learning", network.module):
        known.update((HERE / f"{module}.py").read_bytes())
    for array in task.values():
        known.update(np.ascontiguousarray(array))
    return known.hexdigest()


def run(name: str, network: Network, folder: Path, known: str) -> None:
    """Have the task of a folder done by the network's process. A bar shows its steps; the process
    ends with this one. Raises TrainingError where it fails.
    """
    settings = json.dumps(asdict(network.recipe))
    with subprocess.Popen(
        [network.python, "-m", f"{__package__}.{network.module}", folder, settings, known],
        cwd=ROOT,
        env=os.environ | ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for this process, which ends that one
    ) as process:
        assert process.stdout is not None
        try:
            follow(name, process.stdout, network.recipe.batch)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise TrainingError(
            f"{name}: {network.module}.py ended with exit code {process.returncode}"
        )


def follow(name: str, lines: Iterable[str], batch: int) -> None:
    """Show what a process of `learning.main` says as a bar of SVEs."""
    often = 0.5 if sys.stderr.isatty() else 60
    with tqdm(desc=name, unit="SVE", mininterval=often, smoothing=0.05) as bar:
        for line in lines:
            done, steps, error = line.split()
            if bar.total is None:  # the first line is of what an earlier call did
                bar.reset(int(steps) * batch)
                bar.initial = bar.n = int(done) * batch
            bar.set_postfix_str(f"squared error {float(error):.4f}", refresh=False)
            bar.update(int(done) * batch - bar.n)
