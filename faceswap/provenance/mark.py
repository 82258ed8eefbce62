"""The statement that a clip is AI-modified, and the two places where it is written.

Container tags are what players and archives show; the SEI copy inside the picture stream survives
`ffmpeg -c copy -map_metadata -1`. The digital source type is IPTC's (cv.iptc.org/newscodes/digitalsourcetype).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from faceswap import __version__
from faceswap.media.sei import CODECS, insert_user_data

SEI_UUID = UUID("8f1d2c1e-6f0b-5c0e-9d57-7f3a5b0e4a61").bytes
"""Names our user data inside H.264 and H.265 streams; never changes."""
DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_KEY = "faceswap"
_MAX_JSON = 4096
_SENTENCE = re.compile(r"AI-modified: [^()]+ \(faceswap [^()]*?(?:, id ([0-9a-f]{10}))?\)")
_OLDEST = ("model_sha256", "version", "statement", "digital_source_type")
"""Fields that every mark has; marks of earlier versions lack the others."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a marked clip says about itself."""

    model_sha256: str
    """Of the checkpoint's manifest; of several models separated by commas."""
    consent_sha256: str = ""
    """Of the bodies of the consent records, separated by commas; "" = made before there were any."""
    id: str = ""
    """Of the conversion, as ten hexadecimal digits (`mark_id`); "" = made before there were any."""
    version: str = __version__
    """Of faceswap."""
    statement: str = "AI-modified: faces in this video were replaced by a trained model"
    digital_source_type: str = DIGITAL_SOURCE_TYPE

    @classmethod
    def of_models(cls, sha256s: Sequence[str], consents: Sequence[str] = (), number: str = "") -> Mark:
        """Return the mark of a conversion with these models, under these consent records."""
        return cls(model_sha256=",".join(sha256s), consent_sha256=",".join(consents), id=number)

    @property
    def models(self) -> tuple[str, ...]:
        """The SHA-256 of each model's manifest."""
        return tuple(self.model_sha256.split(","))

    @property
    def consents(self) -> tuple[str, ...]:
        """The SHA-256 of each consent record's body."""
        return tuple(filter(None, self.consent_sha256.split(",")))

    def to_json(self) -> str:
        """Return the mark as one line of JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Mark | None:
        """Return the mark in a text, or None when it holds none."""
        if len(text) > _MAX_JSON:
            return None
        try:
            values = json.loads(text)
            known = {name: str(values[name]) for name in cls.__dataclass_fields__ if name in _OLDEST or name in values}
            return cls(**known)
        except (ValueError, TypeError, KeyError, RecursionError):
            return None


def marked_metadata(metadata: Mapping[str, str], mark: Mark) -> dict[str, str]:
    """Return container metadata with the mark added: machine-readable under its own key, and as a comment to people."""
    others = {key: value for key, value in metadata.items() if key.lower() != _KEY}
    comment_key = next((key for key in others if key.lower() == "comment"), "comment")
    models = ", ".join(name[:16] for name in mark.models)
    number = f", id {mark.id}" if mark.id else ""
    said = f"{mark.statement} (faceswap {mark.version}, model {models}{number})"
    before = others.pop(comment_key, "")
    return {**others, comment_key: f"{before} | {said}" if before else said, _KEY: mark.to_json()}


def mark_in_metadata(metadata: Mapping[str, str]) -> Mark | None:
    """Return the mark that container metadata holds, or None."""
    return next((Mark.from_json(value) for key, value in metadata.items() if key.lower() == _KEY), None)


def sentence_in_metadata(metadata: Mapping[str, str]) -> str | None:
    """Return the id in the sentence to people, which other programs often keep; "" = a sentence without one, None = none."""
    comment = next((value for key, value in metadata.items() if key.lower() == "comment"), "")
    found = _SENTENCE.search(comment[-_MAX_JSON:])
    return None if found is None else found[1] or ""


def packet_marker(mark: Mark) -> Callable[[bytes, str], bytes]:
    """Return the edit that writes the mark into each key frame of an H.264 or H.265 stream."""
    payload = mark.to_json().encode()

    def edit(packet: bytes, codec: str) -> bytes:
        return insert_user_data(packet, codec, SEI_UUID, payload) if codec in CODECS else packet

    return edit
