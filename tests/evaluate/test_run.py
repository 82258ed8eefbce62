from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import astronaut_picture, make_clip
from makers import detector, tiny_faceset, tiny_model

from faceswap import geometry, masks, resample
from faceswap.errors import NoFaceError, UsageError
from faceswap.evaluate.as_json import to_json
from faceswap.evaluate.compare import best_of, compare_html
from faceswap.evaluate.likeness import actor_of
from faceswap.evaluate.pairs import paired_frames
from faceswap.evaluate.protocols import PROTOCOLS, evenly_spread, find_protocol, held_out_shots
from faceswap.evaluate.report import report_html
from faceswap.evaluate.run import Evaluation, evaluate_clip
from faceswap.evaluate.sampled import plan_runs, sampled_figures
from faceswap.evaluate.table import FIGURES, judged
from faceswap.faces.align import canonical_landmarks, patch_from_frame
from faceswap.faces.analyse import analyse
from faceswap.facesets.store import FaceSet
from faceswap.media.reader import VideoReader
from faceswap.types import CropSpec, Frame

SIZE = (180, 240)
NUM = 16
LOSSLESS = {"codec": "ffv1", "pix_fmt": "yuv444p", "size": SIZE, "num_frames": NUM}


def picture(frame: int) -> np.ndarray:
    noise = np.random.default_rng(frame).normal(0, 2, (*SIZE, 3))
    return np.clip(astronaut_picture(SIZE, 1.5 * frame) + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluate")


@pytest.fixture(scope="module")
def clip(folder: Path) -> Path:
    return make_clip(folder / "in.mkv", picture=picture, **LOSSLESS)


@pytest.fixture(scope="module")
def alphas(clip: Path) -> list[np.ndarray]:
    """Where the face is, frame by frame."""
    index, crop, found = analyse(VideoReader(clip), detector()), CropSpec(96, "whole_face"), []
    for frame in range(NUM):
        (face,) = index.faces_at(frame)
        mask = masks.shape_edge(masks.face_hull(canonical_landmarks(face), crop), erode=0, feather=6)
        found.append(resample.warp(mask[0], geometry.invert(patch_from_frame(face, crop)), SIZE))
    return found


def changed(folder: Path, alphas: list[np.ndarray], name: str, change: Callable[[np.ndarray, int], np.ndarray]) -> Path:
    """The clip with the inside of the face changed."""

    def inside(frame: int) -> np.ndarray:
        old, alpha = picture(frame).astype(np.float32), alphas[frame][..., None]
        return np.clip(old + (change(old, frame) - old) * alpha + 0.5, 0, 255).astype(np.uint8)

    return make_clip(folder / f"{name}.mkv", picture=inside, **LOSSLESS)


@pytest.fixture(scope="module")
def soft(folder: Path, alphas: list[np.ndarray]) -> Path:
    return changed(folder, alphas, "soft", lambda old, _: cv2.GaussianBlur(old, (0, 0), 2))


@pytest.fixture(scope="module")
def red(folder: Path, alphas: list[np.ndarray]) -> Path:
    return changed(folder, alphas, "red", lambda old, _: old + np.array([20.0, 0, -12]))


def evaluate(clip: Path, result: Path, **over: object) -> Evaluation:
    return evaluate_clip(clip, result, detector(), **over)  # type: ignore[arg-type]


def test_copy_is_good_exact_and_complete(clip: Path, folder: Path) -> None:
    copy = folder / "copy.mkv"
    copy.write_bytes(clip.read_bytes())
    found = evaluate(clip, copy)
    assert found.whole.verdict == "good"
    assert found.num_missing == 0
    assert found.whole.values["outside_max"] == 0
    assert to_json(found)["whole"]["figures"]["outside_psnr"] == "exact"
    wrong = {k: v for k, v in found.whole.values.items() if np.isfinite(v) and v != pytest.approx(FIGURES[k].perfect)}
    assert set(wrong) <= {"jitter_px", "crop_jitter"}  # of the input itself
    assert found.whole.worst == ()


def test_blur_and_cast_are_told_apart(clip: Path, soft: Path, red: Path) -> None:
    of_soft, of_red = evaluate(clip, soft).whole.values, evaluate(clip, red).whole.values
    assert of_soft["sharpness_skin"] < 0.6
    assert of_red["sharpness_skin"] == pytest.approx(1, abs=0.15)
    assert of_soft["skin_match"] < 1 < 3 < of_red["skin_match"]
    assert of_red["seam_step"] > max(2, of_soft["seam_step"])
    assert of_soft["outside_max"] == of_red["outside_max"] == 0


def test_worst_frame_is_the_one_that_was_spoilt(clip: Path, folder: Path, alphas: list[np.ndarray]) -> None:
    once = changed(folder, alphas, "once", lambda old, i: cv2.GaussianBlur(old, (0, 0), 3) if i == 9 else old + (i % 2))
    assert evaluate(clip, once).whole.worst[0] == 9


def test_other_size_is_refused(clip: Path, folder: Path) -> None:
    small = make_clip(folder / "small.mkv", size=(90, 120), num_frames=3)
    with pytest.raises(UsageError, match="120x90"):
        evaluate(clip, small)


def test_clip_without_a_face_has_nothing_to_measure(folder: Path) -> None:
    empty = make_clip(folder / "empty.mkv", size=SIZE, num_frames=4)
    with pytest.raises(NoFaceError):
        evaluate(empty, empty)


def test_frames_that_the_result_lacks_are_counted(clip: Path, folder: Path) -> None:
    short = make_clip(folder / "short.mkv", picture=picture, **{**LOSSLESS, "num_frames": NUM - 3})
    found = evaluate(clip, short)
    assert found.num_missing == 3
    assert "3 frames" in found.notes[0]


def test_frames_are_paired_by_time_not_by_number(folder: Path) -> None:
    every = make_clip(folder / "every.mkv", size=(64, 64), times=[3600 * i for i in range(10)])
    gaps = make_clip(folder / "gaps.mkv", size=(64, 64), times=[3600 * i + 900 for i in range(10) if i not in (3, 4)])
    pairs = [(a.index, None if b is None else b.index) for a, b in paired_frames(VideoReader(every), VideoReader(gaps))]
    assert pairs == [(0, 0), (1, 1), (2, 2), (3, None), (4, None), *((i, i - 2) for i in range(5, 10))]


def test_page_stands_alone_and_names_every_figure(clip: Path, soft: Path) -> None:
    found = evaluate(clip, soft)
    text = report_html(found)
    assert not re.search(r"(?:src|href)=[\"'](?!data:)", text)
    assert "://" not in re.sub(r'"data:[^"]*"', "", text)
    for key in found.whole.values:
        assert f"<th>{FIGURES[key].title}</th>" in text
    assert text.count('type="range"') == len(found.parts[0].worst) > 0
    assert text.count("<svg") >= 5
    assert "prefers-color-scheme: dark" in text


def test_names_in_the_page_are_escaped(clip: Path, folder: Path) -> None:
    nasty = folder / "<img src=x>.mkv"
    nasty.write_bytes(clip.read_bytes())
    assert "<img src=x>" not in report_html(evaluate(clip, nasty))


def test_comparison_marks_the_better_result(clip: Path, soft: Path, red: Path) -> None:
    found = [evaluate(clip, soft), evaluate(clip, red)]
    assert best_of(found, "sharpness_skin") == 1
    assert best_of(found, "skin_match") == 0
    text = compare_html(found, ["soft", "red"])
    assert text.count("<img src=") == 15
    json.dumps([to_json(e) for e in found])


def test_shift_error_of_the_network_is_part_of_the_figures(clip: Path, soft: Path, folder: Path) -> None:
    found = evaluate(clip, soft, model=tiny_model(folder / "model"))
    assert np.isfinite(found.whole.values["shift_error"])


class ColorEncoder:
    """Stands in for an identity encoder: the mean colour of a face, seen from the mean of all colours."""

    name, sha256, size = "colour-1", "e" * 64, 32
    patch_from_canonical = np.array([[12.0, 0, 16], [0, 12, 8]])

    def embed(self, patches: np.ndarray) -> np.ndarray:
        means = patches.reshape(len(patches), -1, 3).mean(axis=1).astype(np.float32) - [[128, 100, 90]]
        return means / np.linalg.norm(means, axis=1, keepdims=True)


def test_identity_is_measured_against_the_faceset(clip: Path, red: Path, folder: Path) -> None:
    faceset = tiny_faceset(folder / "fs", "ada")
    found = evaluate(clip, red, faceset=faceset, encoder=ColorEncoder())
    assert {"identity", "leakage", "identity_variance"} <= set(found.whole.values)
    bounds = found.circumstances["bounds"]
    actor = actor_of(FaceSet.open(faceset), ColorEncoder())  # type: ignore[arg-type]
    assert bounds["bound_source"] == pytest.approx(actor.ceiling)
    assert found.circumstances["encoder"]["sha256"] == "e" * 64


def test_encoder_that_took_part_in_training_may_not_judge(clip: Path, red: Path, folder: Path) -> None:
    model = tiny_model(folder / "judged")

    class Judge(ColorEncoder):
        sha256 = "tiny"  # any text of the training settings

    (train,) = model.glob("step-*/train.json")
    assert "tiny" not in train.read_text()
    Judge.sha256 = json.loads(train.read_text())["network"]["name"]
    with pytest.raises(UsageError, match="cannot judge"):
        evaluate(clip, red, model=model, encoder=Judge())


def test_protocols_choose_their_frames_by_rule(clip: Path) -> None:
    index = analyse(VideoReader(clip), detector())
    assert held_out_shots(index) == [(NUM - 3, NUM)]
    assert len(evenly_spread(index)) == 10
    with pytest.raises(UsageError, match="per-actor-v1, ff10k-v1"):
        find_protocol("mine", has_identity=True)
    with pytest.raises(UsageError, match="--id-encoder"):
        find_protocol("ff10k-v1", has_identity=False)
    assert set(PROTOCOLS) == {"per-actor-v1", "ff10k-v1"}


def test_verdict_is_that_of_the_worst_judged_figure() -> None:
    assert judged({"seam_step": 0.5, "outside_max": 99}) == "good"
    assert judged({"seam_step": 0.5, "flicker": 0.3}) == "fair"
    assert judged({"seam_step": 9, "flicker": 0.3}) == "poor"
    assert judged({"seam_step": float("nan")}) == "unknown"


def test_frame_type_of_sixteen_bit_footage_is_measured_in_eight_bit_steps(folder: Path) -> None:
    deep = {**LOSSLESS, "pix_fmt": "yuv420p10le"}
    a = make_clip(folder / "deep.mkv", picture=picture, **deep)
    found = evaluate(a, a)
    assert found.whole.verdict == "good"
    assert isinstance(next(iter(VideoReader(a))), Frame)


def test_sampled_figures_are_those_of_the_clip(clip: Path, soft: Path) -> None:
    index = analyse(VideoReader(clip), detector())
    (runs,) = [plan_runs(index, {0}, (0, NUM))]
    assert [(run.start, run.stop) for run in runs] == [(3, 13)]
    found = sampled_figures(VideoReader(clip), VideoReader(soft), index, {0}, detector(), frames=(0, NUM))
    assert found is not None
    whole = evaluate(clip, soft).whole.values
    assert found[1].values["sharpness_skin"] == pytest.approx(whole["sharpness_skin"], rel=0.05)
    assert found[1].num_frames == 10


def test_sampled_figures_meet_the_right_frames_of_a_trimmed_result(clip: Path, folder: Path) -> None:
    tail = make_clip(folder / "tail.mkv", picture=lambda i: picture(i + 4), **{**LOSSLESS, "num_frames": NUM - 4})
    index = analyse(VideoReader(clip), detector())
    found = sampled_figures(VideoReader(clip), VideoReader(tail), index, {0}, detector(), frames=(4, NUM))
    assert found is not None
    assert found[1].values["skin_match"] == pytest.approx(0, abs=1e-6)


def test_tracks_that_were_not_swapped_are_not_sampled(clip: Path) -> None:
    index = analyse(VideoReader(clip), detector())
    assert plan_runs(index, set(), (0, NUM)) == []
    assert sampled_figures(VideoReader(clip), VideoReader(clip), index, {5}, detector(), frames=(0, NUM)) is None
