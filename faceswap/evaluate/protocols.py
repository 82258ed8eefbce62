"""Named ways to measure; a name stands for a version: the rule below must never change under it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from faceswap.errors import UsageError
from faceswap.faces.index import FaceIndex

Ranges = Sequence[tuple[int, int]]
HELD_OUT_ONE_IN = 5
_FF_FRAMES = 10


@dataclass(frozen=True, slots=True)
class Protocol:
    """Which frames count, and what has to be given."""

    name: str
    meaning: str
    frames_of: Callable[[FaceIndex], Ranges]
    needs_identity: bool
    """True: an identity encoder and the source's faceset must be given."""
    is_temporal: bool
    """False: single frames; figures over time mean nothing."""


def is_held_out(fingerprint: str, shot_start: int) -> bool:
    """True for one shot in five, always the same ones: by the SHA-256 of clip and first frame."""
    digest = hashlib.sha256(f"{fingerprint}:{shot_start}".encode()).digest()
    return int.from_bytes(digest[:4]) % HELD_OUT_ONE_IN == 0


def held_out_shots(index: FaceIndex) -> Ranges:
    """Return the frames of held-out shots; clips with fewer than five shots (or none held out) give their last fifth."""
    shots = [(shot.start, shot.stop) for shot in index.shots if is_held_out(index.fingerprint, shot.start)]
    if len(index.shots) >= HELD_OUT_ONE_IN and shots:
        return shots
    return [(index.num_frames - max(1, index.num_frames // HELD_OUT_ONE_IN), index.num_frames)]


def evenly_spread(index: FaceIndex) -> Ranges:
    """Return ten single frames, in the middles of ten equal parts of the clip (FaceForensics++ convention)."""
    frames = {(2 * i + 1) * index.num_frames // (2 * _FF_FRAMES) for i in range(_FF_FRAMES)}
    return [(frame, frame + 1) for frame in sorted(frames)]


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("per-actor-v1", "all frames of the clip's held-out shots", held_out_shots, True, True),
        Protocol("ff10k-v1", "ten frames evenly spread over each clip", evenly_spread, True, False),
    )
}


def find_protocol(name: str, *, has_identity: bool) -> Protocol:
    """Return a protocol by its name.

    Raises:
        UsageError: unknown, or it needs an encoder and a faceset.
    """
    if name not in PROTOCOLS:
        raise UsageError(f"no protocol {name!r}; there are: {', '.join(PROTOCOLS)}")
    protocol = PROTOCOLS[name]
    if protocol.needs_identity and not has_identity:
        raise UsageError(f"the protocol {name} measures identity too; give --id-encoder FILE.onnx and --faceset SOURCE")
    return protocol
