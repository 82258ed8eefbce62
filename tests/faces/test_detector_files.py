"""Files of each kind of detector, planted: every number of the answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_files import planted, scrfd_outputs, write

from faceswap.errors import ShapeError, UnsupportedInputError
from faceswap.faces.align import frame_from_canonical
from faceswap.faces.base import Detection
from faceswap.faces.detector import DetectorKind, OnnxDetector
from faceswap.faces.registry import make_detector
from faceswap.faces.retinaface import RETINAFACE
from faceswap.faces.yunet import YUNET
from faceswap.schemes import FIVE

SIZE = (64, 96)
PICTURE = np.zeros((1, *SIZE, 3), dtype=np.uint8)


def only_face(path: Path, data: bytes, picture: NDArray[np.uint8] = PICTURE) -> Detection:
    detector = make_detector(write(path / "detector.onnx", data), threads=1, device="cpu")
    ((face,),) = detector.detect(picture)
    return face


def assert_points(face: Detection, raw: NDArray, kind: DetectorKind) -> None:
    """Check points that are moved from the network's idea of an eye's middle to ours, as the head is turned and large."""
    assert kind.point_shift is not None
    axes = frame_from_canonical(raw, FIVE)[:, :2]
    np.testing.assert_allclose(face.landmarks, raw + kind.point_shift @ axes.T, atol=1e-3)


@pytest.mark.parametrize("anchor", [0, 1])
@pytest.mark.parametrize(("stride", "row", "column"), [(8, 2, 5), (16, 1, 3), (32, 1, 2), (8, 7, 11)])
def test_scrfd_counts_distances_from_the_corner_of_its_cell(
    tmp_path: Path, stride: int, row: int, column: int, anchor: int
) -> None:
    face = only_face(tmp_path, planted(scrfd_outputs(SIZE, stride, row, column, anchor), shapes={}))
    x, y = column * stride, row * stride
    np.testing.assert_allclose(face.box, [x - stride, y - 2 * stride, x + 3 * stride, y + 4 * stride], atol=1e-4)
    offsets = np.stack([np.arange(5), -np.arange(5)], axis=1) * stride
    np.testing.assert_allclose(face.landmarks, offsets + np.array([x, y]), atol=1e-4)
    assert face.score == pytest.approx(0.8)


def test_scrfd_outputs_may_come_stride_by_stride(tmp_path: Path) -> None:
    outputs = scrfd_outputs(SIZE, 16, 1, 3, 0)
    in_order = {f"{name}{i}": outputs[f"{name}{i}"] for i in range(3) for name in ("score", "box", "points")}
    np.testing.assert_allclose(only_face(tmp_path, planted(in_order)).box, [32, -16, 96, 80], atol=1e-4)


def test_scrfd_without_points_finds_boxes_and_says_so(tmp_path: Path) -> None:
    data = planted(scrfd_outputs(SIZE, 8, 4, 5, 0, has_points=False))
    detector = make_detector(write(tmp_path / "boxes.onnx", data), threads=1, device="cpu")
    assert isinstance(detector, OnnxDetector)
    assert detector.is_boxes_only
    ((face,),) = detector.detect(PICTURE)
    np.testing.assert_allclose(face.box, [32, 16, 64, 64], atol=1e-4)
    low, high = face.box[:2], face.box[2:]
    assert ((face.landmarks > low) & (face.landmarks < high)).all()
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_eye[1] < nose[1] < left_mouth[1] == right_mouth[1]


def test_outputs_that_fit_no_grid_are_refused(tmp_path: Path) -> None:
    outputs = {name: value[:-1] for name, value in scrfd_outputs(SIZE, 8, 0, 0, 0).items()}
    with pytest.raises(ShapeError, match="is it an SCRFD file"):
        make_detector(write(tmp_path / "odd.onnx", planted(outputs)), threads=1, device="cpu").detect(PICTURE)


def yunet_outputs(size: tuple[int, int]) -> dict[str, NDArray]:
    """A face in the cell of row 1, column 2 at stride 16, half a cell from its corner, 32 px wide and 48 px high."""
    result: dict[str, NDArray] = {}
    for name, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
        for stride in (8, 16, 32):
            result[f"{name}_{stride}"] = np.zeros((1, (size[0] // stride) * (size[1] // stride), width))
    i = 1 * (size[1] // 16) + 2
    result["cls_16"][0, i], result["obj_16"][0, i] = 0.81, 1.0
    result["bbox_16"][0, i] = (0.5, 0.5, np.log(2), np.log(3))
    result["kps_16"][0, i] = np.arange(10) / 4
    return result


def test_yunet_counts_places_from_the_corner_of_its_cell(tmp_path: Path) -> None:
    face = only_face(tmp_path, planted(yunet_outputs(SIZE)))
    np.testing.assert_allclose(face.box, [40 - 16, 24 - 24, 40 + 16, 24 + 24], atol=1e-4)
    assert_points(face, [32, 16] + np.arange(10).reshape(5, 2) * 4, YUNET)
    assert face.score == pytest.approx(0.9)


def retinaface_outputs(size: tuple[int, int], *, is_softmax: bool = True) -> dict[str, NDArray]:
    """A face at the second prior (32 px) of the cell of row 2, column 3 at stride 8."""
    count = sum((size[0] // s) * (size[1] // s) * 2 for s in (8, 16, 32))
    i = (2 * (size[1] // 8) + 3) * 2 + 1
    boxes, scores, points = np.zeros((1, count, 4)), np.zeros((1, count, 2)), np.zeros((1, count, 10))
    scores[..., 0] = 1.0 if is_softmax else 9.0
    scores[0, i] = (0.25, 0.75) if is_softmax else (0.0, np.log(3))
    boxes[0, i] = (2.5, -2.5, np.log(2) / 0.2, 0)
    points[0, i] = np.arange(10)
    return {"boxes": boxes, "scores": scores, "points": points}


@pytest.mark.parametrize("is_softmax", [True, False])
def test_retinaface_reads_values_relative_to_its_priors(tmp_path: Path, is_softmax: bool) -> None:
    face = only_face(tmp_path, planted(retinaface_outputs(SIZE, is_softmax=is_softmax)))
    # The prior's centre is (28, 20); a tenth of its 32 px is the unit of places.
    np.testing.assert_allclose(face.box, [36 - 32, 12 - 16, 36 + 32, 12 + 16], atol=1e-3)
    assert_points(face, [28, 20] + np.arange(10).reshape(5, 2) * 3.2, RETINAFACE)
    assert face.score == pytest.approx(0.75)


def test_files_of_a_fixed_size_see_the_whole_picture_in_their_upper_left(tmp_path: Path) -> None:
    data = planted(retinaface_outputs((64, 64)), input_shape=(1, 3, 64, 64))
    # 128 x 96 px shrink to 64 x 48: everything comes back twice as large.
    face = only_face(tmp_path, data, np.zeros((1, 96, 128, 3), dtype=np.uint8))
    np.testing.assert_allclose(face.box, [8, -8, 136, 56], atol=1e-2)
    assert_points(face, 2 * ([28, 20] + np.arange(10).reshape(5, 2) * 3.2), RETINAFACE)


def test_ultraface_reads_shares_of_the_picture(tmp_path: Path) -> None:
    scores, boxes = np.zeros((1, 7, 2)), np.zeros((1, 7, 4))
    scores[0, 3], boxes[0, 3] = (0.1, 0.9), (0.25, 0.5, 0.5, 1.0)
    data = planted({"scores": scores, "boxes": boxes}, input_shape=(1, 3, 48, 64))
    face = only_face(tmp_path, data, np.zeros((1, 96, 128, 3), dtype=np.uint8))
    np.testing.assert_allclose(face.box, [32, 48, 64, 96], atol=1e-4)


def test_a_file_of_another_kind_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(
        UnsupportedInputError, match=r"no detector of a known kind; known: centerface-1 .*yunet-1 .*scrfd-1"
    ) as e:
        make_detector(write(tmp_path / "other.onnx", planted({"answer": np.ones((1, 7))})))
    assert "answer (1, 7)" in str(e.value)
    assert "\n" not in str(e.value)


def test_the_name_tells_kind_and_file(tmp_path: Path) -> None:
    one, two = (
        make_detector(write(tmp_path / f"{i}.onnx", planted(scrfd_outputs(SIZE, 8, i, 0, 0))), threads=1).name
        for i in (0, 1)
    )
    assert one.startswith("scrfd-1-")
    assert one != two
