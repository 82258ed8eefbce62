"""All that changes during training, and how it is saved and brought back exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from faceswap.device import Compute
from faceswap.errors import UsageError
from faceswap.models.checkpoint import Checkpoint, save_checkpoint
from faceswap.models.likeness import Likeness, to_document
from faceswap.models.network import SwapNetwork
from faceswap.models.registry import build_network
from faceswap.models.spec import SwapSpec
from faceswap.provenance.consent import ConsentRecord
from faceswap.provenance.consent_rules import by_identity
from faceswap.train.config import TrainConfig


@dataclass(slots=True)
class TrainState:
    """Weights, their average, the optimiser, the random generator, and the counters."""

    spec: SwapSpec
    network: SwapNetwork
    ema: dict[str, Tensor]
    """Exponential moving average of the weights: what conversion uses."""
    optimizer: torch.optim.AdamW
    generator: torch.Generator
    """On the CPU: draws are the same on every device."""
    step: int = 0
    seconds: float = 0.0
    """Spent training, over all runs."""
    loss: float = 0.0
    """As last read back."""
    consents: Mapping[str, tuple[ConsentRecord, ...]] = field(default_factory=dict)
    """Of the facesets, by identity; saved with the weights, not brought back."""

    @classmethod
    def create(cls, spec: SwapSpec, config: TrainConfig, compute: Compute) -> TrainState:
        """Return a fresh state; the seed decides every random number of the run."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            network = build_network(spec.network, len(spec.identities))
        network = compute.place(network)
        optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=config.learning_rate,
            betas=(0.5, 0.99),
            weight_decay=config.weight_decay,
            fused=True,
        )
        ema = {name: value.detach().clone() for name, value in network.state_dict().items()}
        return cls(spec, network, ema, optimizer, torch.Generator().manual_seed(config.seed))

    @classmethod
    def restore(cls, checkpoint: Checkpoint, spec: SwapSpec, config: TrainConfig, compute: Compute) -> TrainState:
        """Return the state of a checkpoint.

        Raises:
            UsageError: the checkpoint belongs to another network, crop or set of identities.
        """
        if checkpoint.spec != spec:
            raise UsageError(
                f"{checkpoint.path.parent} was trained as {_describe(checkpoint.spec)}, this run asks for {_describe(spec)}; "
                "use the same recipe and facesets, or another -m folder"
            )
        state = cls.create(spec, config, compute)
        state.network.load_state_dict(checkpoint.tensors("weights"))
        for name, value in checkpoint.tensors("ema").items():
            state.ema[name].copy_(value)
        _load_optimizer(state, checkpoint.tensors("optimizer"))
        state.generator.set_state(checkpoint.tensors("state")["generator"])
        progress = checkpoint.document("progress")
        state.step, state.seconds, state.loss = progress["step"], progress["seconds"], progress["loss"]
        return state

    def update_ema(self, decay: float) -> None:
        """Move the average towards the weights; it follows faster while young."""
        weight = 1 - min(decay, (1 + self.step) / (10 + self.step))
        current = self.network.state_dict()
        names = list(self.ema)
        torch._foreach_lerp_([self.ema[n] for n in names], [current[n] for n in names], weight)

    @contextmanager
    def averaged(self) -> Iterator[SwapNetwork]:
        """Give the network with its averaged weights, for a while."""
        weights = {name: value.clone() for name, value in self.network.state_dict().items()}
        was_training = self.network.training
        self.network.load_state_dict(self.ema)
        self.network.eval()
        try:
            yield self.network
        finally:
            self.network.load_state_dict(weights)
            self.network.train(was_training)

    def save(self, model: Path, config: TrainConfig, likeness: Mapping[str, Likeness] | None = None) -> Checkpoint:
        """Publish a checkpoint of this moment.

        Args:
            likeness: what the averaged weights' figures mean (`train.likeness`); None = not measured.
        """
        tensors = {
            "weights": {name: value.cpu() for name, value in self.network.state_dict().items()},
            "ema": {name: value.cpu() for name, value in self.ema.items()},
            "optimizer": _optimizer_tensors(self),
            "state": {"generator": self.generator.get_state()},
        }
        documents = {
            "spec": self.spec.model_dump(mode="json"),
            "train": config.model_dump(mode="json"),
            "progress": {"step": self.step, "seconds": round(self.seconds, 3), "loss": self.loss},
        }
        if self.consents:
            documents["consent"] = by_identity(self.consents)
        if likeness:
            documents["likeness"] = to_document(likeness)
        return save_checkpoint(model, self.step, tensors, documents, keep=config.keep_checkpoints)


_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def _optimizer_tensors(state: TrainState) -> dict[str, Tensor]:
    return {
        f"{name}/{moment}": state.optimizer.state[parameter][moment].detach().cpu()
        for name, parameter in state.network.named_parameters()
        if parameter in state.optimizer.state
        for moment in _MOMENTS
    }


def _load_optimizer(state: TrainState, tensors: dict[str, Tensor]) -> None:
    for name, parameter in state.network.named_parameters():
        if f"{name}/step" not in tensors:
            continue
        # Moments get the parameter's own memory layout, so that a resumed run computes in the same order.
        moments = {m: torch.empty_like(parameter).copy_(tensors[f"{name}/{m}"]) for m in _MOMENTS[:2]}
        state.optimizer.state[parameter] = {**moments, "step": tensors[f"{name}/step"].to(parameter.device)}


def _describe(spec: SwapSpec) -> str:
    network = spec.network
    return f"{network.name}-{network.size}{network.options} {spec.crop.coverage} of {'+'.join(spec.identities)}"
