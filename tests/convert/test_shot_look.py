from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import astronaut_picture, gradient_picture, make_clip
from convert_job import start, wait_until_held
from makers import detector, tiny_model

from faceswap.convert import shot_look
from faceswap.convert.config import ConvertConfig
from faceswap.convert.pipeline import convert_clip
from faceswap.convert.shot_look import read_looks, write_looks
from faceswap.convert.work import facts_in
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel

SIZE = (120, 160)
NUM_FRAMES = 40
SHOT: dict[str, Any] = {"codec": "ffv1", "match_over": "shot", "light": 0, "sharpness": 0, "occlusion": "off"}


def lit(frame: int) -> np.ndarray:
    """A face that gets darker all through the shot."""
    return (astronaut_picture(SIZE, 8 * np.sin(frame / 9)) * (1 - 0.012 * frame)).astype(np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SwapModel:
    return SwapModel.load(tiny_model(tmp_path_factory.mktemp("model")), device="cpu", precision="fp32")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "a.mkv", size=SIZE, num_frames=NUM_FRAMES, picture=lit)


def lumas(path: Path) -> list[np.ndarray]:
    return [frame.planes[0] for frame in VideoReader(path)]


def converted(clip: Path, model: SwapModel, name: str, **settings: Any) -> Path:
    output = clip.with_name(name)
    config = ConvertConfig(**{**SHOT, **settings})
    convert_clip(clip, model, output, config=config, detector=detector(), overwrite=True)
    return output


def test_one_map_holds_for_the_whole_shot(clip: Path, model: SwapModel) -> None:
    """The colours of the face do not follow the light of the moment, but for the network's own."""
    steady, sliding = (lumas(converted(clip, model, f"{over}.mkv", match_over=over)) for over in ("shot", "sliding"))
    inside = np.abs(steady[20].astype(int) - lumas(clip)[20]) > 0
    means = [[float(luma[inside].mean()) for luma in of] for of in (steady, sliding)]
    falls = [values[0] - values[-1] for values in means]
    assert falls[0] < 0.8 * falls[1]  # what is left of the fall is the network's own
    assert abs(means[0][20] - means[1][20]) < 0.3 * falls[1]  # in the middle of the shot both agree


def test_segments_do_not_show_and_a_restart_goes_on_with_the_same_numbers(clip: Path, tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "model")
    whole, stopped = tmp_path / "whole.mkv", tmp_path / "stopped.mkv"
    process = start(clip, folder, whole, **SHOT)
    process.join()
    assert process.exitcode == 0
    process = start(clip, folder, stopped, hold=1, **SHOT)
    wait_until_held(process, stopped)
    assert list(tmp_path.glob(".faceswap/stopped.mkv.work/colours.json"))
    ((runner, batch),) = facts_in(tmp_path / ".faceswap" / "stopped.mkv.work")["runners"]
    assert (runner.partition("-")[0], batch) == ("torch", 8)  # what a restart keeps to, whatever is quickest then
    process.kill()
    process.join()
    process = start(clip, folder, stopped, **SHOT)
    process.join()
    assert all(np.array_equal(a, b) for a, b in zip(lumas(whole), lumas(stopped), strict=True))


def test_processes_agree(clip: Path, model: SwapModel, tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "model")
    one, two = tmp_path / "one.mkv", tmp_path / "two.mkv"
    for output, jobs in ((one, 1), (two, 2)):
        process = start(clip, folder, output, jobs=jobs, **SHOT)
        process.join()
        assert process.exitcode == 0
    assert all(np.array_equal(a, b) for a, b in zip(lumas(one), lumas(two), strict=True))


def test_few_frames_are_looked_at_and_none_where_it_is_not_wanted(
    clip: Path, model: SwapModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    real = shot_look.look_at_shots

    def counted(job: Any, index: Any, *args: Any, **kwargs: Any) -> Any:
        looked.append(len(shot_look._samples(job, index)))
        return real(job, index, *args, **kwargs)

    monkeypatch.setattr("faceswap.convert.make.look_at_shots", counted)
    converted(clip, model, "shot.mkv")
    converted(clip, model, "sliding.mkv", match_over="sliding")
    converted(clip, model, "none.mkv", match="none")
    assert looked == [shot_look.NUM_SAMPLES, 0, 0]


@pytest.mark.usefixtures("without_watermark")
def test_an_override_has_its_own_stretch_of_time(model: SwapModel, tmp_path: Path) -> None:
    def cut(frame: int) -> np.ndarray:
        return lit(frame) if frame < 20 else lit(frame - 20)[:, ::-1] if frame >= 22 else gradient_picture(SIZE, frame)

    clip = make_clip(tmp_path / "b.mkv", size=SIZE, num_frames=42, picture=cut)
    plain = converted(clip, model, "plain.mkv", match_over="sliding")
    over = {"start": "22", "match_over": "shot"}
    mixed = converted(clip, model, "mixed.mkv", match_over="sliding", override=[over])
    same = [np.array_equal(a, b) for a, b in zip(lumas(plain), lumas(mixed), strict=True)]
    assert all(same[:22])
    assert not all(same[22:])


def test_looks_come_back_bit_for_bit_and_damaged_ones_not_at_all(tmp_path: Path) -> None:
    looks = {"mkl": {(0, 3): np.random.default_rng(0).normal(size=24)}, "histogram": {}}
    write_looks(tmp_path / "looks", looks)
    found = read_looks(tmp_path / "looks")
    assert found is not None
    np.testing.assert_array_equal(found["mkl"][0, 3], looks["mkl"][0, 3])
    assert read_looks(tmp_path / "not there") is None
    (tmp_path / "looks").write_bytes(b'{"mkl": [{"shot')
    assert read_looks(tmp_path / "looks") is None
