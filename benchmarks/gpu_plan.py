"""What gpu.py measures, the most wanted first, at full size and at a tiny one for a trial."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from parameters import CONV, EDGE, PART, PARTS, PLAIN, TRIAL


@dataclass(frozen=True)
class Measurement:
    """What gpu_worker.py is asked for. Those of one `process`, next to each other, share it;
    `seconds` are about what it takes on an H200, compilation included.
    """

    name: str
    process: str
    seconds: float
    request: dict[str, Any]


@dataclass(frozen=True)
class Size:
    """Edges in voxels; `changes` of the model; how many parts there are to be, each of PART SVEs,
    where there is no dataset.
    """

    edge: int = EDGE
    label_batches: tuple[int, ...] = (16, 64, 256)
    large: tuple[int, ...] = (128, 191)
    repeats: int = 2
    train_batches: tuple[int, ...] = (32, 128)
    warmup: int = 4
    steps: int = 28
    rounds: int = 5
    changes: dict[str, Any] = field(default_factory=dict)
    trial: dict[str, Any] = field(
        default_factory=lambda: TRIAL | {"count": PARTS * PART[0] * PART[1] * PART[2]}
    )
    parts: int = 8  # 384 SVEs, of which training sees copies


FULL = Size()
TINY = Size(
    edge=8,
    label_batches=(2,),
    large=(12, 16),
    repeats=1,
    train_batches=(2,),
    warmup=1,
    steps=2,
    rounds=1,
    changes={"width": 4, "depth": 2, "dense_width": 8},
    trial={"epochs": 1, "fraction": 0.1, "count": 384},
    parts=1,
)
# name: process, seconds, what to ask for
TRAINED: dict[str, tuple[str, float, dict[str, Any]]] = {
    "svevae patch": ("keras", 20, {"kind": "training", "changes": PLAIN}),
    "svevae conv": ("keras", 25, {"kind": "training", "changes": CONV}),
    "PyTorch patch": ("torch", 30, {"kind": "peer", "monai": False, "changes": PLAIN}),
    "PyTorch conv": ("torch", 30, {"kind": "peer", "monai": False, "changes": CONV}),
    "MONAI VarAutoEncoder": ("torch", 30, {"kind": "peer", "monai": True, "changes": CONV}),
}


def measurements(size: Size) -> list[Measurement]:
    """All measurements of a size; names say how large, so that figures are never mixed."""
    repeats = {"repeats": size.repeats}
    found = [
        Measurement(
            f"labels, {size.edge}^3, batch {batch}",
            "labels",
            35,
            {"kind": "labels", "batch": batch, **repeats},
        )
        for batch in size.label_batches
    ]
    found += [
        Measurement(f"elastic, {n}^3", "elastic", 25, {"kind": "elastic", "edge": n, **repeats})
        for n in size.large
    ]
    rounds = {"warmup": size.warmup, "steps": size.steps, "rounds": size.rounds}
    for name, (process, seconds, request) in TRAINED.items():
        asked = request | rounds | {"changes": request["changes"] | size.changes}
        found += [
            Measurement(
                f"training, {size.edge}^3, {name}, batch {batch}",
                process,
                seconds,
                asked | {"batch": batch},
            )
            for batch in size.train_batches
        ]
    trial = {"kind": "trial", "changes": size.changes, **size.trial}
    found.append(Measurement(f"search trial, {size.edge}^3", "trial", 45, trial))
    name = f"float32 beside float64, {size.edge}^3"
    return [*found, Measurement(name, "precision", 45, {"kind": "precision"})]
