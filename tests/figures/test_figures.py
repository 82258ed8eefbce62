"""Every figure: perfect on a copy, ordered on the ladder of its own fault, quiet under faults of another kind."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from figures_faults import FAULTS, NUM, alpha, clip

from faceswap import color
from faceswap.figures import detail, identity, motion, seam, tone


def measured(clean: np.ndarray, result: np.ndarray) -> dict[str, float]:
    """The figures of a clip of RGB pictures against its untouched self."""
    mask = alpha()
    edge = seam.find_seam(mask)
    core, outside = mask > 0.9, mask < 0.01
    pairs = [(a.transpose(2, 0, 1), b.transpose(2, 0, 1)) for a, b in zip(clean, result, strict=True)]
    luma = [tuple(p.mean(axis=0) * 255 for p in pair) for pair in pairs]
    lab = [tuple(color.lab(np.clip(p, 0, 1)) for p in pair) for pair in pairs]
    means = [np.stack([tone.mean_lab(pair[k], mask) for pair in lab]) for k in (0, 1)]
    noise = [[(detail.grain(y, core)[0], detail.grain(y, outside)[0]) for y in pair] for pair in luma]
    codes = [np.clip(pair[0], 0, 255).astype(np.uint8) for pair in luma]
    warp = []
    for t in range(1, NUM):
        places, trusted = motion.flow_between(codes[t - 1], codes[t])
        warp.append([motion.warping_error(luma[t - 1][k], luma[t][k], places, mask * trusted) for k in (0, 1)])

    def ratio(rows: list[list[float]]) -> float:
        return float(np.mean([row[1] for row in rows]) / np.mean([row[0] for row in rows]))

    return {
        "seam_gradient": ratio([[seam.edge_contrast(y, edge) for y in pair] for pair in luma]),
        "seam_step": float(np.median([seam.seam_step(*pair, edge) for pair in lab])),
        "skin_match": tone.skin_match(*means),
        "skin_drift": tone.skin_drift(*means),
        "sharpness": ratio([[detail.band_energy(y, core.astype(np.float32)) for y in pair] for pair in luma]),
        "grain": float(np.median([detail.grain_ratio(*pair) for pair in noise])),
        "flicker": tone.flicker(*means),
        "warping": ratio(warp),
    }


@cache
def ladder(fault: str) -> list[dict[str, float]]:
    make, strengths = FAULTS[fault]
    clean = clip()
    return [measured(clean, make(clean, strength)) for strength in strengths]


PERFECT = {
    "seam_gradient": 1.0,
    "seam_step": 0.0,
    "skin_match": 0.0,
    "skin_drift": 0.0,
    "sharpness": 1.0,
    "grain": 1.0,
    "flicker": 0.0,
    "warping": 1.0,
}


def test_copy_is_perfect() -> None:
    clean = clip()
    assert measured(clean, clean.copy()) == pytest.approx(PERFECT, abs=1e-6)


@pytest.mark.parametrize(
    ("figure", "fault"),
    [
        ("seam_gradient", "hard edge"),
        ("seam_step", "cast"),
        ("seam_step", "hard edge"),
        ("skin_match", "cast"),
        ("sharpness", "blur"),
        ("grain", "less grain"),
        ("flicker", "flicker"),
        ("warping", "jitter"),
        ("warping", "flicker"),
    ],
)
def test_figure_orders_the_ladder_of_its_fault(figure: str, fault: str) -> None:
    away = [abs(np.log(row[figure])) if PERFECT[figure] == 1 else row[figure] for row in ladder(fault)]
    assert away == sorted(away)
    assert away[-1] > 3 * away[0]


@pytest.mark.parametrize(
    ("fault", "level", "quiet"),
    [
        ("cast", 3, {"sharpness": 0.06, "flicker": 0.05, "warping": 0.08, "grain": 0.1, "skin_drift": 0.3}),
        ("flicker", 3, {"sharpness": 0.05, "grain": 0.1, "skin_match": 1.0, "seam_gradient": 0.05}),
        ("blur", 2, {"skin_match": 0.3, "flicker": 0.05, "seam_step": 0.5}),
        ("jitter", 2, {"skin_match": 0.3, "seam_step": 0.8}),
        ("hard edge", 2, {"sharpness": 0.05, "flicker": 0.05, "grain": 0.1, "warping": 0.06}),
        ("less grain", 4, {"skin_match": 0.3, "flicker": 0.05, "seam_step": 0.3}),
    ],
)
def test_figures_of_other_faults_stay_quiet(fault: str, level: int, quiet: dict[str, float]) -> None:
    row = ladder(fault)[level]
    assert {key: row[key] for key, room in quiet.items() if abs(row[key] - PERFECT[key]) > room} == {}


def test_cast_is_measured_in_its_own_unit() -> None:
    row = ladder("cast")[2]
    assert row["seam_step"] == pytest.approx(row["skin_match"], rel=0.35)
    assert 2 < row["skin_match"] < 8


def walk(noise: float, *, num: int = 60, seed: int = 0) -> np.ndarray:
    """(T, 5, 2) points on a smooth walk, shaken."""
    t = np.arange(num)[:, None, None] / 8
    smooth = 100 + 20 * np.sin(t + np.arange(5)[None, :, None]) + np.array([0.0, 30.0])
    return smooth + np.random.default_rng(seed).normal(0, noise, (num, 5, 2))


def test_jitter_grows_with_shaking_and_ignores_the_walk() -> None:
    own = walk(0.0)
    levels = [motion.jitter(own + walk(s, seed=3) - walk(0.0), own) for s in (0.0, 0.25, 0.5, 1.0, 2.0)]
    assert levels == sorted(levels)
    assert levels[0] < 0.2
    # White noise of deviation s on both axes: the second difference has 6 s^2 an axis.
    assert levels[3] == pytest.approx(np.sqrt(12.0), rel=0.15)


def test_jitter_does_not_see_a_constant_offset() -> None:
    own = walk(0.3)
    assert motion.jitter(own + 5.0, own) == pytest.approx(motion.jitter(own, own), rel=1e-9)


def test_landmark_error_is_a_share_of_the_eye_distance() -> None:
    own = walk(0.0)
    assert motion.landmark_error(own, own + np.array([3.0, 4.0]), np.full(60, 50.0)) == pytest.approx(0.1)


def test_correlation_of_openings() -> None:
    blink = np.where(np.arange(50) % 13 < 3, 0.2, 1.0)
    assert motion.correlation(blink, 0.5 * blink + 2) == pytest.approx(1)
    assert motion.correlation(blink, np.roll(blink, 6)) < 0.5
    assert motion.correlation(np.ones(9), np.ones(9)) == 1
    assert np.isnan(motion.correlation(blink, np.ones(50)))


def test_an_open_mouth_shows_more_edges_than_a_closed_one() -> None:
    shut = np.full((32, 32), 150.0, dtype=np.float32)
    shut[15:17] = 60
    wide = shut.copy()
    wide[10:22] = 20
    wide[12:14] = 220
    box = (slice(4, 28), slice(4, 28))
    assert motion.opening(wide, box) > 1.5 * motion.opening(shut, box)


def test_untouched_surroundings_are_exact_and_one_code_is_seen() -> None:
    plane = np.random.default_rng(0).integers(16, 235, (40, 60), dtype=np.uint8)
    support = np.zeros(plane.shape, dtype=bool)
    support[10:20, 10:30] = True
    other = plane.copy()
    other[12, 12] += 9
    assert seam.outside_difference(plane, other, support) == (0, float("inf"))
    other[0, 0] += 1
    largest, psnr = seam.outside_difference(plane, other, support)
    assert largest == 1
    assert 75 < psnr < 85


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_identity_figures_of_known_vectors() -> None:
    rng = np.random.default_rng(0)
    person = unit(rng.normal(size=128))
    near = unit(person + 0.02 * rng.normal(size=(50, 128)))
    assert identity.likeness(near, identity.centroid(near)).mean() > 0.95
    assert identity.variance(near) < identity.variance(unit(person + 0.1 * rng.normal(size=(50, 128))))
    assert identity.variance(np.tile(person, (5, 1))) == pytest.approx(0, abs=1e-12)
