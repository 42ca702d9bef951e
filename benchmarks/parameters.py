"""What several benchmarks measure alike. It imports nothing, so that the GPU kit needs neither
PyYAML nor pydantic: tests/test_gpu.py holds what is written out here equal to params.yaml.
"""

from __future__ import annotations

from typing import Any

# The peers are what anyone would write, without elastic statistics, so ours are measured without.
PLAIN: dict[str, Any] = {"elastic": False}
# The wide convolutional VAE: svevae's has no blocks anyway, its peer as many as it is told.
CONV = {"architecture": "conv", "width": 32, "depth": 4, "blocks": 0} | PLAIN
# The budget of a short trial of the search.
TRIAL: dict[str, Any] = {"epochs": 2, "fraction": 0.2}

STRAIN = (
    *(0.00082, 0.00233, 0.00427, 0.00658, 0.00919, 0.01209),
    *(0.01523, 0.01861, 0.0222, 0.026, 0.03),
)
MATERIAL, AXES = "as-built-z", ("x", "y", "z")
PARTS, PART, EDGE = 85, (4, 4, 3), 32  # how many, each of so many SVEs, of so many voxels an edge
GENERATOR = "gaussian"
PORES: dict[str, Any] = {
    "porosity": [0.005, 0.08, "log"],
    "pore_length": [3.5, 8.0],
    "elongation": [1.0, 2.0],
    "modulation_length": [32, 96],
    "modulation_strength": [0.0, 0.8],
}
TRAIN: dict[str, Any] = {
    "from_search": True,
    "architecture": "patch",
    "latent_dim": 152,
    "width": 48,
    "depth": 2,
    "blocks": 0,
    "block": "residual",
    "elastic": True,
    "dense_width": 512,
    "predictor_width": 384,
    "property_epochs": 200,
    "dropout": 0.0,
    "reconstruction_weight": 1.0,
    "kl_weight": 0.5,
    "property_weight": 10000.0,
    "kl_warmup": 5,
    "learning_rate": 1.0e-3,
    "learning_rate_warmup": 1,
    "weight_decay": 2.0e-3,
    "batch_size": 32,
    "epochs": 16,
    "patience": 10,
    "augmentation": ("flip_x", "flip_y", "flip_z", "swap_xy"),
}
