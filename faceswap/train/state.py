"""All that changes during training, and how it is saved and brought back exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

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
from faceswap.train.carry import Carried, carry, parts_of
from faceswap.train.config import TrainConfig
from faceswap.train.critic import Critic
from faceswap.train.memory import Relief
from faceswap.train.moments import load_moments, moments_of
from faceswap.train.optimizer import AdamW
from faceswap.train.schedule import Place, stages_of
from faceswap.train.watch import Scored


@dataclass(slots=True)
class TrainState:
    """Weights, their average, the optimiser, the random generator, and the counters."""

    spec: SwapSpec
    network: SwapNetwork
    ema: dict[str, Tensor]
    """Exponential moving average of the weights: what conversion uses."""
    optimizer: AdamW
    generator: torch.Generator
    """On the CPU: draws are the same on every device."""
    scaler: torch.amp.GradScaler
    """Keeps fp16 gradients in range; without fp16 it does nothing."""
    critic: Critic | None = None
    """The discriminator, once a stage has used one."""
    step: int = 0
    seconds: float = 0.0
    """Spent training, over all runs."""
    loss: float = 0.0
    """As last read back."""
    place: Place = field(default_factory=Place)
    """In the stages."""
    rate_factor: float = 1.0
    """Of the learning rate: halved by each roll-back."""
    relief: Relief = field(default_factory=Relief)
    history: tuple[Scored, ...] = ()
    """Scores so far, oldest first."""
    consents: Mapping[str, tuple[ConsentRecord, ...]] = field(default_factory=dict)
    """Of the facesets, by identity; saved with the weights, not brought back."""

    @classmethod
    def create(cls, spec: SwapSpec, config: TrainConfig, compute: Compute) -> TrainState:
        """Return a fresh state; the seed decides every random number of the run."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            network = build_network(spec.network, len(spec.identities))
        network = compute.place(network)
        ema = {name: value.detach().clone() for name, value in network.state_dict().items()}
        scaler = torch.amp.GradScaler(compute.device.type, enabled=compute.dtype is torch.float16)
        generator = torch.Generator().manual_seed(config.seed)
        relief = Relief(config.accumulate, config.save_memory)
        return cls(spec, network, ema, _optimizer(network, config), generator, scaler, relief=relief)

    @classmethod
    def restore(cls, checkpoint: Checkpoint, spec: SwapSpec, config: TrainConfig, compute: Compute) -> TrainState:
        """Return the state of a checkpoint.

        Raises:
            UsageError: the checkpoint belongs to another network, crop or set of identities.
        """
        sizes = {stage.size or spec.network.size for stage in stages_of(config)}
        in_stage = sized(spec, checkpoint.spec.network.size)
        if checkpoint.spec != in_stage or in_stage.network.size not in sizes:
            raise UsageError(
                f"{checkpoint.path.parent} was trained as {_describe(checkpoint.spec)}, this run asks for {_describe(spec)}; "
                "use the same recipe and facesets, or another -m folder"
            )
        state = cls.create(in_stage, config, compute)
        state.network.load_state_dict(checkpoint.tensors("weights"))
        for name, value in checkpoint.tensors("ema").items():
            state.ema[name].copy_(value)
        load_moments(state.network, state.optimizer, checkpoint.tensors("optimizer"))
        state.generator.set_state(checkpoint.tensors("state")["generator"])
        progress = checkpoint.document("progress")
        state.step, state.seconds, state.loss = progress["step"], progress["seconds"], progress["loss"]
        state.place = Place(**progress.get("place", {}))
        state.rate_factor = progress.get("rate_factor", 1.0)
        state.relief = Relief(**progress["relief"]) if "relief" in progress else state.relief
        state.history = tuple(Scored(**row) for row in progress.get("history", ()))
        if progress.get("scaler"):
            state.scaler.load_state_dict(progress["scaler"])
        if checkpoint.has_tensors("critic"):
            state.critic = Critic.create(config.seed, config.learning_rate, compute)
            state.critic.load(checkpoint.tensors("critic"))
        return state

    def resized(self, size: int, config: TrainConfig, compute: Compute) -> Carried:
        """Go on as a network of another size, in place; the optimiser starts anew."""
        fresh = TrainState.create(sized(self.spec, size), config, compute)
        carry(fresh.network, self.ema)
        averaged = {name: value.clone() for name, value in fresh.network.state_dict().items()}
        carried = carry(fresh.network, self.network.state_dict())
        self.spec, self.network, self.ema, self.optimizer = fresh.spec, fresh.network, averaged, fresh.optimizer
        self.critic = None
        return carried

    def reset(self, parts: Sequence[str], config: TrainConfig, compute: Compute) -> None:
        """Begin parts of the network anew, in place."""
        names = parts_of(self.network, parts)
        seed = config.seed + 1 + self.place.stage
        fresh = TrainState.create(self.spec, config.model_copy(update={"seed": seed}), compute).network.state_dict()
        own = self.network.state_dict()
        for name in names:
            own[name].copy_(fresh[name])
            self.ema[name].copy_(fresh[name])
        for name, parameter in self.network.named_parameters():
            if name in names:
                self.optimizer.state.pop(parameter, None)

    def start_from_average(self) -> None:
        """Let the weights be their average: the calmer start of a last stage."""
        self.network.load_state_dict(self.ema)

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
            "optimizer": moments_of(self.network, self.optimizer),
            "state": {"generator": self.generator.get_state()},
        }
        if self.critic:
            tensors["critic"] = self.critic.tensors()
        documents = {
            "spec": self.spec.model_dump(mode="json"),
            "train": config.model_dump(mode="json"),
            "progress": self._progress(),
        }
        if self.consents:
            documents["consent"] = by_identity(self.consents)
        if likeness:
            documents["likeness"] = to_document(likeness)
        return save_checkpoint(model, self.step, tensors, documents, keep=config.keep_checkpoints)

    def _progress(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "seconds": round(self.seconds, 3),
            "loss": self.loss,
            "place": self.place.to_document(),
            "rate_factor": self.rate_factor,
            "relief": asdict(self.relief),
            "history": [asdict(row) for row in self.history],
            "scaler": self.scaler.state_dict(),
        }


def sized(spec: SwapSpec, size: int) -> SwapSpec:
    """Return a spec with another size of its network."""
    return spec.model_copy(update={"network": spec.network.model_copy(update={"size": size})})


def _optimizer(network: SwapNetwork, config: TrainConfig) -> AdamW:
    device = next(network.parameters()).device
    is_gpu = device.type == "cuda"
    rate = torch.tensor(config.learning_rate, device=device) if is_gpu else config.learning_rate
    return AdamW(network.parameters(), lr=rate, betas=(0.5, 0.99), weight_decay=config.weight_decay, capturable=is_gpu)


def _describe(spec: SwapSpec) -> str:
    network = spec.network
    return f"{network.name}-{network.size}{network.options} {spec.crop.coverage} of {'+'.join(spec.identities)}"
