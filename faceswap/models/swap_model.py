"""A trained model: its spec, its network, and `swap`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceswap.device import Compute, choose_compute
from faceswap.errors import ShapeError, UsageError
from faceswap.models.checkpoint import Checkpoint, find_checkpoint
from faceswap.models.likeness import Likeness, from_document, rebuild_scores
from faceswap.models.network import SwapNetwork
from faceswap.models.registry import build_network
from faceswap.models.runners import Runner, checked_runner, make_runner, usual_runner
from faceswap.models.spec import SwapSpec
from faceswap.provenance.consent import ConsentRecord, as_records
from faceswap.types import CropSpec, SwapOutput

_ORIGINAL = (torch.device("cpu"), torch.float32)
"""Where the weights are as they were loaded."""
_USUAL_BATCH = 8


class SwapModel:
    """Swaps aligned patches to any of its identities."""

    has_runners = False
    """True when there is a choice of what runs the network; kinds of models that bring their own leave it so."""
    batch: int | None = None
    """Patches that are to come together, at most; None = as many as one likes."""
    _runner_name = "its own"

    def __init__(
        self,
        spec: SwapSpec,
        network: SwapNetwork,
        compute: Compute,
        manifest_sha256: str,
        rejected: tuple[str, ...] = (),
        likeness: Mapping[str, Likeness] | None = None,
        consents: Mapping[str, tuple[ConsentRecord, ...]] | None = None,
    ) -> None:
        self.spec, self.compute, self.manifest_sha256 = spec, compute, manifest_sha256
        self.rejected = rejected
        """Newer checkpoints that were passed over because they do not verify, and why."""
        self.likeness: Mapping[str, Likeness] = likeness or {}
        """By identity: what `rebuild_scores` mean; empty when the model does not say it."""
        self.consents: Mapping[str, tuple[ConsentRecord, ...]] = consents or {}
        """By identity: the records its facesets were taken under, as they were then."""
        # Cast once for each type that is used: autocast would cast weights again in every pass (2.3 times slower on CPUs).
        original: SwapNetwork = network.float().to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self._networks = {_ORIGINAL: original}
        self.has_runners, self._runner_name = True, usual_runner(compute)
        self._runner: Runner | None = None

    def __repr__(self) -> str:
        network = self.spec.network
        return f"SwapModel({network.name} {network.size} px, {', '.join(self.identities)}, on {self.compute})"

    def __getstate__(self) -> dict[str, Any]:
        # Runners hold what cannot travel to another process; each process makes its own.
        return {**self.__dict__, "_runner": None}

    @property
    def runner(self) -> str:
        """Name of what runs the network, like "torch-bf16"."""
        return self._runner_name

    def use_runner(self, name: str, batch: int = _USUAL_BATCH) -> None:
        """Run the network another way from now on.

        Args:
            name: see `models.runners`. batch: patches that usually come together; some runners always work on so many.

        Raises:
            UsageError: there is no such runner on this device.
        """
        self._runner_name, self.batch, self._runner = checked_runner(name, self.compute), batch, None

    def new_runner(self, name: str, batch: int) -> Runner:
        """Return a runner of the network beside the one in use; args as in `use_runner`.

        Raises:
            FaceswapError: it cannot be had here.
        """
        return make_runner(checked_runner(name, self.compute), self._network, self.compute, self.crop.size, batch)

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
        consent = checkpoint.document("consent") if checkpoint.has("consent") else {}
        consents = {name: as_records(records, str(checkpoint.path)) for name, records in consent.items()}
        return cls(spec, network, compute, checkpoint.manifest_sha256, checkpoint.rejected, likeness, consents)

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
            FaceswapError: the runner that was asked for cannot be had here.
        """
        self._require_size(patches)
        self._require_morph(morph)
        number = self.index_of(to)
        if self._runner is None:
            self._runner = self.new_runner(self._runner_name, self.batch or _USUAL_BATCH)
        return SwapOutput(*self._runner(patches, number, **({"morph": morph} if morph < 1 else {})))

    def network_copy(self) -> SwapNetwork:
        """Return the network on the CPU in float32, its parameters not shared with the model's."""
        return copy.deepcopy(self._networks[_ORIGINAL])

    def rebuild_scores(self, patches: Tensor) -> Tensor:
        """Return how well each identity's decoder rebuilds each face (`likeness`), (B, N) float32 on the CPU.

        Args:
            patches: (B, 3, S, S) float32 RGB [0, 1], any device.

        Raises:
            ShapeError: another size than the model's crop.
        """
        self._require_size(patches)
        dtype = self.compute.dtype
        return rebuild_scores(self._network(dtype), self.compute.placed(patches, dtype), self.crop)

    @property
    def has_morph(self) -> bool:
        """True when `swap` listens to `morph`."""
        return self._networks[_ORIGINAL].has_morph

    def _require_morph(self, morph: float) -> None:
        if not 0 <= morph <= 1:
            raise UsageError(f"morph is {morph:g}; allowed: 0 (the target's looks) to 1 (the source's)")
        if morph < 1 and not self.has_morph:
            raise UsageError(f"the network {self.spec.network.name!r} has no morph; train an 'amp' to have it")

    def _require_size(self, patches: Tensor) -> None:
        size = self.crop.size
        if patches.shape[1:] != (3, size, size):
            raise ShapeError(f"patches of shape {tuple(patches.shape)} do not fit a model of (B, 3, {size}, {size})")

    def _network(self, dtype: torch.dtype) -> SwapNetwork:
        """Return the network on its device with weights of a type."""
        device = self.compute.device
        if (device, dtype) not in self._networks:
            network = copy.deepcopy(self._networks[_ORIGINAL])
            self._networks[device, dtype] = self.compute.place(network.to(dtype))
        return self._networks[device, dtype]
