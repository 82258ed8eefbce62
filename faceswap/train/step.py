"""One training step: all identities in one pass through the shared encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from faceswap.device import Compute
from faceswap.errors import ResourceError
from faceswap.models.network import SwapNetwork
from faceswap.train.augment import Batch
from faceswap.train.carry import parts_of
from faceswap.train.config import StageSettings, TrainConfig
from faceswap.train.distributed import ALONE, Team
from faceswap.train.draws import uniform
from faceswap.train.losses import Truth, swap_loss
from faceswap.train.memory import is_out_of_memory
from faceswap.train.state import TrainState

_MAX_GRADIENT = 1.0
"""Norm over all weights. A single odd batch can otherwise throw a network at a high rate so far that it never comes back."""


class AllIdentities(nn.Module):
    """A network's pass over the inputs of all identities, as one module: what shares gradients has to see it whole."""

    def __init__(self, network: SwapNetwork) -> None:
        super().__init__()
        self.network = network
        self.encode, self.decode = network.encode, network.decode
        """An engine may put compiled forms here."""

    def forward(self, inputs: Tensor, num_identities: int, saves_memory: bool) -> tuple[Tensor, Tensor]:
        """(N·B, 3, S, S), N identities one after the other -> their faces and masks, float32.

        Args:
            saves_memory: inner values are computed again for the gradients instead of kept.
        """
        if saves_memory:
            codes = checkpoint(self.encode, inputs, use_reentrant=False).chunk(num_identities)
            outputs = [checkpoint(self.decode, code, i, use_reentrant=False) for i, code in enumerate(codes)]
        else:
            codes = self.encode(inputs).chunk(num_identities)
            outputs = [self.decode(code, identity) for identity, code in enumerate(codes)]
        face, mask = (torch.cat(parts).float() for parts in zip(*outputs, strict=True))
        return face, mask


class Stepper:
    """Updates a state, batch by batch, as a stage says.

    Args:
        team: its processes hold the same state, and a part of each batch.
        identity_loss: of rebuilt and real faces; None = none.
        on_note: told when memory was short, and what was done.
    """

    def __init__(
        self,
        state: TrainState,
        config: TrainConfig,
        compute: Compute,
        stage: StageSettings | None = None,
        *,
        team: Team = ALONE,
        identity_loss: Callable[[Tensor, Tensor], Tensor] | None = None,
        on_note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.state, self._config, self._compute = state, config, compute
        self._stage, self._team = stage or StageSettings(), team
        self._identity_loss, self._on_note = identity_loss, on_note
        frozen = set(parts_of(state.network, self._stage.freeze))
        for name, parameter in state.network.named_parameters():
            parameter.requires_grad_(name not in frozen)
        self.rebuild = AllIdentities(state.network)
        self._rebuild = team.wrapped(self.rebuild)
        self._judge = team.wrapped(state.critic.network) if state.critic and self._stage.gan else None

    def __call__(self, batches: Sequence[Batch], rate: float) -> Tensor:
        """Update the weights once; return the loss over all identities as a scalar tensor, not yet read back.

        It is no number when the gradients are none: the weights are spoilt then.

        Raises:
            ResourceError: out of memory, and nothing is left to do about it.
        """
        batches = self.prepared(batches)
        self.set_rate(rate)
        while True:
            try:
                loss = self.gradients(batches, rate)
                break
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if self._team.size > 1:  # the others are in the middle of the step, and cannot begin it again
                    raise ResourceError(
                        f"out of memory at step {self.state.step}, and {self._team.size} processes cannot change the step "
                        "while they are in it; start with --set save_memory=true, --set accumulate=2 or a smaller batch"
                    ) from error
            # Outside `except`: the error holds on to everything that was computed.
            self.state.relief, done = self.state.relief.more(len(batches[0].inputs))
            if self._compute.device.type == "cuda":
                torch.cuda.empty_cache()
            self._on_note(f"out of memory at step {self.state.step}: {done}")
        return self.finished(self.update(loss))

    def prepared(self, batches: Sequence[Batch]) -> Sequence[Batch]:
        """Return the batches as the stage wants them."""
        return self._with_pairs(batches) if self._stage.pairs and len(batches) > 1 else batches

    def set_rate(self, rate: float) -> None:
        """Set the learning rate."""
        for group in self.state.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):  # on GPUs: a recorded step reads it there
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def finished(self, loss: Tensor) -> Tensor:
        """Count the step and move the average."""
        self.state.step += 1
        self.state.update_ema(self._config.ema_decay)
        return loss

    def gradients(self, batches: Sequence[Batch], rate: float) -> Tensor:
        """Leave the gradients of a batch in the parameters, computed in as many parts as needed; return its loss."""
        state = self.state
        state.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self._compute.device)
        count = len(batches[0].inputs)
        parts = torch.arange(count).chunk(min(state.relief.parts, count))
        for number, rows in enumerate(parts, 1):
            part = [_rows(batch, slice(int(rows[0]), int(rows[-1]) + 1)) for batch in batches]
            with self._team.quiet(self._rebuild) if number < len(parts) else nullcontext():
                loss = self._loss(part, rate) * (len(rows) / count)
                state.scaler.scale(loss).backward()
            total = total + loss.detach()
        return total

    def update(self, loss: Tensor) -> Tensor:
        """Move the weights by their gradients; return the loss, which is no number when they are none."""
        state = self.state
        state.scaler.unscale_(state.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(state.network.parameters(), _MAX_GRADIENT)
        state.scaler.step(state.optimizer)
        state.scaler.update()
        if state.scaler.is_enabled():  # it has left out a step whose gradients went out of range
            return loss
        return torch.where(torch.isfinite(norm), loss, torch.nan)

    def _loss(self, batches: Sequence[Batch], rate: float) -> Tensor:
        inputs = torch.cat([batch.inputs for batch in batches]).contiguous(memory_format=self._compute.memory_format)
        # One loss over all identities: half the small operations of one loss each.
        with self._compute.autocast():
            face, mask = self._rebuild(inputs, len(batches), self.state.relief.saves_memory)
        truth = _truth(batches)
        loss = swap_loss(face, mask, truth, self._config.loss)
        if self._identity_loss is not None:
            loss = loss + self._config.loss.identity * self._identity_loss(face, truth.face)
        if self._judge is not None and self.state.critic:
            critic = self.state.critic
            loss = loss + self._stage.gan * critic.opinion_loss(face, truth, self._compute)
            critic.learn(face, truth, rate, self._compute, self._judge)
        return loss

    def _with_pairs(self, batches: Sequence[Batch]) -> list[Batch]:
        """Return the batches with some inputs turned into another identity by the averaged network.

        The roles are reversed: what the network is shown is made, what it has to give is real.
        """
        results = []
        for number, batch in enumerate(batches):
            other = (number + 1 + self.state.step % max(1, len(batches) - 1)) % len(batches)
            count = len(batch.inputs) * self._team.size
            numbers = uniform((count,), self.state.generator, batch.inputs.device)[self._team.own(count)]
            chosen = numbers < self._stage.pairs
            inputs = batch.inputs.contiguous(memory_format=self._compute.memory_format)
            with torch.no_grad(), self._compute.autocast():
                made, mask = torch.func.functional_call(self.state.network, self.state.ema, (inputs, other))
            alpha = mask.float() * batch.outline * chosen.view(-1, 1, 1, 1)
            results.append(replace(batch, inputs=torch.lerp(batch.inputs, made.float(), alpha)))
        return results


def _truth(batches: Sequence[Batch]) -> Truth:
    regions = [batch.regions for batch in batches if batch.regions is not None]
    return Truth(
        torch.cat([batch.truth for batch in batches]),
        torch.cat([batch.mask for batch in batches]),
        torch.cat([batch.outline for batch in batches]),
        torch.cat(regions) if regions else None,
    )


def _rows(batch: Batch, rows: slice) -> Batch:
    face, regions = (None if part is None else part[rows] for part in (batch.face, batch.regions))
    return Batch(batch.inputs[rows], batch.truth[rows], batch.mask[rows], face, regions)
