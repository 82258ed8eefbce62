from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from makers import smooth_noise

from faceswap import geometry, resample
from faceswap.train.augment import Batch, Sampler, exchange_colors
from faceswap.train.config import AugmentSettings
from faceswap.train.data import FacePack
from faceswap.types import CropSpec

STILL = AugmentSettings(rotation_degrees=0, scale=0, shift=0, warp=0, light=0, tint=0)


@pytest.fixture(scope="module")
def pack() -> FacePack:
    """Six faces: soft noise, a disc as mask, crops with room around the model's."""
    y, x = np.indices((96, 96)) - 47.5
    mask = (np.hypot(x, y) < 30).astype(np.uint8) * 255
    faces = [np.dstack([smooth_noise((96, 96), seed) * 255, mask]).transpose(2, 0, 1) for seed in range(6)]
    matrix = geometry.patch_from_patch(CropSpec(64), CropSpec(96, margin=0.12))
    return FacePack("anna", torch.from_numpy(np.stack(faces).astype(np.uint8)), matrix, 64)


def draw(pack: FacePack, settings: AugmentSettings, *, warp: bool = True, seed: int = 0, count: int = 4) -> Batch:
    return Sampler(settings, 64, torch.Generator().manual_seed(seed)).draw(pack, count, warp=warp)


def test_same_generator_draws_the_same_batch(pack: FacePack) -> None:
    first, again = draw(pack, AugmentSettings()), draw(pack, AugmentSettings())
    for name in ("inputs", "truth", "mask"):
        assert torch.equal(getattr(first, name), getattr(again, name))


def test_generator_goes_on_from_its_state(pack: FacePack) -> None:
    generator = torch.Generator().manual_seed(3)
    sampler = Sampler(AugmentSettings(), 64, generator)
    sampler.draw(pack, 2, warp=True)
    state = generator.get_state()
    expected = sampler.draw(pack, 2, warp=True)
    torch.rand(5)  # the global generator has no say
    generator.set_state(state)
    assert torch.equal(sampler.draw(pack, 2, warp=True).inputs, expected.inputs)


def test_other_seeds_draw_other_batches(pack: FacePack) -> None:
    assert not torch.equal(draw(pack, AugmentSettings()).truth, draw(pack, AugmentSettings(), seed=1).truth)


def test_batch_has_the_documented_shapes_and_ranges(pack: FacePack) -> None:
    batch = draw(pack, AugmentSettings(light=1, tint=1, shift=0.2, rotation_degrees=45))
    assert batch.inputs.shape == batch.truth.shape == (4, 3, 64, 64)
    assert batch.mask.shape == (4, 1, 64, 64)
    for part in (batch.inputs, batch.truth, batch.mask):
        assert part.dtype is torch.float32
        assert 0 <= part.min() <= part.max() <= 1


def test_batch_without_warp_has_its_truth_as_input(pack: FacePack) -> None:
    batch = draw(pack, AugmentSettings(), warp=False)
    assert torch.equal(batch.inputs, batch.truth)


def test_warp_moves_the_input_and_not_the_truth(pack: FacePack) -> None:
    settings = STILL.model_copy(update={"warp": 0.05})
    batch = draw(pack, settings)
    assert torch.equal(batch.truth, draw(pack, STILL).truth)
    assert (batch.inputs - batch.truth).abs().mean() > 0.01


def test_picture_without_variation_is_the_models_crop(pack: FacePack) -> None:
    batch = draw(pack, STILL, count=1)
    crops = [resample.warp_reference(face[:3].float() / 255, pack.model_from_pack, (64, 64)) for face in pack.pixels]
    assert min((batch.truth[0] - crop).abs().max().item() for crop in crops) < 0.01


def test_light_is_the_same_for_input_and_truth(pack: FacePack) -> None:
    batch = draw(pack, AugmentSettings(rotation_degrees=0, scale=0, shift=0, warp=1e-6, light=0.5, tint=0.2))
    torch.testing.assert_close(batch.inputs, batch.truth, atol=1e-3, rtol=0)
    assert (batch.truth - draw(pack, STILL).truth).abs().mean() > 0.02


def test_mask_moves_with_the_face(pack: FacePack) -> None:
    settings = STILL.model_copy(update={"shift": 0.2})
    moved, still = draw(pack, settings, count=1).mask[0, 0], draw(pack, STILL, count=1).mask[0, 0]

    def centre(mask: torch.Tensor) -> float:
        return float((mask.sum(dim=0) * torch.arange(64)).sum() / mask.sum())

    assert abs(centre(moved) - centre(still)) > 0.5
    assert moved.sum() == pytest.approx(float(still.sum()), rel=0.02)


def test_flip_mirrors_every_face_when_sure(pack: FacePack) -> None:
    mirrored = draw(pack, STILL.model_copy(update={"flip": 1.0}))
    torch.testing.assert_close(mirrored.truth.flip(-1), draw(pack, STILL).truth, atol=1e-4, rtol=0)


def flat_batch(level: float, count: int = 6) -> Batch:
    picture = level + 0.05 * torch.rand((count, 3, 16, 16), generator=torch.Generator().manual_seed(3))
    return Batch(picture, picture.clone(), torch.ones(count, 1, 16, 16))


def test_exchanged_faces_have_the_other_identitys_colours_in_input_and_truth() -> None:
    batches = [flat_batch(0.2), flat_batch(0.7)]
    first, second = exchange_colors(batches, 1.0, torch.Generator().manual_seed(0))
    assert float(first.truth.mean()) == pytest.approx(float(batches[1].truth.mean()), abs=0.02)
    assert float(second.truth.mean()) == pytest.approx(float(batches[0].truth.mean()), abs=0.02)
    torch.testing.assert_close(first.inputs, first.truth)


def test_nothing_is_exchanged_without_chance_or_partner() -> None:
    batches = [flat_batch(0.2), flat_batch(0.7)]
    generator = torch.Generator().manual_seed(0)
    assert exchange_colors(batches, 0.0, generator) == batches
    assert exchange_colors(batches[:1], 1.0, generator) == batches[:1]


def test_some_faces_keep_their_colours() -> None:
    batches = [flat_batch(0.2, 40), flat_batch(0.7, 40)]
    first, _ = exchange_colors(batches, 0.5, torch.Generator().manual_seed(0))
    changed = (first.truth - batches[0].truth).abs().amax(dim=(1, 2, 3)) > 0.1
    assert 5 < int(changed.sum()) < 35


def test_obstacle_hides_the_input_and_leaves_the_truth(pack: FacePack) -> None:
    batch, free = draw(pack, STILL.model_copy(update={"obstacles": 1.0})), draw(pack, STILL)
    assert torch.equal(batch.truth, free.truth)
    assert torch.equal(batch.outline, free.mask)
    hidden = (batch.outline - batch.mask)[:, 0] > 0.5
    changed = (batch.inputs - batch.truth).abs().amax(dim=1) > 0.02
    assert hidden.any(dim=(1, 2)).all()
    assert (changed & hidden).sum() > 0.8 * hidden.sum()
    assert not changed[(batch.outline - batch.mask)[:, 0] == 0][
        batch.outline[:, 0][(batch.outline - batch.mask)[:, 0] == 0] > 0.9
    ].any()


def test_only_some_inputs_are_spoilt(pack: FacePack) -> None:
    batch = draw(pack, STILL.model_copy(update={"blur": 0.5, "compression": 0.5}), count=40)
    changed = (batch.inputs - batch.truth).abs().amax(dim=(1, 2, 3)) > 0.01
    assert 10 < int(changed.sum()) < 40
    assert torch.equal(batch.truth, draw(pack, STILL, count=40).truth)


def test_other_kinds_of_variation_do_not_change_the_draws(pack: FacePack) -> None:
    plain, more = AugmentSettings(), AugmentSettings(blur=0.5, obstacles=0.5, compression=0.5)
    assert torch.equal(draw(pack, plain).truth, draw(pack, more).truth)


def test_change_of_light_is_that_of_the_plain_formula(pack: FacePack) -> None:
    settings = STILL.model_copy(update={"light": 0.4, "tint": 0.2})
    lit, plain = draw(pack, settings).truth, draw(pack, STILL).truth
    for number in range(
        4
    ):  # g (k x^2.2 / g)^c in linear light is a straight line in logarithms, one slope for all channels
        x, y = plain[number].clamp(min=1e-2).log().flatten(1), lit[number].log().flatten(1)
        inside = (lit[number].flatten(1) < 0.98) & (lit[number].flatten(1) > 0.03)
        slopes = [np.polyfit(x[c][inside[c]], y[c][inside[c]], 1)[0] for c in range(3)]
        assert slopes == pytest.approx([slopes[0]] * 3, abs=0.01)


def test_rare_faces_are_drawn_by_their_odds(pack: FacePack) -> None:
    odds = torch.tensor([0.9, 0.92, 0.94, 0.96, 0.98, 1.0])
    chosen = replace(pack, odds=odds).choose(torch.rand(2000, generator=torch.Generator().manual_seed(0)))
    assert 0.86 < float((chosen == 0).float().mean()) < 0.94
    assert chosen.max() == 5
