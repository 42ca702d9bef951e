"""MONAI's VarAutoEncoder with a head for the properties, in PyTorch; it runs in .venv-benchmark."""

from __future__ import annotations

import io

import numpy as np
import torch
import torch.nn.functional as F
from benchmarks.leaderboard.learning import Learner, Recipe, Task, main
from monai.networks.nets import VarAutoEncoder
from torch import Tensor, nn


class MonaiVae(nn.Module):
    """The autoencoder, and a head of two dense layers that sees the latent mean and the law."""

    def __init__(
        self,
        n: int,
        laws: int,
        properties: int,
        widths: list[int],
        latent: int,
        dense: int,
        norm: str,
    ):
        super().__init__()
        self.vae = VarAutoEncoder(
            3,
            (1, n, n, n),
            1,
            latent,
            channels=widths,
            strides=[2] * len(widths),
            norm=norm,
            use_sigmoid=False,
        )
        self.head = nn.Sequential(
            nn.Linear(latent + laws, dense),
            nn.ReLU(),
            nn.Linear(dense, dense),
            nn.ReLU(),
            nn.Linear(dense, properties),
        )

    def forward(self, voxels: Tensor, laws: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Logits of the voxels, latent mean and logarithm of its variance, properties."""
        logits, mean, log_var, _ = self.vae(voxels[:, None])
        return logits[:, 0], mean, log_var, self.head(torch.cat([mean, laws], dim=1))

    def predict(self, voxels: Tensor, laws: Tensor) -> Tensor:
        """The properties alone, without the decoder."""
        mean, _ = self.vae.encode_forward(voxels[:, None])
        return self.head(torch.cat([mean, laws], dim=1))


class Autoencoder(Learner):
    """A PyTorch model and its optimizer. The loss of an SVE is the cross entropy of its voxels, the
    KL divergence and, times `property_weight`, half the squared error of its properties.
    """

    def __init__(self, recipe: Recipe, task: Task):
        torch.manual_seed(recipe.seed)
        torch.set_flush_denormal(True)
        sizes = task.n, task.laws.shape[-1], task.targets.shape[-1]
        model = dict(recipe.model)
        self.property_weight = model.pop("property_weight")
        self.seed, self.steps = recipe.seed, 0
        self.model = MonaiVae(*sizes, **model)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), recipe.rate, weight_decay=recipe.weight_decay, fused=True
        )

    def step(self, voxels: np.ndarray, laws: np.ndarray, targets: np.ndarray, rate: float) -> float:
        self.steps += 1
        torch.manual_seed(self.seed + self.steps)  # the noise of the latent code
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        x, law, y = (torch.from_numpy(each) for each in (voxels, laws, targets))
        logits, mean, log_var, found = self.model.train()(x, law)
        reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
        kl = 0.5 * torch.sum(log_var.exp() + mean.square() - 1 - log_var) / len(x)
        error = F.mse_loss(found, y)
        self.optimizer.zero_grad()
        loss = reconstruction + kl + self.property_weight * 0.5 * y.shape[1] * error
        loss.backward()
        self.optimizer.step()
        return error.item()

    @torch.inference_mode()
    def predict(self, voxels: np.ndarray, laws: np.ndarray) -> np.ndarray:
        x, law = torch.from_numpy(voxels), torch.from_numpy(laws)
        return self.model.eval().predict(x, law).numpy()

    def state(self) -> dict[str, np.ndarray]:
        content = io.BytesIO()
        torch.save([self.model.state_dict(), self.optimizer.state_dict(), self.steps], content)
        return {"torch": np.frombuffer(content.getvalue(), np.uint8)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        model, optimizer, self.steps = torch.load(io.BytesIO(state["torch"].tobytes()))
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict(optimizer)


if __name__ == "__main__":
    main(Autoencoder)
