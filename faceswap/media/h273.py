"""Numbers by which streams name their colours: ITU-T H.273 tables 2 (primaries), 3 (transfer), 4 (matrix).

The names serve primaries and matrices alike, and `BT709` and `UNSPECIFIED` transfer curves too; the table of these counts
on differently from there. Ranges are numbered as in FFmpeg (AVCOL_RANGE_*): H.273 has a flag for them.
"""

from __future__ import annotations

IDENTITY = 0
"""A matrix only: the planes are G, B, R."""
BT709 = 1
UNSPECIFIED = 2
FCC = 4
BT601_625 = 5
"""BT.470 B and G; its matrix is the one of `BT601_525`."""
BT601_525 = 6
"""SMPTE 170M."""
SMPTE240M = 7
BT2020 = 9
P3_D65 = 12
"""Primaries only."""

PQ, HLG = 16, 18
"""Transfer curves of HDR (SMPTE ST 2084, ARIB STD-B67)."""

UNSAID_RANGE, STUDIO_RANGE, FULL_RANGE = 0, 1, 2

MATRICES = {
    IDENTITY: "rgb",
    BT709: "bt709",
    FCC: "fcc",
    BT601_625: "bt601",
    BT601_525: "bt601",
    SMPTE240M: "smpte240m",
    BT2020: "bt2020",
}
"""Number of a matrix -> `ColorInfo.matrix`; the others cannot be worked with."""
