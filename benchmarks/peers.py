"""The peers, in .venv-benchmark: svevae's `conv` and `patch` written in native PyTorch, and MONAI's
VarAutoEncoder.

Channels come first, as PyTorch has them. Layers, their shapes and the losses are those of
svevae.model.vae; constant are the learning rate and the KL weight, which svevae warms up, and the
initial weights are PyTorch's own: none of it changes the work of a step. All that makes PyTorch
faster at no cost is on: fused AdamW, activations in place, denormals flushed, batches ready in
memory.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from workers import THREADS, serve

PATCH = 4  # svevae.model.architectures.PATCH
# mean, log_var (batch, latent), logits (batch, n, n, n), properties, standardised
Outputs = tuple[Tensor, Tensor, Tensor, Tensor]


class Residual(nn.Module):
    """relu(x + conv(relu(conv(x)))), the identity at first."""

    def __init__(self, width: int):
        super().__init__()
        self.first, self.second = (nn.Conv3d(width, width, 3, padding=1) for _ in range(2))
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x), inplace=True)), inplace=True)


def widths_of(train: dict[str, Any]) -> list[int]:
    """svevae.config.Train.widths: channels on each grid, the finest first."""
    return [train["width"] * 2**level for level in range(train["depth"])]


def residuals(width: int, blocks: int) -> list[nn.Module]:
    return [Residual(width) for _ in range(blocks)]


def pool(x: Tensor) -> Tensor:
    """Mean and maximum over a field: (batch, channels, x, y, z) -> (batch, 2 channels)."""
    return torch.cat([x.mean((2, 3, 4)), x.amax((2, 3, 4))], dim=1)


class ConvEncoder(nn.Module):
    """`encode_conv`: strided 3x3x3 convolutions. Keras pads only behind, this on both sides: the
    same shapes and work.
    """

    def __init__(self, n: int, widths: list[int], blocks: int):
        super().__init__()
        self.levels = nn.Sequential()
        for before, width in itertools.pairwise([1, *widths]):
            self.levels.extend(
                [
                    nn.Conv3d(before, width, 3, stride=2, padding=1),
                    nn.ReLU(inplace=True),
                    *residuals(width, blocks),
                ]
            )
        self.edge, self.channels = n // 2 ** len(widths), widths[-1]
        self.features = self.channels * (self.edge**3 + 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.levels(x)
        return torch.cat([x.flatten(1), pool(x)], dim=1)


class PatchEncoder(nn.Module):
    """`encode_patch`: patches embedded as by space-to-depth; features see every level."""

    def __init__(self, n: int, widths: list[int], blocks: int):
        super().__init__()
        self.levels = nn.ModuleList()
        for before, width in itertools.pairwise([1, *widths]):
            step = PATCH if before == 1 else 2
            embed = nn.Conv3d(before, width, step, stride=step)
            self.levels.append(
                nn.Sequential(embed, nn.ReLU(inplace=True), *residuals(width, blocks))
            )
        self.edge, self.channels = n // (PATCH * 2 ** (len(widths) - 1)), 16
        self.grid = nn.Conv3d(widths[-1], self.channels, 1)
        self.features = self.channels * self.edge**3 + 2 * sum(widths)

    def forward(self, x: Tensor) -> Tensor:
        pooled = []
        for level in self.levels:
            x = level(x)
            pooled.append(pool(x))
        return torch.cat([F.relu(self.grid(x)).flatten(1), *pooled], dim=1)


def decode_conv(widths: list[int], blocks: int) -> list[nn.Module]:
    """The mirror of ConvEncoder, from its coarsest grid."""
    layers = []
    for before, width in itertools.pairwise([*reversed(widths), 1]):
        layers += [
            *residuals(before, blocks),
            nn.ConvTranspose3d(before, width, 4, stride=2, padding=1),
            nn.ReLU(inplace=True),
        ]
    return layers[:-1]  # logits


def decode_patch(widths: list[int], blocks: int) -> list[nn.Module]:
    """The mirror of PatchEncoder, from its coarsest grid."""
    layers: list[nn.Module] = [nn.Conv3d(16, widths[-1], 1)]
    for before, width in itertools.pairwise(reversed(widths)):
        layers += [
            *residuals(before, blocks),
            nn.ConvTranspose3d(before, width, 2, stride=2),
            nn.ReLU(inplace=True),
        ]
    return [
        *layers,
        *residuals(widths[0], blocks),
        nn.ConvTranspose3d(widths[0], 1, PATCH, stride=PATCH),
    ]


class Vae(nn.Module):
    """svevae.model.vae.build_vae: voxels (batch, n, n, n) -> Outputs."""

    def __init__(self, train: dict[str, Any], n: int, properties: int):
        super().__init__()
        encoder, decode = {
            "conv": (ConvEncoder, decode_conv),
            "patch": (PatchEncoder, decode_patch),
        }[train["architecture"]]
        latent, dense, predictor = (
            train["latent_dim"],
            train["dense_width"],
            train["predictor_width"],
        )
        assert train["block"] == "residual", (
            f"expected train.block: residual, received {train['block']}"
        )
        widths = widths_of(train)
        self.encoder = encoder(n, widths, train["blocks"])
        edge, channels = self.encoder.edge, self.encoder.channels
        self.hidden = nn.Linear(self.encoder.features + 1, dense)  # and the porosity
        self.mean, self.log_var = nn.Linear(dense, latent), nn.Linear(dense, latent)
        nn.init.zeros_(self.log_var.weight)
        nn.init.constant_(self.log_var.bias, -4.0)
        self.decoder = nn.Sequential(
            nn.Linear(latent, dense),
            nn.ReLU(inplace=True),
            nn.Linear(dense, channels * edge**3),
            nn.ReLU(inplace=True),
            nn.Unflatten(1, (channels, edge, edge, edge)),
            *decode(widths, train["blocks"]),
        )
        nn.init.constant_(self.decoder[-1].bias, -3.5)
        self.predictor = nn.Sequential(
            nn.Linear(latent, predictor),
            nn.ReLU(inplace=True),
            nn.Dropout(train["dropout"]),
            nn.Linear(predictor, properties),
        )

    def forward(self, voxels: Tensor) -> Outputs:
        porosity = 20 * voxels.mean((1, 2, 3))[:, None]
        h = F.relu(
            self.hidden(torch.cat([self.encoder(voxels[:, None]), porosity], dim=1)), inplace=True
        )
        mean, log_var = self.mean(h), self.log_var(h)
        z = mean + torch.exp(log_var / 2) * torch.randn_like(mean) if self.training else mean
        return mean, log_var, self.decoder(z)[:, 0], self.predictor(mean)


class MonaiVae(nn.Module):
    """MONAI's VarAutoEncoder as it comes, on the grids of `conv`, and a linear head on the latent
    mean for the properties.
    """

    def __init__(self, train: dict[str, Any], n: int, properties: int):
        super().__init__()
        from monai.networks.nets import VarAutoEncoder

        widths, latent = widths_of(train), train["latent_dim"]
        self.vae = VarAutoEncoder(
            3,
            (1, n, n, n),
            1,
            latent,
            channels=widths,
            strides=[2] * len(widths),
            use_sigmoid=False,
        )
        self.head = nn.Linear(latent, properties)

    def forward(self, voxels: Tensor) -> Outputs:
        logits, mean, log_var, _ = self.vae(voxels[:, None])
        return mean, log_var, logits[:, 0], self.head(mean)


def loss(train: dict[str, Any], voxels: Tensor, properties: Tensor, outputs: Outputs) -> Tensor:
    """svevae.model.losses, weighted; properties are standardised. The mean over the batch."""
    mean, log_var, logits, predicted = outputs
    reconstruction = F.binary_cross_entropy_with_logits(logits, voxels, reduction="sum")
    kl = 0.5 * torch.sum(log_var.exp() + mean.square() - 1 - log_var)
    gaussian = 0.5 * torch.sum((properties - predicted).square())
    terms = (
        train["reconstruction_weight"] * reconstruction
        + train["kl_weight"] * kl
        + train["property_weight"] * gaussian
    )
    return terms / len(voxels)


def start(setup: dict[str, Any]) -> tuple[dict[str, Any], Callable[..., dict[str, Any]]]:
    """The contender of `setup`, whose batches are made from the arrays of a file."""
    torch.set_num_threads(THREADS)
    torch.set_flush_denormal(True)  # TensorFlow does so
    with np.load(setup["batches"]) as arrays:
        voxels, properties = arrays["voxels"], arrays["properties"]
    kind = {key: setup[key] for key in ("train", "monai", "seed")}
    parameters, train_round = contender(voxels, properties, **kind)
    # A transposed convolution has a bias for each channel, svevae's dense layer in its place one
    # for each voxel of a patch.
    expected = setup["parameters"] or parameters
    assert abs(parameters - expected) <= 1e-3 * expected, (
        f"expected about svevae's {expected} parameters, made {parameters}"
    )
    return {"parameters": parameters, "versions": versions(setup["monai"])}, train_round


def contender(
    voxels: np.ndarray,
    properties: np.ndarray,
    train: dict[str, Any],
    monai: bool,
    seed: int,
    device: str = "cpu",
    compiled: bool = False,
) -> tuple[int, Callable[..., dict[str, Any]]]:
    """How many parameters the model has, and the function that trains a round of steps; voxels
    (sve, n, n, n) and standardised properties (sve, property) wait on the device.
    """
    torch.manual_seed(seed)
    size = train["batch_size"]
    split = [torch.from_numpy(array).to(device).split(size) for array in (voxels, properties)]
    batches = itertools.cycle(list(zip(*split, strict=True)))
    model = (MonaiVae if monai else Vae)(train, voxels.shape[-1], properties.shape[-1]).to(device)
    optimizer = torch.optim.AdamW(
        model.parameters(), train["learning_rate"], weight_decay=train["weight_decay"], fused=True
    )

    def objective(x: Tensor, y: Tensor) -> Tensor:
        return loss(train, x, y, model(x))

    if compiled:
        objective = torch.compile(objective, dynamic=False)

    def now() -> float:
        if device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter()

    def train_round(warmup: int, steps: int, epoch: int) -> dict[str, Any]:
        for step, (x, y) in enumerate(itertools.islice(batches, warmup + steps)):
            if step == warmup:
                started = now()
            optimizer.zero_grad()
            value = objective(x.float(), y)
            value.backward()
            optimizer.step()
        return {"seconds": now() - started, "loss": value.item()}

    return sum(weight.numel() for weight in model.parameters()), train_round


def versions(with_monai: bool) -> dict[str, str]:
    if not with_monai:
        return {"torch": torch.__version__}
    import monai

    return {"torch": torch.__version__, "monai": monai.__version__}


if __name__ == "__main__":
    serve(start)
