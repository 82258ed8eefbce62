"""A whole HTML page in the house's style: nothing is loaded from elsewhere."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from faceswap.media.pictures import encode_picture

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(title: str, parts: Sequence[str], *, has_sliders: bool = False) -> str:
    """Return a page that stands alone.

    Args:
        title: plain text. parts: HTML, one below the other; classes are those of `page.css`.
        has_sliders: some are pairs of pictures with a handle between them, which takes a few lines of script.
    """
    script = f"<script>{_text('slider.js')}</script>" if has_sliders else ""
    policy = f"{_POLICY}; script-src 'unsafe-inline'" if has_sliders else _POLICY
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{html.escape(title)}</title><style>{_text('page.css')}</style></head><body><main>"
    )
    return "\n".join([head, *parts, f"</main>{script}</body></html>"])


def _text(name: str) -> str:
    return files("faceswap.pages").joinpath(name).read_text(encoding="utf-8")


def svg(label: str, size: tuple[float, float], parts: Sequence[str]) -> str:
    """Return an inline drawing that takes its colours from the page.

    Args:
        label: what it shows, plain text, for those who do not see it. size: (h, w) px at its natural size.
    """
    height, width = size
    return (
        f'<svg role="img" aria-label="{html.escape(label, quote=True)}" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}">{"".join(parts)}</svg>'
    )


def captioned(caption: str, content: str, *, kind: str = "") -> str:
    """Return a figure with its caption (plain text); `kind` is its class, "plot" puts the caption on top."""
    opening = f'<figure class="{kind}">' if kind else "<figure>"
    return f"{opening}{content}<figcaption>{html.escape(caption)}</figcaption></figure>"


def jpeg_source(rgb: NDArray[np.uint8], quality: int) -> str:
    """Return a (h, w, 3) RGB picture as the `src` of an `img`."""
    return "data:image/jpeg;base64," + base64.b64encode(encode_picture(".jpg", rgb, jpeg_quality=quality)).decode()
