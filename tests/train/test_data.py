from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from foreign_files import write_dfl
from makers import tiny_faceset

from faceswap.errors import CropMismatchError, NoFaceError, UnsupportedInputError
from faceswap.facesets.actions import drop
from faceswap.facesets.imports import import_faces
from faceswap.facesets.store import FaceSet
from faceswap.media.pictures import read_picture_bgr, write_picture
from faceswap.train import data
from faceswap.train.data import MIN_FACES, load_pack
from faceswap.types import CropSpec

CPU = torch.device("cpu")


def test_pack_holds_every_face_with_its_mask(tmp_path: Path) -> None:
    faceset = FaceSet.open(tiny_faceset(tmp_path, "anna", num_faces=9))
    pack = load_pack(faceset, CropSpec(64), CPU)
    assert pack.actor == "anna"
    assert pack.pixels.dtype is torch.uint8
    assert pack.pixels.shape[:2] == (9, 4)
    side = pack.pixels.shape[-1]
    assert pack.pixels[:, 3, side // 2, side // 2].float().mean() > 200
    assert pack.pixels[:, 3, 0, 0].float().mean() < 20


def test_pixels_are_rgb(tmp_path: Path) -> None:
    faceset = FaceSet.open(tiny_faceset(tmp_path, "anna"))
    pack = load_pack(faceset, CropSpec(96), CPU)  # larger than stored: nothing is resized
    bgr = read_picture_bgr(tmp_path / faceset.records()[0].file)
    assert bgr is not None
    np.testing.assert_array_equal(pack.pixels[0, :3].numpy(), bgr[:, :, ::-1].transpose(2, 0, 1))


def test_too_few_faces_are_refused(tmp_path: Path) -> None:
    faceset = FaceSet.open(tiny_faceset(tmp_path, "anna", num_faces=MIN_FACES - 1))
    with pytest.raises(NoFaceError, match="at least"):
        load_pack(faceset, CropSpec(64), CPU)


def test_crop_the_faceset_does_not_hold_is_refused(tmp_path: Path) -> None:
    faceset = FaceSet.open(tiny_faceset(tmp_path, "anna"))
    with pytest.raises(CropMismatchError, match="--coverage head"):
        load_pack(faceset, CropSpec(64, "head"), CPU)


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_missing_or_damaged_crop_is_named(tmp_path: Path, content: bytes | None) -> None:
    faceset = FaceSet.open(tiny_faceset(tmp_path, "anna"))
    path = tmp_path / faceset.records()[3].file
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnsupportedInputError, match=path.name):
        load_pack(faceset, CropSpec(64), CPU)


def test_faces_with_68_landmarks_are_packed_with_their_masks(tmp_path: Path) -> None:
    (tmp_path / "aligned").mkdir()
    for i in range(MIN_FACES):
        write_dfl(tmp_path / "aligned" / f"{i:05d}_0.jpg", frame=f"{i:05d}.png")
    import_faces([tmp_path / "aligned"], tmp_path / "set", "anna", size=128)
    pack = load_pack(FaceSet.open(tmp_path / "set"), CropSpec(64), CPU)
    side = pack.pixels.shape[-1]
    assert len(pack.pixels) == MIN_FACES
    assert pack.pixels[:, 3, side // 2, side // 2].float().mean() > 200
    assert pack.pixels[:, 3, 0, 0].float().mean() < 20


def test_faces_sorted_out_are_not_packed(tmp_path: Path) -> None:
    faceset = FaceSet.open(tiny_faceset(tmp_path, "anna", num_faces=10))
    drop(faceset, {faceset.records()[0].file: "by hand"}, "trash")
    assert len(load_pack(faceset, CropSpec(64), CPU).pixels) == 9


def test_pack_is_kept_and_mapped_the_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faceset = FaceSet.open(tiny_faceset(tmp_path, "anna"))
    first = load_pack(faceset, CropSpec(64), CPU, ("eyes", "mouth"))
    monkeypatch.setattr(data, "_load_face", None)  # nothing is decoded again
    again = load_pack(faceset, CropSpec(64), CPU, ("eyes", "mouth"))
    assert torch.equal(first.pixels, again.pixels)
    assert len(list((tmp_path / "packs").iterdir())) == 1


def test_pack_is_built_anew_when_a_crop_changes(tmp_path: Path) -> None:
    faceset = FaceSet.open(tiny_faceset(tmp_path, "anna"))
    old = load_pack(faceset, CropSpec(96), CPU).pixels.clone()
    path = tmp_path / faceset.records()[0].file
    write_picture(path, np.full((96, 96, 3), 200, np.uint8))
    new = load_pack(faceset, CropSpec(96), CPU).pixels
    assert not torch.equal(new[0], old[0])
    assert torch.equal(new[1:], old[1:])


@pytest.mark.parametrize("damage", ["empty", "text", "cut off", "other shape", "other type", "pickle"])
def test_a_damaged_pack_is_made_anew(tmp_path: Path, damage: str) -> None:
    faceset = FaceSet.open(tiny_faceset(tmp_path, "anna"))
    whole = load_pack(faceset, CropSpec(64), CPU).pixels.clone()
    (path,) = (tmp_path / "packs").iterdir()
    content = path.read_bytes()
    if damage in ("other shape", "other type", "pickle"):
        kinds = {"other shape": np.zeros((1, 2), np.uint8), "other type": np.zeros(tuple(whole.shape), np.float32)}
        np.save(path, kinds.get(damage, np.array([{}], dtype=object)), allow_pickle=True)
    else:
        path.write_bytes({"empty": b"", "text": b"no pack" * 99, "cut off": content[:-5]}[damage])
    assert torch.equal(load_pack(faceset, CropSpec(64), CPU).pixels, whole)
    assert path.read_bytes() == content


def test_pack_is_made_in_memory_where_no_file_can_be_written(tmp_path: Path) -> None:
    faceset = FaceSet.open(tiny_faceset(tmp_path, "anna"))
    (tmp_path / "packs").write_text("in the way")
    assert load_pack(faceset, CropSpec(64), CPU).pixels[:, :3].float().std() > 1


def test_regions_are_where_the_template_has_them(tmp_path: Path) -> None:
    pack = load_pack(FaceSet.open(tiny_faceset(tmp_path, "anna")), CropSpec(64), CPU, ("eyes", "mouth"))
    assert pack.pixels.shape[1] == 6
    rows = torch.arange(pack.pixels.shape[-1]).float()
    eyes, mouth = ((part.float().sum(dim=1) * rows).sum() / part.float().sum() for part in pack.pixels[0, 4:])
    assert eyes + 10 < mouth


def test_parts_hold_their_faces_only(tmp_path: Path) -> None:
    pack = load_pack(FaceSet.open(tiny_faceset(tmp_path, "anna")), CropSpec(64), CPU)
    part = pack.part(np.arange(10) % 2 == 1, 0.5)
    assert (len(part), len(part.records)) == (5, 5)
    assert torch.equal(part.take(torch.tensor([4]), CPU)[0], pack.pixels[9])
    assert torch.equal(part.part(np.arange(5) == 2).take(torch.tensor([0]), CPU)[0], pack.pixels[5])
