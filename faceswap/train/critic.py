"""The discriminator of the last stage, with its own optimiser."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceswap.device import Compute
from faceswap.models.discriminator import Discriminator
from faceswap.train.losses import Truth
from faceswap.train.moments import load_moments, moments_of
from faceswap.train.optimizer import AdamW


@dataclass(slots=True, eq=False)
class Critic:
    """Tells real faces from made ones."""

    network: Discriminator
    optimizer: AdamW

    @classmethod
    def create(cls, seed: int, rate: float, compute: Compute) -> Critic:
        """Return a fresh one."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = compute.place(Discriminator())
        return cls(network, AdamW(network.parameters(), lr=rate, betas=(0.5, 0.99)))

    def tensors(self) -> dict[str, Tensor]:
        """Return everything that a checkpoint has to hold."""
        weights = {f"weights/{name}": value.cpu() for name, value in self.network.state_dict().items()}
        return weights | moments_of(self.network, self.optimizer)

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take over what `tensors` gave."""
        prefix = "weights/"
        weights = {name.removeprefix(prefix): v for name, v in tensors.items() if name.startswith(prefix)}
        self.network.load_state_dict(weights)
        load_moments(self.network, self.optimizer, tensors)

    def opinion_loss(self, face: Tensor, truth: Truth, compute: Compute) -> Tensor:
        """Return how unreal the made faces look, a scalar with gradients for them alone."""
        self.network.requires_grad_(False)
        with compute.autocast():
            opinions = self.network(_framed(face, truth, compute))
        self.network.requires_grad_(True)
        return sum((functional.softplus(-opinion).mean() for opinion in opinions), face.new_zeros(()))

    def learn(self, face: Tensor, truth: Truth, rate: float, compute: Compute, judge: nn.Module | None = None) -> None:
        """Take one step towards telling these faces apart.

        Args:
            judge: what runs the network and averages its gradients over several processes; None = the network itself.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        pictures = torch.cat([truth.face, _framed(face.detach(), truth, compute)])
        with compute.autocast():
            opinions = (judge or self.network)(pictures.contiguous(memory_format=compute.memory_format))
        loss = face.new_zeros(())
        for opinion in opinions:
            real, made = opinion.chunk(2)
            loss = loss + functional.softplus(-real).mean() + functional.softplus(made).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()


def _framed(face: Tensor, truth: Truth, compute: Compute) -> Tensor:
    """Return the face within its real surroundings, so that only the face is judged."""
    return torch.lerp(truth.face, face, truth.outline).contiguous(memory_format=compute.memory_format)
