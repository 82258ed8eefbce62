"""Versions of whatever has a say in the bytes of an output: segments made by different ones must not be joined."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import av

_PACKAGES = (
    *("av", "torch", "onnxruntime", "onnxruntime-gpu", "numpy", "opencv-python", "opencv-python-headless"),
    *("pillow", "tifffile", "OpenEXR"),
)


def library_versions() -> dict[str, str]:
    """Return the versions of packages that are installed, and of FFmpeg's libraries."""
    versions = {name: ".".join(map(str, numbers)) for name, numbers in av.library_versions.items()}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
