"""Outputs without a watermark, for compositors: allowed for a reason only, which goes on record before anything is made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from faceswap.provenance.consent import ConsentRecord, user_name
from faceswap.provenance.consent_rules import require_reason
from faceswap.provenance.consent_store import ConsentStore
from faceswap.provenance.wish import ProvenanceWish


def note_plate(
    records: Sequence[ConsentRecord], wish: ProvenanceWish, output: Path, store: ConsentStore | None = None
) -> None:
    """Write into the history of each record that an output gets no watermark, and why; nothing where it gets one.

    A record that only a model holds is kept in the user's folder from then on.

    Raises:
        ConsentError: no record. UsageError: no reason that says anything, or the folder cannot be written.
    """
    if not wish.no_watermark:
        return
    reason = require_reason(records, wish.reason)
    store = store or ConsentStore.of_user()
    for record in records:
        if store.get(record.record_id) is None:
            store.add(record)
        store.note(record.record_id, "made an output without watermark", user_name(), f"{output}: {reason}"[:2000])
