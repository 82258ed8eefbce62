"""A conversion while it runs, what its segments depend on, and what is said of it in the end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceswap import __version__
from faceswap.convert.casting import Casting
from faceswap.convert.config import CASTING_SETTINGS
from faceswap.convert.mask_files import files_used
from faceswap.convert.plan import ConvertPlan
from faceswap.convert.smart import CopyPlan
from faceswap.errors import (
    FaceswapError,
    InterruptedRunError,
    UsageError,
)
from faceswap.faces.cache import index_digest
from faceswap.files import file_state
from faceswap.interrupt import StopRequest
from faceswap.media.libraries import library_versions
from faceswap.models.probe import RunnerChoice
from faceswap.models.swap_model import SwapModel
from faceswap.progress import OnProgress, Progress, StageTimes
from faceswap.provenance.mark_id import id_text, mark_id
from faceswap.provenance.signer import installation_signer


@dataclass(frozen=True, slots=True)
class ConvertRun:
    """One conversion while it runs."""

    plan: ConvertPlan
    models: tuple[SwapModel, ...]
    jobs: int
    overwrite: bool
    times: StageTimes
    on_progress: OnProgress
    stop: StopRequest

    def watch(self, stage: str, done: int, total: int) -> None:
        """Report progress of a stage after rendering.

        Raises:
            InterruptedRunError: a signal came; all segments are finished.
        """
        self.on_progress(Progress(stage, done, total))
        if self.stop:
            raise InterruptedRunError(
                f"stopped while putting {self.plan.output} together; all of it is rendered and kept in "
                f"{self.plan.work_path}; repeat the command to go on from there",
                self.stop.signal_number,
            )


@dataclass(frozen=True, slots=True)
class Made:
    """What there is to say of a finished output."""

    notes: tuple[str, ...]
    checks: Mapping[str, str]
    delivered: tuple[Path, ...]
    """Everything that was written, the clip first."""
    frames: tuple[int, int]
    """The source's frames that are in it, half-open."""
    num_copied: int
    """Frames that are the source's own packets."""
    num_resumed: int
    """Frames that an earlier run had finished."""
    watermark: str | None
    """Id in the frames, ten hexadecimal digits; None = they have none."""
    runners: tuple[RunnerChoice, ...] = ()
    """What ran the network of each model."""


def job_facts(run: ConvertRun, casting: Casting, copies: CopyPlan | None) -> dict[str, Any]:
    """Return everything that the segments depend on: a work folder with other facts is of no use."""
    plan = run.plan
    facts = {
        "version": __version__,
        "source": plan.fingerprint,
        "source_mtime_ns": plan.input_state[2],
        "faces": index_digest(plan.index_path),
        "models": [model.manifest_sha256 for model in run.models],
        "compute": str(run.models[0].compute),
        "runners": [[model.runner, model.batch] for model in run.models],
        "casting": casting.facts(run.models),
        "config": plan.config.model_dump(mode="json", exclude={*CASTING_SETTINGS, "figures", "runner"}),
        "encoder": {"name": plan.encode.codec, "pix_fmt": plan.encode.pix_fmt, **plan.encode.options},
        "files": files_used(plan.config),
        "mark": plan.with_id("").mark.to_json(),
        "has_watermark": plan.watermark_id is not None,
        "container": plan.encode.muxer,
        "copied": [list(r) for r in copies.runs] if copies else [],
        "libraries": library_versions(),
    }
    # Said in other words, a conversion is still the same one: its id follows from who becomes whom, not from the options,
    # and not from when the source was copied.
    lasting = {name: value for name, value in facts.items() if name != "source_mtime_ns"}
    facts["id"] = id_text(mark_id(installation_signer().secret, [json.dumps(lasting, sort_keys=True)]))
    return json.loads(json.dumps(facts))


def require_same_input(plan: ConvertPlan) -> None:
    """Raise FaceswapError when the input was replaced or written to: its other streams would not fit the pictures."""
    if not plan.input.is_file():
        raise UsageError(f"{plan.input} is gone; put it back and repeat the command: what is rendered is kept")
    if file_state(plan.input) != plan.input_state:
        raise FaceswapError(f"{plan.input} changed while it was converted, so nothing was written; repeat the command")


def require_same_files(plan: ConvertPlan, before: Mapping[str, str]) -> None:
    """Raise FaceswapError when painted masks or networks were changed meanwhile: segments would not fit each other."""
    if files_used(plan.config) != before:
        raise FaceswapError(
            f"the masks or networks for {plan.input} changed while it was converted, so nothing was written; repeat the command"
        )
