from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from makers import face_at, noise_frame, smooth_noise
from numpy.typing import NDArray

from faceswap import geometry, masks
from faceswap.convert import blend
from faceswap.convert.deliver import compositing_channels, overlay
from faceswap.convert.fields import FieldEngine, channels_by_field, draw_by_field, engine_for, weave_fields
from faceswap.convert.rendered import Layer, Rendered
from faceswap.errors import ShapeError
from faceswap.faces.align import canonical_landmarks, patch_from_frame
from faceswap.faces.fields import combing, face_in_field, lateness, moved
from faceswap.media.layouts import layout_of
from faceswap.media.planes import field_of
from faceswap.types import CropSpec, Face, FieldOrder, Frame, Patch

CROP = CropSpec(64, "face")
SIZE = (160, 200)
PARITIES = {"tff": (0, 1), "bff": (1, 0)}
FORMATS = ["yuv420p", "yuv422p10le", "yuv444p", "gbrp"]


class Marker:
    """An engine that lays the same soft pattern over every face."""

    def __init__(self) -> None:
        self.seen: list[Frame] = []
        self.observed: list[Frame] = []
        self.shots: list[int] = []
        self.begun: list[tuple[int, int] | None] = []
        self.pixels = np.ascontiguousarray(smooth_noise((64, 64), 7, blur=8).transpose(2, 0, 1))

    def forget(self) -> None:
        self.begun.append(None)

    def begin_segment(self, start: int, shot: int) -> None:
        self.begun.append((start, shot))

    def observe(self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]) -> None:
        self.observed += frames

    def process(self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]) -> list[Rendered]:
        self.seen += frames
        self.shots += shots
        return [self._mark(*pair) for pair in zip(frames, faces, strict=True)]

    def _mark(self, frame: Frame, faces: Sequence[Face]) -> Rendered:
        layers, result = [], frame
        for face in faces:
            mask = masks.shape_edge(masks.face_hull(canonical_landmarks(face), CROP), erode=0, feather=6)
            layers.append(Layer(face.track, self.pixels, Patch(self.pixels, mask, patch_from_frame(face, CROP))))
            result = blend.paste(result, layers[-1].patch)
        return Rendered(frame, result, tuple(layers))


def true_face(half: float, frame: int) -> Face:
    """Return where the face is at a time in half frames: it moves fast, grows and turns."""
    return face_at(70 + 3 * half, 66 + 2 * half, 40 + 0.4 * half, angle=0.05 + 0.01 * half, frame=frame)


def footage(pix_fmt: str, order: FieldOrder, count: int) -> tuple[list[Frame], list[Frame]]:
    """Return the full-rate progressive clip and the interlaced one made of it."""
    full = [replace(noise_frame(pix_fmt, SIZE, seed=i), index=i) for i in range(2 * count)]
    woven = []
    for n in range(count):
        halves = dict(zip(PARITIES[order], full[2 * n : 2 * n + 2], strict=True))
        frame = weave_fields(full[2 * n], field_of(halves[0], 0), field_of(halves[1], 1))
        woven.append(replace(frame, index=n))
    return full, woven


def upper_faces(count: int, order: FieldOrder) -> dict[int, list[Face]]:
    """Return the faces as an analysis of interlaced frames finds them: in the upper fields."""
    return {n: [true_face(2 * n + (order == "bff"), n)] for n in range(count)}


def codes(plane: NDArray, frame: Frame) -> NDArray:
    return plane.astype(float) / 2 ** (frame.color.bit_depth - 8)


def process_fields(
    engine: Marker,
    frames: Sequence[Frame],
    faces: Sequence[Sequence[Face]],
    shots: Sequence[int],
    order: FieldOrder,
    faces_of: dict[int, list[Face]],
) -> list[Rendered]:
    return FieldEngine(engine, order, faces_of).process(frames, faces, shots)


@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_each_field_is_swapped_where_the_face_is_at_its_own_time(pix_fmt: str, order: FieldOrder) -> None:
    full, woven = footage(pix_fmt, order, 4)
    faces = upper_faces(4, order)
    results = FieldEngine(Marker(), order, faces).process(woven, [faces[n] for n in range(4)], [0] * 4)
    reference = Marker().process(full, [[true_face(k, 0)] for k in range(8)], [0] * 8)
    for n, result in enumerate(results):
        for place, parity in enumerate(PARITIES[order]):
            expected, wrong = (reference[2 * n + k].frame for k in (place, 1 - place))
            for i, plane in enumerate(result.frame.planes):
                changed = (expected.planes[i] != full[2 * n + place].planes[i])[parity::2]
                lines = codes(plane, result.frame)[parity::2][changed]
                error = np.abs(lines - codes(expected.planes[i], expected)[parity::2][changed]).mean()
                late = np.abs(lines - codes(wrong.planes[i], wrong)[parity::2][changed]).mean()
                assert error < 0.6, (n, parity, i)
                assert error < 0.35 * late


@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_nothing_passes_from_one_field_to_the_other(pix_fmt: str) -> None:
    _, (frame,) = footage(pix_fmt, "tff", 1)
    faces = upper_faces(1, "tff")
    other = replace(noise_frame(pix_fmt, SIZE, seed=99), index=0)
    mixed = weave_fields(frame, field_of(frame, 0), field_of(other, 1))
    first, second = (process_fields(Marker(), [f], [faces[0]], [0], "tff", faces)[0] for f in (frame, mixed))
    for a, b in zip(first.frame.planes, second.frame.planes, strict=True):
        np.testing.assert_array_equal(a[0::2], b[0::2])
        assert (a[1::2] != b[1::2]).any()


@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_samples_outside_the_face_are_untouched_in_both_fields(pix_fmt: str) -> None:
    _, (frame,) = footage(pix_fmt, "tff", 1)
    faces = upper_faces(1, "tff")
    (result,) = process_fields(Marker(), [frame], [faces[0]], [0], "tff", faces)
    assert result.source is frame
    for before, after in zip(frame.planes, result.frame.planes, strict=True):
        assert after.dtype == before.dtype
        changed = before != after
        assert changed[0::2].any()
        assert changed[1::2].any()
        rows, columns = (np.flatnonzero(changed.any(axis=1 - axis)) for axis in (0, 1))
        scale = before.shape[0] / SIZE[0], before.shape[1] / SIZE[1]
        corners = geometry.apply(geometry.invert(patch_from_frame(faces[0][0], CROP)), geometry.corners_of((64, 64)))
        low, high = corners.min(axis=0) - 3, corners.max(axis=0) + 3
        assert rows.min() >= low[1] * scale[0] - 1
        assert rows.max() <= high[1] * scale[0] + 1
        assert columns.min() >= low[0] * scale[1] - 1
        assert columns.max() <= high[0] * scale[1] + 1


def test_frames_without_faces_are_the_very_objects() -> None:
    _, woven = footage("yuv420p", "bff", 2)
    results = process_fields(Marker(), woven, [[], []], [0, 0], "bff", {})
    assert all(result.frame is frame for result, frame in zip(results, woven, strict=True))


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_fields_reach_the_engine_in_the_order_of_time(order: FieldOrder) -> None:
    _, woven = footage("yuv420p", order, 2)
    marker = Marker()
    process_fields(marker, woven, [[], []], [3, 4], order, {})
    assert marker.shots == [3, 3, 4, 4]
    for i, seen in enumerate(marker.seen):
        np.testing.assert_array_equal(seen.planes[0], woven[i // 2].planes[0][PARITIES[order][i % 2] :: 2])


def test_layers_say_their_field_and_lie_in_the_frame() -> None:
    _, (frame,) = footage("yuv444p", "bff", 1)
    faces = upper_faces(1, "tff")
    (result,) = process_fields(Marker(), [frame], [faces[0]], [0], "bff", faces)
    assert [layer.parity for layer in result.layers] == [1, 0]
    expected = patch_from_frame(faces[0][0], CROP)
    for layer in result.layers:
        np.testing.assert_allclose(layer.patch.patch_from_frame, expected, atol=1e-9)


@pytest.mark.parametrize("pix_fmt", FORMATS)
@pytest.mark.parametrize("size", [(160, 200), (161, 203)], ids=["even", "odd"])
def test_fields_woven_again_are_the_frame(pix_fmt: str, size: tuple[int, int]) -> None:
    frame = noise_frame(pix_fmt, size)
    again = weave_fields(frame, field_of(frame, 0), field_of(frame, 1))
    for before, after in zip(frame.planes, again.planes, strict=True):
        np.testing.assert_array_equal(after, before)


def test_fields_of_another_frame_are_refused() -> None:
    frame, other = noise_frame(size=(96, 128)), noise_frame(size=(64, 128))
    with pytest.raises(ShapeError, match="not the fields"):
        weave_fields(frame, field_of(other, 0), field_of(other, 1))


@pytest.mark.parametrize("parity", [0, 1])
def test_lines_of_a_field_lie_where_they_are_in_the_frame(parity: int) -> None:
    face = face_at(90, 60, 30, angle=0.2)
    in_field = face_in_field(face, parity)
    np.testing.assert_allclose(geometry.apply(geometry.frame_from_field(parity), in_field.landmarks), face.landmarks)
    centre = geometry.apply(geometry.frame_from_field(parity), np.array([[0.5, 3.5]]))[0]
    assert centre.tolist() == [0.5, 2 * 3 + parity + 0.5]


@pytest.mark.parametrize("siting", ["left", "center"])
@pytest.mark.parametrize("parity", [0, 1])
def test_chroma_lines_of_a_field_lie_where_they_are_in_the_frame(siting: str, parity: int) -> None:
    plane_line = np.array([[0.5, 5.5]])  # centre of the field's sixth chroma line = the frame's line 2 * 5 + parity
    whole = geometry.apply(geometry.luma_from_chroma((1, 1), siting), np.array([[0.5, 10.5 + parity]]))
    field = geometry.apply(geometry.luma_from_chroma((1, 1), geometry.field_siting(siting, parity)), plane_line)
    np.testing.assert_allclose(geometry.apply(geometry.frame_from_field(parity), field), whole)
    assert (field[0, 1] - 0.5) % 2 == pytest.approx(0.25 + 0.5 * parity)  # a quarter, three quarters between lines


def test_face_moves_along_its_track_and_goes_on_at_the_ends() -> None:
    faces = {n: [face_at(50 + 8 * n, 60, 30, frame=n)] for n in range(3)}
    for n in range(3):
        for by in (-0.5, 0.25, 0.5):
            found = moved(faces[n][0], by, lambda n: faces.get(n, ()))
            assert found.frame_from_canonical is not None
            assert found.frame_from_canonical[0, 2] == pytest.approx(50 + 8 * (n + by))
            np.testing.assert_allclose(found.landmarks - faces[n][0].landmarks, np.tile([8 * by, 0], (5, 1)), atol=1e-9)


def test_face_alone_on_its_track_stays() -> None:
    alone = face_at(50, 60, 30, frame=1, track=2)
    others = {0: [face_at(20, 60, 30, frame=0, track=1)], 1: [alone], 2: []}
    assert moved(alone, 0.5, lambda n: others.get(n, ())) is alone


def test_lower_field_is_half_a_frame_later_or_sooner() -> None:
    assert [lateness(parity, order) for order in ("tff", "bff") for parity in (0, 1)] == [0, 0.5, 0, -0.5]


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_faces_found_in_woven_frames_lie_between_the_fields(order: FieldOrder) -> None:
    _, woven = footage("yuv444p", order, 3)
    faces = {n: [face_at(60 + 8 * n, 66, 40, frame=n)] for n in range(3)}
    engine = FieldEngine(Marker(), order, faces, is_tagged=False)
    result = engine.process(woven[1:2], [faces[1]], [0])[0]
    eyes = geometry.apply(geometry.patch_from_canonical(CROP), np.zeros((1, 2)))
    found = [geometry.apply(geometry.invert(layer.patch.patch_from_frame), eyes)[0, 0] for layer in result.layers]
    np.testing.assert_allclose(found, [68 - 2, 68 + 2])  # layers come in the order of time


def test_turning_face_takes_the_short_way() -> None:
    faces = {n: [face_at(50, 60, 30, angle=angle, frame=n)] for n, angle in enumerate((np.pi - 0.1, -np.pi + 0.1))}
    found = moved(faces[0][0], 0.25, lambda n: faces.get(n, ()))
    assert found.frame_from_canonical is not None
    angle = geometry.to_similarity(found.frame_from_canonical).angle
    assert angle % (2 * np.pi) == pytest.approx(np.pi - 0.05)


def test_observed_frames_and_segments_are_passed_on() -> None:
    _, woven = footage("yuv420p", "tff", 2)
    marker = Marker()
    engine = engine_for(marker, "tff", {})
    engine.observe(woven, [[], []], [0, 0])
    engine.forget()
    engine.begin_segment(7, 3)
    assert [frame.size for frame in marker.observed] == [(80, 200)] * 4
    assert marker.begun == [None, (7, 3)]


def test_progressive_clips_need_no_other_engine() -> None:
    marker = Marker()
    assert engine_for(marker, None, {}) is marker


def test_fields_of_one_moment_are_not_moved_apart() -> None:
    """Film in an interlaced stream."""
    faces = upper_faces(3, "tff")
    film = [replace(noise_frame("yuv420p", SIZE, seed=n), index=n) for n in range(3)]
    for order in ("tff", "bff"):
        results = process_fields(Marker(), film, [faces[n] for n in range(3)], [0] * 3, order, faces)
        for n, result in enumerate(results):
            for layer in result.layers:
                np.testing.assert_allclose(layer.patch.patch_from_frame, patch_from_frame(faces[n][0], CROP), atol=1e-9)


def test_combing_tells_two_moments_from_one() -> None:
    full, woven = footage("yuv420p", "tff", 2)
    faces = upper_faces(2, "tff")
    assert [combing(woven[n], faces[n][0]) for n in range(2)] == [1, 1]
    assert [combing(full[n], faces[0][0]) for n in range(2)] == [0, 0]
    assert combing(full[0], face_at(5000, 60, 30)) == 1  # nothing of it is seen: the tags are believed


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_products_for_a_compositor_hold_each_fields_own_layer(order: FieldOrder) -> None:
    """The overlay laid over the source gives the finished frame, in both fields of a face that moves fast."""
    _, woven = footage("yuv444p10le", order, 3)
    faces = upper_faces(3, order)
    result = FieldEngine(Marker(), order, faces).process(woven[1:2], [faces[1]], [0])[0]
    layout, _ = layout_of("yuva444p10le")

    def overlay_of(part: Rendered) -> Frame:
        neutral = [np.full(part.source.size, code, np.uint16) for code in (64, 512, 512, 0)]
        return overlay(part, replace(part.source, planes=tuple(neutral), layout=layout))

    drawn = draw_by_field(result, overlay_of)
    assert drawn.size == SIZE
    alpha = drawn.planes[3] / 1023
    for i, black in enumerate((64, 512, 512)):
        again = result.source.planes[i] * (1 - alpha) + (drawn.planes[i] - black * (1 - alpha))
        assert np.abs(again - result.frame.planes[i]).max() <= 2
    channels = channels_by_field(result, compositing_channels)
    np.testing.assert_allclose(channels["A"], alpha, atol=0.001)
    assert channels["face.R"].shape == SIZE


def test_progressive_frames_are_drawn_at_once() -> None:
    frame = noise_frame()
    rendered = Rendered(frame, frame)
    assert draw_by_field(rendered, lambda part: part.source) is frame
