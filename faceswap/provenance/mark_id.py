"""The number that stands for one conversion wherever there is little room: in the watermark, in SEI, in the registry."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import NewType

MarkId = NewType("MarkId", int)
"""0 <= id < 2**40."""
BITS = 40


def mark_id(secret: bytes, facts: Sequence[str]) -> MarkId:
    """Return the id of a conversion: the same for the same facts on one installation, a random number to everybody else.

    It must not change when a conversion is killed and goes on, since it is in the pixels.

    Args:
        secret: of the installation. facts: whatever the conversion depends on.
    """
    text = "".join(f"{len(fact)}:{fact}" for fact in facts)
    digest = hmac.digest(secret, text.encode(), hashlib.sha256)
    return MarkId(int.from_bytes(digest[: BITS // 8], "big"))


def id_text(number: MarkId) -> str:
    """Return an id as ten hexadecimal digits."""
    return f"{number:010x}"


def id_of_text(text: str) -> MarkId | None:
    """Return the id that ten hexadecimal digits name, or None."""
    return MarkId(int(text, 16)) if re.fullmatch(r"[0-9a-f]{10}", text) else None
