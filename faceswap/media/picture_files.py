"""Whole pictures as PNG, TIFF and OpenEXR files; none of them without its texts."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import ResourceError, UsageError
from faceswap.media.h273 import BT601_525, BT601_625, BT709, BT2020, IDENTITY, P3_D65, UNSPECIFIED
from faceswap.media.picture_texts import PictureTexts, png_with_texts
from faceswap.media.probe import ColorTags

_CICP_FULL_RANGE = 1
_PNG_LEVEL = 3
"""Of zlib: half the time of the default for a few percent more bytes."""
# CIE 1931 (x, y) of red, green, blue and white by H.273 number of the primaries.
_CHROMATICITIES = {
    BT709: (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, 0.3127, 0.3290),
    BT601_625: (0.640, 0.330, 0.290, 0.600, 0.150, 0.060, 0.3127, 0.3290),
    BT601_525: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, 0.3127, 0.3290),
    BT2020: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    P3_D65: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
}


def png_bytes(rgb: NDArray, texts: PictureTexts, tags: ColorTags) -> bytes:
    """Return (h, w, 3) uint8 or uint16 RGB as a PNG file.

    Primaries and transfer go into a cICP chunk when the clip names them.
    """
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])[1].tobytes()
    is_named = UNSPECIFIED not in (tags.primaries, tags.transfer)
    color = {b"cICP": bytes([tags.primaries, tags.transfer, IDENTITY, _CICP_FULL_RANGE])} if is_named else {}
    return png_with_texts(data, texts, color)


def tiff_bytes(rgb: NDArray, texts: PictureTexts) -> bytes:
    """Return (h, w, 3) uint8 or uint16 RGB as a TIFF file (Deflate)."""
    import tifffile

    file = io.BytesIO()
    xmp = texts.xmp.encode()
    tifffile.imwrite(
        file,
        rgb,
        photometric="rgb",
        compression="zlib",
        metadata=None,
        description=texts.statement,
        software="faceswap",
        extratags=[(700, "B", len(xmp), xmp, True)],
    )
    return file.getvalue()


def write_exr(
    path: Path,
    channels: Mapping[str, NDArray[np.float32]],
    texts: PictureTexts,
    tags: ColorTags,
    *,
    pixel_aspect: float = 1.0,
    attributes: Mapping[str, str] | None = None,
) -> None:
    """Write (h, w) float32 channels as half floats into an OpenEXR file (ZIP).

    Args:
        attributes: further texts for the header.

    Raises:
        UsageError: OpenEXR is not installed. ResourceError: disk full.
    """
    exr = open_exr_package()
    header = {
        "compression": exr.ZIP_COMPRESSION,
        "type": exr.scanlineimage,
        "pixelAspectRatio": float(pixel_aspect),
        "faceswap": texts.statement,
        "xmp": texts.xmp,
        **(attributes or {}),
    }
    if tags.primaries in _CHROMATICITIES:
        header["chromaticities"] = _CHROMATICITIES[tags.primaries]
    halves = {name: np.ascontiguousarray(values, dtype=np.float16) for name, values in channels.items()}
    try:
        with exr.File(header, halves) as file:
            file.write(str(path))
    except RuntimeError as error:  # the package's word for all that goes wrong with a disk
        raise ResourceError(f"cannot write {path}: {error} Make room and repeat the command") from error


def open_exr_package():  # type: ignore[no-untyped-def]  # a module
    """Return the OpenEXR module.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import OpenEXR
    except ImportError as error:
        raise UsageError("EXR pictures need the package OpenEXR; pip install 'faceswap[interchange]'") from error
    return OpenEXR
