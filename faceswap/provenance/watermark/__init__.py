"""The watermark in the luma of swapped faces: how it is written (`embed`, `embed_torch`) and found again (`detect`).

It is for honest work that lost its other marks on the way: re-encoded, resized, cropped. The pattern is public, as the source
is, so it resists accidents and not somebody who wants it gone. How it was designed and what it holds:
docs/decisions/0031-watermark-and-safeguard.md.
"""
