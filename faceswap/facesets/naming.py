"""Crops as people name them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from faceswap.errors import UsageError
from faceswap.facesets.store import FaceSet

_FRAMES = re.compile(r"([0-9a-f]{4,64})(?::(\d+)(?:-(\d+))?)?")


def named_files(faceset: FaceSet, names: Sequence[str]) -> list[str]:
    """Return the files that are meant, those that were sorted out, too.

    Args:
        names: a file ("faces/x.jpg", "x.jpg", or a path that ends in one, also of a view: "0001_0.52_x.jpg"), the
            beginning of a clip's fingerprint ("3f2a91bc": all of it), or frames of it ("3f2a91bc:12", "3f2a91bc:12-40").

    Raises:
        UsageError: nothing has that name.
    """
    records = faceset.records(with_dropped=True)
    by_name = {Path(record.file).name: record.file for record in records}
    found: list[str] = []
    for name in names:
        base = Path(name).name
        file = by_name.get(base) or by_name.get(base.split("_", 2)[-1])
        if file is not None:
            found.append(file)
            continue
        match = _FRAMES.fullmatch(name)
        clip, first, last = match.groups() if match else (None, None, None)
        low = int(first) if first else 0
        high = int(last) if last else low if first else 2**63
        inside = [r.file for r in records if clip and r.clip.startswith(clip) and low <= r.frame <= high]
        if not inside:
            raise UsageError(
                f"{faceset.path} has no crops {name!r}; name files, or frames of a clip as FINGERPRINT:FIRST-LAST "
                "(`faceset show` lists the fingerprints)"
            )
        found += inside
    return list(dict.fromkeys(found))
