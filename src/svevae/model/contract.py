"""The record beside a model's weights: what it predicts, in which units, and where it comes from.

One JSON file with a format number. A file without one is of format 1, and keys that a file of an
earlier version lacks have defaults.
"""

from __future__ import annotations

import reprlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from svevae.errors import DataError
from svevae.files import write_text
from svevae.records import read_record, record_text
from svevae.words import some

Finite = Annotated[float, Field(allow_inf_nan=False)]
Above0 = Annotated[float, Field(gt=0, allow_inf_nan=False)]

# The folder of a model: `svevae.model.latent` reads and writes it.
MODEL_FILE, CONTRACT_FILE, POSTERIOR_FILE = "model.keras", "contract.json", "posterior.npz"


@dataclass(frozen=True)
class TrainingData:
    """The dataset that a model was trained on: its file, title and matrix material as the file
    gives them, and the numbers of SVEs and parts of each subset of the split.
    """

    file: str = ""
    title: str = ""
    material: str = ""
    sves: dict[str, int] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ModelContract:
    """What a user of a model must know of it.

    `names` and `units`, and `mean` and `std` of the label scaler, have one entry for each property.
    An SVE has `n` voxels along an edge, each of `voxel_size` micrometres, or None where that is not
    known. `train` holds params.yaml's section of that name, `search` the tags of the trial that it
    comes from, `labels` what `svevae.dataset.store.label_record` gives. The digests name the
    dataset and the test SVEs. `grain` is the correlation length of
    `svevae.model.sampling.binarise` in voxels.

    A model of stress-strain curves knows laws of the matrix: `law`, as
    `svevae.physics.alloys.LAW`, stands where none is named; law_range holds lowest and highest of
    each of `svevae.dataset.curves.law_features` in training.
    """

    format: Literal[1] = 1
    svevae: str = ""
    keras: str = ""
    backend: str = ""
    names: tuple[str, ...]
    units: tuple[str, ...]
    mean: tuple[Finite, ...] = ()
    std: tuple[Above0, ...] = ()
    n: Annotated[int, Field(ge=1)]
    voxel_size: Above0 | None
    latent_dim: Annotated[int, Field(ge=1)]
    seed: int = 0
    train: dict[str, Any] = field(default_factory=dict)
    dataset_digest: str = ""
    test_digest: str = ""
    search: dict[str, str] = field(default_factory=dict)
    labels: dict[str, Any] | None = None
    data: TrainingData = field(default_factory=TrainingData)
    grain: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    law: tuple[Finite, ...] = ()
    law_range: tuple[tuple[Finite, Finite], ...] = ()

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) < len(self.names):
            received = reprlib.repr(list(self.names))
            raise DataError(f"names: expected a name for each property, received {received}")
        for key in ("units", "mean", "std"):
            entries = getattr(self, key)
            if len(entries) != len(self.names) and (entries or key == "units"):
                raise DataError(
                    f"{key}: expected one for each of {some(self.names)}, received"
                    f" {reprlib.repr(list(entries))}"
                )

    @classmethod
    def load(cls, path: Path) -> ModelContract:
        """The contract that `save` wrote. Raises DataError that names the file and the key."""
        return read_record(cls, path)

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        write_text(path, self.text())

    def text(self) -> str:
        """The contract as JSON."""
        return record_text(self)
