from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from portraits import blurred, brighter, covered, portrait_set, same

from faceswap.errors import UsageError
from faceswap.facesets import choose
from faceswap.facesets.measure import measured_records
from faceswap.facesets.schema import FaceRecord, Figures

LOOK = bytes(384)


def record(number: int, *, track: int = 0, clip: str = "c" * 64, **figures: object) -> FaceRecord:
    values = {
        "yaw": 0.0,
        "pitch": 0.0,
        "roll": 0.0,
        "face_px": 200.0,
        "sharpness": 0.5,
        "brightness": 120.0,
        "contrast": 40.0,
        "balance": 0.0,
        "hue": 40.0,
        "chroma": 20.0,
        "occlusion": 0.0,
        "hash": "0" * 16,
        "look": LOOK,
    }
    measured = Figures(**{**values, **figures})  # type: ignore[arg-type]
    none = np.zeros(0)
    return FaceRecord(
        f"faces/{clip[:2]}{number}.jpg", clip, number, number, "1/25", 0, track, 0.9, none, none, none, figures=measured
    )


def look_of(value: int) -> bytes:
    return bytes([value] * 384)


def test_orders_follow_the_figures() -> None:
    records = [record(i, sharpness=s, yaw=y) for i, (s, y) in enumerate([(0.3, 5), (0.1, -40), (0.6, 20)])]
    assert [r.frame for r in choose.ordered(records, "sharpness")] == [1, 0, 2]
    assert [r.frame for r in choose.ordered(records, "yaw", is_reverse=True)] == [2, 0, 1]
    assert [r.frame for r in choose.ordered(records[::-1], "time")] == [0, 1, 2]
    with pytest.raises(UsageError, match="beauty"):
        choose.ordered(records, "beauty")


@pytest.mark.parametrize(
    ("text", "kept"), [("-30:30", [0, 2]), (":0", [1]), ("5:", [0, 2]), ("34%:", [0, 2]), (":50%", [0, 1])]
)
def test_ranges_sort_out_what_lies_outside(text: str, kept: list[int]) -> None:
    records = [record(0, yaw=5.0), record(1, yaw=-40.0), record(2, yaw=20.0)]
    reasons = choose.outside(records, {"yaw": text})
    assert [r.frame for r in records if r.file not in reasons] == kept
    assert all(reason.startswith("yaw") for reason in reasons.values())


@pytest.mark.parametrize("text", ["5", ":", "a:b", "30:-30", "120%:", "--5:"])
def test_ranges_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        choose.outside([record(0)], {"yaw": text})


def test_shares_take_the_extreme_ones() -> None:
    records = [record(i, sharpness=i / 10) for i in range(10)]
    assert sorted(choose.extreme(records, "sharpness", "20%", is_high=False)) == ["faces/cc0.jpg", "faces/cc1.jpg"]
    assert sorted(choose.extreme(records, "sharpness", "10%", is_high=True)) == ["faces/cc9.jpg"]
    with pytest.raises(UsageError, match="10%"):
        choose.extreme(records, "sharpness", "20", is_high=False)


def test_best_takes_rare_angles_before_many_of_one() -> None:
    records = [record(i, sharpness=0.4 + i / 1000) for i in range(50)]
    records += [record(100 + i, yaw=60.0, sharpness=0.2) for i in range(3)]
    chosen = choose.best(records, 8)
    assert sorted(r.frame for r in chosen) == [45, 46, 47, 48, 49, 100, 101, 102]
    assert len(choose.best(records, 500)) == 53


def test_best_prefers_sharp_uncovered_and_different_faces() -> None:
    records = [
        record(0, look=look_of(100)),
        record(1, look=look_of(100)),
        record(2, look=look_of(150), sharpness=0.45),
        record(3, look=look_of(200), occlusion=0.6),
    ]
    assert [r.frame for r in choose.best(records, 4)] == [0, 2, 3, 1]


def test_duplicates_keep_the_best_of_each_group() -> None:
    records = [
        record(0, look=look_of(100), sharpness=0.4),
        record(1, look=look_of(101), sharpness=0.6),
        record(2, look=look_of(100), sharpness=0.5),
        record(3, look=look_of(140)),
        record(4, look=look_of(100), hash="f" * 16),
        record(500, look=look_of(101), hash="00000000000000ff"),
    ]
    assert set(choose.duplicates(records)) == {"faces/cc0.jpg", "faces/cc2.jpg"}
    assert set(choose.duplicates(records).values()) == {"like faces/cc1.jpg"}


def test_copies_of_a_clip_are_duplicates_and_lookalikes_of_other_tracks_are_not() -> None:
    records = [
        record(0, look=look_of(100), hash="a" * 16),
        record(0, clip="d" * 64, look=look_of(100), hash="a" * 16),
        record(0, clip="e" * 64, look=look_of(100), hash="a" * 15 + "b"),
    ]
    assert len(choose.duplicates(records)) == 1


def test_real_crops_in_order_of_blur_light_and_cover(tmp_path: Path) -> None:
    store = portrait_set(tmp_path, [blurred(3), same, brighter(0.5), covered(0.35)])
    records = measured_records(store)
    assert choose.ordered(records, "sharpness")[0].frame == 0
    assert choose.ordered(records, "brightness")[0].frame == 2
    assert choose.ordered(records, "occlusion")[-1].frame == 3
    figures = records[1].figures
    assert figures is not None
    nearest = choose.by_likeness(records, figures.look)
    assert (nearest[0][0], nearest[0][1].frame) == (0.0, 1)
    assert nearest[-1][1].frame == 3


def test_people_order_before_those_not_grouped() -> None:
    records = [replace(record(i), cluster=c) for i, c in enumerate([None, 1, 0])]
    assert [r.frame for r in choose.ordered(records, "cluster")] == [2, 1, 0]
