"""The last step before outputs get their names: each is signed, and noted in the user's registry.

Signing works on the temporary files and writes beside them, so that a kill leaves nothing broken under a final name. The
pictures are not touched by it; signature, time and a random name of the manifest differ from run to run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from faceswap.convert.outputs import Output
from faceswap.convert.plan import ConvertPlan
from faceswap.convert.products import SequenceProduct
from faceswap.files import disk_errors_named, require_space, sha256_file, sync_folder, temporary_beside, write_synced
from faceswap.media.sequence import SequenceTarget
from faceswap.media.sequence_files import add_hashes
from faceswap.provenance.consent import moment
from faceswap.provenance.manifest import ManifestFacts, format_of, parent_of, sidecar_of, sign_bytes, sign_file
from faceswap.provenance.mark_id import MarkId
from faceswap.provenance.registry import Registry, RegistryEntry
from faceswap.provenance.signer import Signer, signer_of

Watch = Callable[[str, int, int], None]
OnBytes = Callable[[int], None]


@dataclass(slots=True)
class _Desk:
    """Signs the outputs of one conversion."""

    signer: Signer
    parent: bytes
    plan: ConvertPlan
    waiting: Path
    """Where signed copies are written; on the outputs' disk, deleted when a job starts."""
    watch: Watch
    num_frames: int
    when: str = field(default_factory=moment)

    def sign(self, path: Path, title: Path, mark_id: MarkId | None, on_bytes: OnBytes = lambda _: None) -> None:
        """Put a manifest into the file `path`, or beside it.

        Args:
            title: the name it will have, which says which of the two. mark_id: the watermark in it.
        """
        facts = ManifestFacts(title.name, self.plan.mark, self.when, mark_id)
        kind = format_of(title, path.stat().st_size)
        with disk_errors_named(self.plan.output):
            if kind is not None:
                require_space(path.parent, path.stat().st_size)
            sign_file(path, self.waiting, kind, facts, self.parent, self.signer, on_bytes)
            os.replace(self.waiting, path if kind is not None else sidecar_of(path))

    def sign_video(self, output: Output) -> None:
        size, done, said = max(1, output.temporary.stat().st_size), 0, 0

        def on_bytes(count: int) -> None:
            nonlocal done, said
            done += count
            now = min(self.num_frames, self.num_frames * done // size)
            if now > said:
                said = now
                self.watch(f"sign {output.product.name}", said, self.num_frames)

        self.sign(output.temporary, output.product.output, watermark_in(self.plan, output), on_bytes)

    def sign_pictures(self, output: Output, target: SequenceTarget) -> None:
        folder, mark_id = output.temporary, watermark_in(self.plan, output)
        if target.kind == "exr":  # nothing can be put into these: their hashes go into the table, which is signed
            add_hashes(folder / target.table_name)
            self.sign(folder / target.table_name, Path(target.table_name), mark_id)
        else:
            pictures = sorted(path for path in folder.iterdir() if path.name != target.table_name)
            require_space(folder, sum(path.stat().st_size for path in pictures))
            for number, path in enumerate(pictures, start=1):
                self.sign(path, path, mark_id)
                self.watch("sign pictures", number, len(pictures))
        sync_folder(folder)


def sign_outputs(outputs: Sequence[Output], plan: ConvertPlan, waiting: Path, num_frames: int, watch: Watch) -> None:
    """Sign every output under its temporary name.

    Args:
        waiting: a file to write signed copies to. watch: told the stage, how much is done and of how much; may raise to stop.

    Raises:
        ProvenanceError: one cannot be signed. UsageError: the time service did not answer. ResourceError: disk full.
        InterruptedRunError: stopped by a signal.
    """
    desk = _Desk(signer_of(plan.provenance), parent_of(plan.input), plan, waiting, watch, num_frames)
    for output in outputs:
        if isinstance(output.product, SequenceProduct):
            desk.sign_pictures(output, output.product.target)
        else:
            desk.sign_video(output)


def register_outputs(outputs: Sequence[Output], plan: ConvertPlan, identities: Sequence[str]) -> None:
    """Note the signed outputs in the user's registry; before they get their names, so that none is missing there.

    Raises:
        UsageError, ResourceError: it cannot be written, or is damaged.
    """
    entries = []
    for output in outputs:
        entry = registry_entry(plan, output.product.output, _main_file(output), identities)
        entries.append(replace(entry, has_watermark=int(watermark_in(plan, output) is not None)))
    Registry.of_user().add(entries)


def watermark_in(plan: ConvertPlan, output: Output) -> MarkId | None:
    """Return the id in an output's pixels; a matte shows no picture that could hold one."""
    return None if output.product.name == "matte" else plan.watermark_id


def registry_entry(plan: ConvertPlan, path: Path, file: Path, identities: Sequence[str]) -> RegistryEntry:
    """Return what the registry keeps of an output.

    Args:
        path: its name. file: its bytes, of a folder of pictures those of its table.
    """
    return RegistryEntry(
        mark_id=plan.mark.id,
        path=str(path.absolute()),
        sha256=sha256_file(file),
        made_at=moment(),
        source=str(plan.input.absolute()),
        source_fingerprint=plan.fingerprint,
        identities=", ".join(identities),
        models=plan.mark.model_sha256,
        consent_ids=", ".join(record.record_id for record in plan.consents),
        consent_sha256s=plan.mark.consent_sha256,
        has_watermark=0,
        version=plan.mark.version,
    )


def write_signed(path: Path, data: bytes, plan: ConvertPlan, identities: Sequence[str]) -> None:
    """Write a marked picture, signed and noted in the registry.

    Raises:
        UsageError, ProvenanceError: nobody can sign, or the registry cannot be written.
    """
    facts = ManifestFacts(path.name, plan.mark, moment())
    signed = sign_bytes(data, format_of(path), facts, parent_of(plan.input), signer_of(plan.provenance))
    temporary = temporary_beside(path)
    try:
        write_synced(temporary, signed)
        Registry.of_user().add([registry_entry(plan, path, temporary, identities)])
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _main_file(output: Output) -> Path:
    product = output.product
    return output.temporary / product.target.table_name if isinstance(product, SequenceProduct) else output.temporary
