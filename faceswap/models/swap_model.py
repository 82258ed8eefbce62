"""A trained model: its spec, its network, and `swap`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from faceswap.device import Compute, choose_compute
from faceswap.errors import ShapeError, UsageError
from faceswap.models.checkpoint import Checkpoint, find_checkpoint
from faceswap.models.likeness import Likeness, from_document, rebuild_scores
from faceswap.models.network import SwapNetwork
from faceswap.models.registry import build_network
from faceswap.models.spec import SwapSpec
from faceswap.types import CropSpec, SwapOutput


class SwapModel:
    """Swaps aligned patches to any of its identities."""

    def __init__(
        self,
        spec: SwapSpec,
        network: SwapNetwork,
        compute: Compute,
        manifest_sha256: str,
        rejected: tuple[str, ...] = (),
        likeness: Mapping[str, Likeness] | None = None,
    ) -> None:
        self.spec, self.compute, self.manifest_sha256 = spec, compute, manifest_sha256
        self.rejected = rejected
        """Newer checkpoints that were passed over because they do not verify, and why."""
        self.likeness: Mapping[str, Likeness] = likeness or {}
        """By identity: what `rebuild_scores` mean; empty when the model does not say it."""
        # Weights are cast once here: autocast would cast them again in every pass (2.3 times slower on CPUs).
        self._network = compute.place(network.to(compute.dtype)).eval()

    def __repr__(self) -> str:
        network = self.spec.network
        return f"SwapModel({network.name} {network.size} px, {', '.join(self.identities)}, on {self.compute})"

    @property
    def identities(self) -> tuple[str, ...]:
        return self.spec.identities

    @property
    def crop(self) -> CropSpec:
        return self.spec.crop_spec

    @classmethod
    def load(cls, path: Path | str, *, device: str = "auto", precision: str = "auto") -> SwapModel:
        """Load the newest checkpoint that verifies from a model folder (or one checkpoint folder), or a .dfm or .onnx file.

        Raises:
            CheckpointError: none verifies. UnsupportedInputError: a file of no known kind. DeviceError: no such device.
        """
        if Path(path).suffix in (".dfm", ".onnx"):
            from faceswap.models.onnx_model import load_onnx

            return load_onnx(Path(path), choose_compute(device, "fp32"))
        checkpoint = find_checkpoint(Path(path))
        return cls.from_checkpoint(checkpoint, choose_compute(device, precision))

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, compute: Compute) -> SwapModel:
        """Build the model of a verified checkpoint with its averaged (EMA) weights."""
        spec = checkpoint.spec
        network = build_network(spec.network, len(spec.identities))
        network.load_state_dict(checkpoint.tensors("ema"))
        likeness = from_document(checkpoint.document("likeness") if checkpoint.has("likeness") else {})
        return cls(spec, network, compute, checkpoint.manifest_sha256, checkpoint.rejected, likeness)

    def index_of(self, identity: str) -> int:
        """Return an identity's number.

        Raises:
            UsageError: the model does not know it.
        """
        if identity not in self.identities:
            raise UsageError(f"the model knows {', '.join(map(repr, self.identities))}, not {identity!r}")
        return self.identities.index(identity)

    @torch.inference_mode()
    def swap(self, patches: Tensor, *, to: str, morph: float = 1.0) -> SwapOutput:
        """Return the patches as the identity `to`.

        Args:
            patches: (B, 3, S, S) float32 RGB [0, 1], any device.
            morph: share of the identity's looks, [0, 1]; the rest stays the target's. Below 1 for `amp` only.

        Raises:
            ShapeError: another size than the model's crop. UsageError: unknown identity, or a morph that is not possible.
        """
        self._require_morph(morph)
        options = {"morph": morph} if morph < 1 else {}
        pixels, mask = self._network(self._on_device(patches), self.index_of(to), **options)
        return SwapOutput(pixels.float(), mask.float())

    def network_copy(self) -> SwapNetwork:
        """Return the network on the CPU in float32, its parameters not shared with the model's."""
        network = build_network(self.spec.network, len(self.identities))
        network.load_state_dict({name: value.cpu().float() for name, value in self._network.state_dict().items()})
        return network.eval()

    def rebuild_scores(self, patches: Tensor) -> Tensor:
        """Return how well each identity's decoder rebuilds each face (`likeness`), (B, N) float32 on the CPU.

        Args:
            patches: (B, 3, S, S) float32 RGB [0, 1], any device.

        Raises:
            ShapeError: another size than the model's crop.
        """
        return rebuild_scores(self._network, self._on_device(patches), self.crop)

    @property
    def has_morph(self) -> bool:
        """True when `swap` listens to `morph`."""
        return self._network.has_morph

    def _require_morph(self, morph: float) -> None:
        if not 0 <= morph <= 1:
            raise UsageError(f"morph is {morph:g}; allowed: 0 (the target's looks) to 1 (the source's)")
        if morph < 1 and not self.has_morph:
            raise UsageError(f"the network {self.spec.network.name!r} has no morph; train an 'amp' to have it")

    def _require_size(self, patches: Tensor) -> None:
        size = self.crop.size
        if patches.shape[1:] != (3, size, size):
            raise ShapeError(f"patches of shape {tuple(patches.shape)} do not fit a model of (B, 3, {size}, {size})")

    def _on_device(self, patches: Tensor) -> Tensor:
        self._require_size(patches)
        on_device = patches.to(self.compute.device, self.compute.dtype)
        return on_device.contiguous(memory_format=self.compute.memory_format)
