from __future__ import annotations

import numpy as np
import pytest
import torch
from makers import smooth_noise
from skimage.metrics import structural_similarity

from faceswap.train import losses
from faceswap.train.config import LossSettings
from faceswap.train.losses import Truth, dssim_map, focal_frequency, weighted_mean
from faceswap.train.losses import swap_loss as loss_of

SETTINGS = LossSettings()


def swap_loss(
    face: torch.Tensor, mask: torch.Tensor, truth: torch.Tensor, truth_mask: torch.Tensor, settings: LossSettings
) -> torch.Tensor:
    return loss_of(face, mask, Truth(truth, truth_mask, truth_mask), settings)


def picture(seed: int, size: int = 40) -> torch.Tensor:
    return torch.from_numpy(smooth_noise((size, size), seed, blur=2)).permute(2, 0, 1)[None]


def noisy(image: torch.Tensor, amount: float = 0.1) -> torch.Tensor:
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    return (image + amount * noise).clamp(0, 1)


def test_equal_pictures_have_no_dissimilarity() -> None:
    assert dssim_map(picture(0), picture(0)).abs().max() < 1e-5


def test_dissimilarity_stays_between_zero_and_one() -> None:
    board = (torch.arange(40)[:, None] + torch.arange(40)).remainder(2).float().expand(1, 3, 40, 40)
    for a, b in [(picture(0), picture(1)), (board, 1 - board), (torch.zeros(1, 3, 40, 40), torch.ones(1, 3, 40, 40))]:
        values = dssim_map(a, b)
        assert values.min() >= -1e-5
        assert values.max() <= 1 + 1e-5


def test_opposite_pictures_are_the_most_dissimilar() -> None:
    board = (torch.arange(40)[:, None] + torch.arange(40)).remainder(2).float().expand(1, 3, 40, 40)
    assert dssim_map(board, 1 - board).mean() > 0.9


def test_dissimilarity_is_that_of_scikit_image() -> None:
    a, b = picture(0), noisy(picture(0))
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0, "full": True}
    _, full = structural_similarity(a[0].double().numpy(), b[0].double().numpy(), channel_axis=0, **options)
    valid = full[:, 5:-5, 5:-5]
    np.testing.assert_allclose(dssim_map(a, b)[0].numpy(), (1 - valid) / 2, atol=1e-4)


def test_dissimilarity_gives_the_made_picture_its_gradient_and_the_truth_none() -> None:
    def plain(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """The definition, with five windows."""
        mean_a, mean_b, square_a, square_b, product = map(losses._blur, (a, b, a * a, b * b, a * b))
        luminance = (2 * mean_a * mean_b + losses._C1) / (mean_a**2 + mean_b**2 + losses._C1)
        variances = square_a + square_b - mean_a**2 - mean_b**2
        return (1 - luminance * (2 * (product - mean_a * mean_b) + losses._C2) / (variances + losses._C2)) / 2

    gradients = []
    for form in (plain, dssim_map):
        a, b = (image.clone().requires_grad_() for image in (noisy(picture(0)), picture(0)))
        form(a, b).square().sum().backward()
        gradients.append((a.grad, b.grad))
    torch.testing.assert_close(gradients[1][0], gradients[0][0], atol=1e-5, rtol=1e-4)
    assert gradients[1][1] is None


def test_dissimilarity_need_not_be_square() -> None:
    a = torch.rand(2, 3, 20, 30)
    assert dssim_map(a, a).shape == (2, 3, 10, 20)


def test_weighted_mean_counts_only_where_there_is_weight() -> None:
    values, weight = torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)
    values[..., :4] = 5
    weight[..., :2] = 1
    assert weighted_mean(values, weight) == pytest.approx(5)


def test_weight_is_cropped_around_the_middle() -> None:
    weight = torch.zeros(1, 1, 12, 12)
    weight[..., 6, 6] = 1
    values = torch.zeros(1, 1, 2, 2)
    values[..., 1, 1] = 3
    assert weighted_mean(values, weight) == pytest.approx(3)


def test_perfect_output_costs_nothing() -> None:
    mask = torch.ones(1, 1, 40, 40)
    assert swap_loss(picture(0), mask, picture(0), mask, SETTINGS) == pytest.approx(0, abs=1e-4)


def test_errors_inside_the_face_weigh_more_than_outside() -> None:
    truth, mask = torch.full((1, 3, 64, 64), 0.5), torch.zeros(1, 1, 64, 64)
    mask[..., :32] = 1
    inside, outside = truth.clone(), truth.clone()
    inside[..., :16] += 0.2
    outside[..., 48:] += 0.2
    assert swap_loss(inside, mask, truth, mask, SETTINGS) > 5 * swap_loss(outside, mask, truth, mask, SETTINGS)


def test_wrong_mask_costs() -> None:
    truth, mask = picture(0), torch.ones(1, 1, 40, 40)
    assert swap_loss(truth, 0 * mask, truth, mask, SETTINGS) == pytest.approx(SETTINGS.mask, abs=1e-3)


def test_loss_of_equal_flat_pictures_has_finite_gradients() -> None:
    face = torch.zeros(1, 3, 40, 40, requires_grad=True)
    mask = torch.zeros(1, 1, 40, 40)
    swap_loss(face, mask, torch.zeros(1, 3, 40, 40), mask, SETTINGS).backward()
    assert torch.isfinite(face.grad).all()


@pytest.mark.parametrize("term", ["mse", "frequency", "eyes", "mouth"])
def test_each_further_term_raises_the_loss_of_a_wrong_face(term: str) -> None:
    mask = torch.ones(1, 1, 40, 40)
    regions = torch.zeros(1, 1, 40, 40)
    regions[..., 10:20, 10:20] = 1
    face = picture(0).clone()
    face[..., 10:20, 10:20] += 0.2
    more = SETTINGS.model_copy(update={term: 20.0})
    truth = Truth(picture(0), mask, mask, regions)
    assert loss_of(face, mask, truth, more) > 1.1 * loss_of(face, mask, truth, SETTINGS)
    assert loss_of(picture(0), mask, truth, more) == pytest.approx(0, abs=1e-4)


def test_hidden_face_counts_and_the_mask_is_what_is_seen() -> None:
    outline = torch.ones(1, 1, 40, 40)
    seen = outline.clone()
    seen[..., :20] = 0
    wrong = picture(0).clone()
    wrong[..., :15] += 0.3
    truth = Truth(picture(0), seen, outline)
    assert loss_of(picture(0), seen, truth, SETTINGS) == pytest.approx(0, abs=1e-4)
    assert loss_of(wrong, seen, truth, SETTINGS) > 0.05
    assert loss_of(picture(0), outline, truth, SETTINGS) > 0.1


def test_frequency_loss_minds_the_worst_frequencies_most() -> None:
    flat, weight = torch.zeros(1, 1, 32, 32), torch.ones(1, 1, 32, 32)
    line = torch.arange(32) * 2 * torch.pi / 32
    one = torch.sin(8 * line).expand(1, 1, 32, 32)
    spread = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    spread = spread * one.square().mean().sqrt() / spread.square().mean().sqrt()
    assert focal_frequency(one, flat, weight) > 2 * focal_frequency(spread, flat, weight)
