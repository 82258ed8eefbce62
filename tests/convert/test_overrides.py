"""Settings for a shot, a track or a stretch of time: how they are read, for whom they hold, and that they reach the picture."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import convert_job
import numpy as np
import pytest
from clips import astronaut_picture, make_clip
from makers import detector, face_at, frame_table, tiny_model
from people import make_two_person_clip

from faceswap.config import validated
from faceswap.convert.config import ConvertConfig
from faceswap.convert.overrides import SettingsFor, config_of
from faceswap.convert.pipeline import convert_clip
from faceswap.errors import UsageError
from faceswap.faces.index import FaceIndex
from faceswap.masks import Sides
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.types import Shot

SIZE = (160, 200)
TOML = """
feather = 0.1
faces = "all"
keep = ["eyes"]

[[override]]
shots = "2"
feather = 0.2

[[override]]
shots = "2-3"
tracks = [1]
start = 12
keep = "none"
match = "none"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def model(folder: Path) -> SwapModel:
    return SwapModel.load(folder, device="cpu", precision="fp32")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "film.toml"
    path.write_text(TOML)
    return path


def index() -> FaceIndex:
    """Return an index of three shots of ten frames with two tracks."""
    faces = [face_at(40 + 50 * track, 60, 20, frame=i, track=track) for i in range(30) for track in (0, 1)]
    shots = (Shot(0, 10, "start"), Shot(10, 20), Shot(20, 30))
    return FaceIndex("f" * 64, "fixed-1", frame_table(30), 1, 24, (), (), shots, tuple(faces))


def settings(*overrides: dict[str, Any], **top: Any) -> SettingsFor:
    return SettingsFor.of(validated(ConvertConfig, {**top, "override": list(overrides)}, "test"), index())


def test_options_win_over_the_file_and_the_file_over_the_defaults(file: Path) -> None:
    config = config_of(file, {"feather": 0.3, "erode": None, "track": "1"}, "convert")
    assert (config.feather, config.erode, config.keep) == (0.3, Sides(), ("eyes",))
    assert (config.track, config.faces) == ("1", None)  # one choice of people replaces the other
    assert [override.values for override in config.override] == [{"feather": 0.2}, {"match": "none", "keep": ()}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("feater = 0.1", "unknown key 'feater'; did you mean 'feather'"),
        ("feather = 2", r"feather = 2: .* less than or equal to 0.5"),
        ('[[override]]\nshots = "1"\nfeater = 0.1', "unknown key 'override 1.feater'; did you mean 'feather'"),
        ('[[override]]\nshots = "1"\nfeather = "wide"', "override 1.feather = 'wide'"),
        ('[[override]]\nshots = "1"\ncodec = "ffv1"', "override 1: codec holds for the whole job"),
        ("[[override]]\nfeather = 0.1", "override 1 does not say where it holds"),
        ('[[override]]\nshots = "1"', "override 1: it changes no setting"),
        ('[[override]]\nshots = "1;2"\nfeather = 0.1', "override 1: shots '1;2' is not understood"),
        ('[[override]]\ntracks = "x"\nfeather = 0.1', "override 1: tracks 'x' is not a list"),
        ('[[override]]\nstart = "soon"\nfeather = 0.1', "override 1: start 'soon' is not understood"),
        ("override = 3", "override = 3"),
        ("[override", "not valid TOML"),
    ],
)
def test_what_a_file_must_not_say_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(UsageError, match=message):
        config_of(tmp_path / "bad.toml", {}, "convert")


def test_each_face_gets_the_settings_of_its_shot_track_and_time(file: Path) -> None:
    found = SettingsFor.of(config_of(file, {}, "convert"), index())

    def said(frame: int, track: int) -> tuple[object, ...]:
        of = found.face(frame, track)
        return of.feather, of.match, of.keep

    assert said(9, 1) == (0.1, "mkl", ("eyes",))
    assert said(10, 1) == (0.2, "mkl", ("eyes",))
    assert said(12, 1) == (0.2, "none", ())
    assert said(12, 0) == (0.2, "mkl", ("eyes",))
    assert said(20, 1) == (0.1, "none", ())
    assert said(20, 0) == (0.1, "mkl", ("eyes",))
    assert len(found.all) == 4
    assert pickle.loads(pickle.dumps(found)) == found


def test_later_overrides_win() -> None:
    found = settings({"tracks": "0", "feather": 0.2, "erode": 0.1}, {"shots": "1", "feather": 0.3})
    assert (found.face(5, 0).feather, found.face(5, 0).erode) == (0.3, Sides.all(0.1))
    assert (found.face(15, 0).feather, found.face(5, 1).feather, found.face(15, 1).feather) == (0.2, 0.3, 0.08)


def test_without_overrides_every_face_has_the_settings_of_the_job() -> None:
    config = ConvertConfig(feather=0.3, keep=("mouth",))
    found = SettingsFor.of(config, index())
    assert found == SettingsFor.everywhere(config)
    assert found.all == (config.of_each_face(),)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"shots": "4"}, "override 1: shots: there is no shot 4; the clip has 3 shots"),
        ({"tracks": "0,7"}, r"override 1: there is no track 7; the clip has the tracks 0 \(shot 1"),
        ({"start": "99"}, "override 1: start '99' lies outside the clip"),
        ({"start": "20", "end": "10"}, "override 1: start 20 and override 1: end 10 leave no frame"),
    ],
)
def test_what_the_clip_does_not_have_is_an_error(override: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        settings({**override, "feather": 0.2})


def test_numbers_and_times_may_stand_without_quotes(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        "shots = 3\ntrack = [1, 2]\nstart = 00:01:02\n[[override]]\nshots = 2\nend = 7\nfeather = 0.1\n"
    )
    config = config_of(tmp_path / "a.toml", {}, "convert")
    assert (config.shots, config.track, config.start) == ("3", "1,2", "00:01:02")
    assert (config.override[0].shots, config.override[0].end) == ("2", "7")


def test_a_value_that_is_the_default_is_still_an_override() -> None:
    config = validated(ConvertConfig, {"feather": 0.2, "override": [{"shots": "1", "feather": 0.08}]}, "test")
    assert config.model_dump(mode="json")["override"] == [{"feather": 0.08, "shots": "1"}]
    assert SettingsFor.of(config, index()).face(0, 0).feather == 0.08


def two_shots(frame: int) -> np.ndarray:
    face = astronaut_picture(SIZE, frame % 9)
    return face if frame < 9 else np.ascontiguousarray(face[:, ::-1] // 2)


def converted(clip: Path, model: SwapModel, output: Path, **values: Any) -> list[np.ndarray]:
    """Return the planes of each frame of a lossless conversion, one after the other."""
    config = validated(ConvertConfig, {"codec": "ffv1", **values}, "test")
    report = convert_clip(clip, model, output, config=config, detector=detector(), overwrite=True)
    assert report.settings["codec"] == "ffv1"
    assert len(report.settings["override"]) == len(config.override)
    return [np.concatenate([plane.ravel() for plane in frame.planes]) for frame in VideoReader(output)]


@pytest.mark.usefixtures("without_watermark")
def test_an_overridden_shot_is_as_if_all_were_so_and_the_others_as_if_none_was(
    model: SwapModel, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "in.mkv", size=SIZE, num_frames=18, codec="ffv1", picture=two_shots)
    other = {"feather": 0.2, "match": "none", "keep": "mouth", "occlusion": "off"}
    plain, all_other, mixed = (
        converted(clip, model, tmp_path / "out.mkv", **values)
        for values in ({}, other, {"override": [{"shots": "2", **other}]})
    )
    for frame in range(18):
        expected, unlike = (plain, all_other) if frame < 9 else (all_other, plain)
        np.testing.assert_array_equal(mixed[frame], expected[frame])
        assert (mixed[frame] != unlike[frame]).any()


@pytest.mark.usefixtures("without_watermark")
def test_an_overridden_track_leaves_the_person_beside_it_alone(model: SwapModel, tmp_path: Path) -> None:
    clip = make_two_person_clip(tmp_path / "in.mkv")
    values = {"faces": "all", "occlusion": "off"}
    plain, other, mixed = (
        converted(clip, model, tmp_path / "out.mkv", **values, **more)
        for more in ({}, {"erode": 0.15}, {"override": [{"tracks": "1", "erode": 0.15}]})
    )
    for of_plain, of_other, of_both in zip(plain, other, mixed, strict=True):
        from_plain, from_other = of_both == of_plain, of_both == of_other
        assert (from_plain | from_other).all()
        assert not from_plain.all()
        assert not from_other.all()


def test_an_override_of_what_is_not_there_stops_before_rendering(model: SwapModel, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv", size=SIZE, num_frames=4, picture=astronaut_picture_of)
    with pytest.raises(UsageError, match="there is no shot 2; the clip has one shot: 1"):
        converted(clip, model, tmp_path / "out.mkv", override=[{"shots": "2", "feather": 0.1}])
    with pytest.raises(UsageError, match="--mask-use replace needs painted masks"):
        converted(clip, model, tmp_path / "out.mkv", override=[{"shots": "1", "mask_use": "replace"}])
    assert not (tmp_path / "out.mkv").exists()


def astronaut_picture_of(frame: int) -> np.ndarray:
    return astronaut_picture(SIZE, frame)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_more_processes_and_other_overrides_after_a_stop_give_what_a_fresh_run_gives(
    folder: Path, tmp_path: Path
) -> None:
    """Segments that were finished with other overrides are not taken for this job's."""
    clip = convert_job.make_long_clip(tmp_path / "in.mkv", 64)
    first, second = ([{"start": "10", "end": "40", "feather": width}] for width in (0.3, 0.2))
    outputs = [tmp_path / f"{name}.mkv" for name in ("fresh", "shared", "stopped")]
    process = convert_job.start(clip, folder, outputs[2], hold=2, override=first)
    convert_job.wait_until_held(process, outputs[2])
    process.kill()
    process.join()
    for output, jobs in zip(outputs, (1, 2, 1), strict=True):
        process = convert_job.start(clip, folder, output, jobs=jobs, override=second)
        process.join()
        assert process.exitcode == 0, convert_job.said_by(output).read_text()
    assert len({digest(output) for output in outputs}) == 1
