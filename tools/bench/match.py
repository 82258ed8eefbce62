"""How well does each kind of colour match take out a known cast?

    python tools/bench/match.py [--casts 40] [-o tools/bench/results/match.json]

Crops of a real face (the portrait that comes with scikit-image) stand for footage and swapped face alike: the swapped one gets a
random cast, the match has to take it out again, and what is left is measured against the truth (mean dE2000 under the mask).
"occluded": a seventh of the mask is covered in the footage, by something dark and blue. "exposure": a quarter to twice the light,
through sRGB's curve, with noise and clipping. "another face": the swapped crop is the face the other way round, which no map of
colours can make the same; what is compared is then the mean colour of the skin.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import color
from faceswap.bench.run import circumstances
from faceswap.convert.match import ColorMatcher
from faceswap.convert.match_kinds import KINDS

Picture = NDArray[np.float32]
Pair = tuple[Picture, Picture, Picture]
"""Swapped, footage, truth; each (3, S, S) RGB [0, 1]."""
_CORNERS = ((60, 150, 256), (70, 170, 200), (40, 130, 300))
"""Top, left and side of crops of the portrait, px: face alone to head and shoulders."""
_SIZES = (64, 128)


def crops() -> Iterator[Picture]:
    """Yield six crops of a real face."""
    from skimage.data import astronaut

    picture = astronaut()
    for y, x, side in _CORNERS:
        for size in _SIZES:
            crop = cv2.resize(picture[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_AREA)
            yield 0.1 + 0.65 * crop.transpose(2, 0, 1).astype(np.float32) / 255


def mask_of(size: int) -> Picture:
    """Return a round mask with a soft edge."""
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    return np.clip((0.4 * size - np.hypot(x, y)) / (0.06 * size), 0, 1).astype(np.float32)[None]


def _cast(truth: Picture, rng: np.random.Generator) -> Picture:
    """Light, white balance and exposure as an affine change of RGB."""
    linear = np.eye(3) * rng.uniform(0.7, 1.15, 3) + rng.normal(0, 0.03, (3, 3))
    return color.transform(truth, color.Affine(linear, rng.normal(0, 0.02, 3)))


def _in_other_light(truth: Picture, rng: np.random.Generator) -> Pair:
    """Return a picture, and the same in other light by the curve of sRGB: with noise, and as it would be without."""
    linear = np.where(truth <= 0.04045, truth / 12.92, ((truth + 0.055) / 1.055) ** 2.4)
    light = linear * 2 ** rng.uniform(-2, 1)
    return truth, _coded(light + rng.normal(0, 0.001, light.shape)), _coded(light)


def _coded(light: NDArray) -> Picture:
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


def _covered(truth: Picture) -> Picture:
    size = truth.shape[-1]
    result = truth.copy()
    y, x = round(0.6 * size), round(0.37 * size)
    result[:, y : y + round(0.27 * size), x : x + round(0.26 * size)] = np.array(
        [[[0.1]], [[0.15]], [[0.5]]], np.float32
    )
    return result


def _mirrored(truth: Picture) -> Picture:
    return np.ascontiguousarray(truth[:, :, ::-1])


CASES: dict[str, Callable[[Picture, np.random.Generator], Pair]] = {
    "clean": lambda truth, rng: (_cast(truth, rng), truth, truth),
    "occluded": lambda truth, rng: (_cast(truth, rng), _covered(truth), truth),
    "exposure": _in_other_light,
    "another face": lambda truth, rng: (_cast(_mirrored(truth), rng), truth, truth),
}


def error(case: str, result: Picture, truth: Picture) -> float:
    """Return the mean dE2000 under the mask; for another face that of the mean colours."""
    inside = mask_of(truth.shape[-1])[0] > 0.5
    if case == "another face":
        means = [picture[:, inside].mean(axis=1, keepdims=True) for picture in (result, truth)]
        return float(color.delta_e(*means).mean())
    return float(color.delta_e(result, truth)[inside].mean())


def measure(num_casts: int) -> dict[str, dict[str, float]]:
    """Return the mean error that each kind leaves in each case, and that of no match at all."""
    rng, pictures = np.random.default_rng(5), list(crops())
    pairs = [(case, make(pictures[i % len(pictures)], rng)) for case, make in CASES.items() for i in range(num_casts)]
    table: dict[str, dict[str, float]] = {}
    for kind in ("none", *KINDS):
        errors: dict[str, list[float]] = {}
        for case, (swapped, footage, truth) in pairs:
            mask = mask_of(truth.shape[-1])
            result = swapped
            if kind != "none":
                (result,) = ColorMatcher(kind).match([(0, 0)], [swapped], [footage], [mask])
            errors.setdefault(case, []).append(error(case, result, truth))
        table[kind] = {case: round(float(np.mean(values)), 3) for case, values in errors.items()}
    return table


def as_markdown(table: dict[str, dict[str, float]]) -> str:
    """Return the table as it stands in the documentation."""
    lines = [f"| match | {' | '.join(CASES)} |", f"|---|{'---|' * len(CASES)}"]
    lines += [f"| {kind} | {' | '.join(f'{row[case]:.2f}' for case in CASES)} |" for kind, row in table.items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--casts", type=int, default=40)
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    table = measure(given.casts)
    print(as_markdown(table))
    if given.output:
        results: dict[str, Any] = {"casts": given.casts, "mean_delta_e": table}
        document = {"results": results, "circumstances": circumstances("cpu")}
        given.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
