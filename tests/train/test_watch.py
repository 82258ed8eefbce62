from __future__ import annotations

import pytest

from faceswap.train.watch import LossWatch, Scored, collapse, has_plateau, is_learnt_by_heart, verdict


def rows(held: list[float | None], seen: list[float] | None = None, variety: float = 0.9) -> list[Scored]:
    seen = seen or [0.8] * len(held)
    return [
        Scored(i * 100, i * 10.0, 1 / (i + 1), h, s, 0.9, variety)
        for i, (h, s) in enumerate(zip(held, seen, strict=True))
    ]


RISING = [0.5, 0.6, 0.66, 0.7, 0.73, 0.75, 0.765, 0.775]
FLAT = [0.5, 0.6, 0.68, 0.7, 0.701, 0.7005, 0.7012, 0.7008]


def test_curve_that_rises_has_no_plateau() -> None:
    assert not has_plateau(rows(RISING))
    assert "training longer helps" in verdict(rows(RISING))


def test_curve_that_is_flat_at_its_end_has_one() -> None:
    assert has_plateau(rows(FLAT))
    assert "no gain" in verdict(rows(FLAT))


def test_noise_around_a_rise_is_no_plateau() -> None:
    assert not has_plateau(rows([value + (0.004 if i % 2 else -0.004) for i, value in enumerate(RISING)]))


def test_few_scores_say_nothing() -> None:
    assert not has_plateau(rows(FLAT[-5:]))
    assert "Too few" in verdict(rows(FLAT[-5:]))


def test_without_held_out_faces_the_loss_decides() -> None:
    falling = rows([None] * 8)
    assert not has_plateau(falling)
    flat = [Scored(r.step, r.seconds, 0.3, None, r.seen, r.sharpness, r.variety) for r in falling]
    assert has_plateau(flat)


def test_learning_by_heart_is_worse_held_out_faces_and_better_others() -> None:
    held = [0.5, 0.6, 0.7, 0.69, 0.68, 0.67, 0.66]
    better, worse = [0.5, 0.6, 0.7, 0.75, 0.8, 0.83, 0.85], [0.5, 0.6, 0.7, 0.69, 0.68, 0.67, 0.66]
    assert is_learnt_by_heart(rows(held, better))
    assert "by heart" in verdict(rows(held, better))
    assert "step 200" in verdict(rows(held, better))
    assert not is_learnt_by_heart(rows(held, worse))
    assert not is_learnt_by_heart(rows(RISING, RISING))


def test_collapse_is_alike_faces_or_a_fall() -> None:
    assert collapse(rows(RISING, RISING)) is None
    alike = [*rows(RISING), *rows([0.7], variety=0.05)]
    assert "alike" in (collapse(alike) or "")
    assert "fell from 0.78 to 0.50" in (collapse(rows([*RISING, 0.5], [*RISING, 0.5])) or "")


def test_young_network_that_is_not_varied_yet_has_not_collapsed() -> None:
    assert collapse(rows([0.1, 0.12], variety=0.05)) is None


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_loss_that_is_no_number_is_a_collapse(loss: float) -> None:
    assert LossWatch().collapse(loss) == "the loss is no number"


def test_leap_that_stays_is_a_collapse_and_one_that_passes_is_not() -> None:
    watch = LossWatch()
    calm = [watch.collapse(0.3 + 0.05 * (i % 3)) for i in range(20)]
    passing = [watch.collapse(2.0), watch.collapse(0.3), watch.collapse(0.35)]
    staying = [watch.collapse(2.0 + i) for i in range(3)]
    assert calm == [None] * 20
    assert passing == [None] * 3
    assert staying[:2] == [None, None]
    assert "leapt" in (staying[2] or "")
