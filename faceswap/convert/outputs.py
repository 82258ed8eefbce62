"""The finished files of a conversion: written under temporary names, checked for their marks, then given their own names.

Nothing gets its name before all are complete and marked: there is no unmarked path. A kill between two names is made good by
the same command. Until then a video waits beside its place, pictures in a folder of the work folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faceswap.convert.assembly import Assembly
from faceswap.convert.check import Checks
from faceswap.convert.names import product_path
from faceswap.convert.plan import ConvertPlan
from faceswap.convert.products import Product, SequenceProduct, VideoProduct
from faceswap.convert.timeline import TimelineContent, TimelineMedia, write_timeline
from faceswap.convert.work import WorkFolder
from faceswap.errors import ProvenanceError, UsageError
from faceswap.faces.index import FaceIndex
from faceswap.files import remove_stale_temporaries, sync_file, sync_folder, temporary_beside
from faceswap.media.sequence_files import publish_pictures
from faceswap.provenance.manifest import format_of, sidecar_of
from faceswap.provenance.verify import verify_clip, verify_folder


@dataclass(frozen=True, slots=True)
class Output:
    """A product on its way to its name."""

    product: Product
    temporary: Path
    """File, or folder of pictures."""

    @property
    def sidecar(self) -> Path | None:
        """Name that the manifest of a file will have which lies beside it; None = it is inside, or in the folder."""
        if isinstance(self.product, SequenceProduct) or format_of(self.product.output) is not None:
            return None
        return sidecar_of(self.product.output)

    @property
    def names(self) -> list[Path]:
        """Everything that will get a name."""
        return [self.product.output, *([self.sidecar] if self.sidecar else [])]

    def discard(self) -> None:
        """Delete what has not been given its name."""
        if self.sidecar:
            sidecar_of(self.temporary).unlink(missing_ok=True)
        if self.temporary.is_dir():
            shutil.rmtree(self.temporary, ignore_errors=True)
        else:
            self.temporary.unlink(missing_ok=True)


def outputs_of(products: Sequence[Product], work: WorkFolder) -> list[Output]:
    """Return where each product waits; what killed runs left there is deleted."""
    outputs = []
    for product in products:
        if isinstance(product, VideoProduct):
            outputs.append(Output(product, temporary_beside(product.output)))
            for name in outputs[-1].names:
                remove_stale_temporaries(name)
        else:
            outputs.append(Output(product, work.path / f"{product.name}-whole.tmp"))
    return outputs


def write_outputs(outputs: Sequence[Output], assembly: Assembly) -> tuple[list[str], Checks]:
    """Write all outputs under their temporary names and check them.

    Returns:
        What the containers could not hold, and what was compared, of the first output (the clip, where there is one); of
        the others what is worth a note.
    """
    dropped: list[str] = []
    found: list[Checks] = []
    for output in outputs:
        if isinstance(output.product, SequenceProduct):
            found.append(assembly.write_pictures(output.product, output.temporary))
        else:
            lost, checks = assembly.write_video(output.product, output.temporary)
            dropped += lost
            found.append(checks)
    return dropped, Checks(found[0].figures, tuple(note for checks in found for note in checks.notes))


def publish(outputs: Sequence[Output], plan: ConvertPlan, *, overwrite: bool) -> None:
    """Give every output its name, if all carry their marks; the first one last, since it is what one waits for.

    Raises:
        ProvenanceError: one does not. UsageError: a name was taken meanwhile.
    """
    for output in outputs:
        _require_mark(output, plan)
        taken = output.product.output
        is_taken = taken.exists() if isinstance(output.product, VideoProduct) else output.product.target.taken_names()
        if is_taken and not overwrite and taken.absolute() not in plan.under_way:
            raise UsageError(f"{taken} appeared meanwhile; use --overwrite to replace it, or another -o")
    for output in outputs:
        if isinstance(output.product, VideoProduct):
            sync_file(output.temporary)
    for output in reversed(outputs):
        if isinstance(output.product, SequenceProduct):
            publish_pictures(output.temporary, output.product.target)
            continue
        if output.sidecar:
            os.replace(sidecar_of(output.temporary), output.sidecar)
            sync_folder(output.sidecar.parent)
        os.replace(output.temporary, output.product.output)
        sync_folder(output.product.output.parent)


def _require_mark(output: Output, plan: ConvertPlan) -> None:
    if isinstance(output.product, SequenceProduct):
        if not verify_folder(output.temporary).is_whole:
            raise ProvenanceError(
                f"{output.product.output} was withheld: pictures in it lack the mark or the signature; start anew"
            )
        return
    found = verify_clip(output.temporary)
    if not any(found.layers.values()):
        raise ProvenanceError(
            f"{output.product.output} was withheld: neither {plan.encode.muxer} nor {plan.encode.codec} could carry the "
            "mark that it is AI-modified; use .mp4, .mov or .mkv, or H.264/H.265"
        )
    if found.verdict != "intact":
        problems = ", ".join(found.manifest.problems) if found.manifest else "it is missing"
        raise ProvenanceError(f"{output.product.output} was withheld: its signed manifest does not fit ({problems})")


def deliver_timeline(plan: ConvertPlan, products: Sequence[Product], index: FaceIndex) -> tuple[list[Path], list[str]]:
    """Write the timeline if it is asked for; return its files and what could not be written."""
    if "otio" not in plan.config.deliver:
        return [], []
    media = [TimelineMedia("source", plan.input)]
    media += [
        TimelineMedia(each.name, each.output, each.target if isinstance(each, SequenceProduct) else None)
        for each in products
    ]
    path = product_path("otio", plan.output)
    files = write_timeline(path, TimelineContent(path.stem, plan.info, index, tuple(media), plan.mark))
    return list(files.paths), list(files.notes)
