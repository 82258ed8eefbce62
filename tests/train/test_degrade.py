from __future__ import annotations

import pytest
import torch
from makers import smooth_noise

from faceswap.train.degrade import blurred, compressed, obstacle


def pictures(count: int = 3, size: int = 64) -> torch.Tensor:
    return torch.stack([torch.from_numpy(smooth_noise((size, size), i)).permute(2, 0, 1) for i in range(count)])


def detail(images: torch.Tensor) -> torch.Tensor:
    return images.diff(dim=-1).abs().mean(dim=(1, 2, 3))


def test_each_picture_gets_its_own_blur() -> None:
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    soft = blurred(images, torch.tensor([[0.0, 0.0], [1.0, 1.0], [3.0, 3.0]]))
    torch.testing.assert_close(soft[0], images[0])
    assert detail(soft)[0] > 2 * detail(soft)[1] > 2 * detail(soft)[2]
    assert float(soft[2].mean()) == pytest.approx(float(images[2].mean()), abs=0.02)


def test_blur_along_one_axis_keeps_lines_along_it() -> None:
    lines = (torch.arange(32) % 2).float().view(1, 1, 32, 1).expand(1, 3, 32, 32)  # along x
    torch.testing.assert_close(blurred(lines, torch.tensor([[4.0, 0.0]])), lines)
    assert detail(blurred(lines, torch.tensor([[0.0, 4.0]])).transpose(-1, -2)) < 0.1


def test_compression_with_fine_steps_changes_nothing() -> None:
    images = pictures()
    torch.testing.assert_close(compressed(images, torch.zeros(3)), images, atol=2e-3, rtol=0)


def test_coarser_steps_make_larger_errors_and_keep_the_mean() -> None:
    images = pictures(1).expand(3, -1, -1, -1)
    made = compressed(images, torch.tensor([0.005, 0.02, 0.06]))
    errors = (made - images).abs().mean(dim=(1, 2, 3))
    assert errors[0] < errors[1] < errors[2]
    assert float(made[1].mean()) == pytest.approx(float(images[0].mean()), abs=0.01)


def test_compression_shows_at_the_edges_of_blocks() -> None:
    made = compressed(pictures(1), torch.tensor([0.06]))
    steps = made.diff(dim=-1).abs().mean(dim=(0, 1, 2))
    at_edges, inside = steps[7::8].mean(), steps[3::8].mean()
    assert at_edges > 1.2 * inside


def test_things_before_the_face_are_somewhere_inside_and_soft() -> None:
    line = (torch.arange(64) + 0.5) / 64
    y, x = torch.meshgrid(line, line, indexing="ij")
    numbers = torch.rand(20, 6, generator=torch.Generator().manual_seed(0))
    alpha = obstacle(numbers, torch.stack([x, y], dim=-1)[None])
    assert alpha.shape == (20, 1, 64, 64)
    assert 0 <= alpha.min() <= alpha.max() <= 1
    share = alpha.mean(dim=(1, 2, 3))
    assert (share > 0.005).all()
    assert (share < 0.5).all()
    assert share.std() > 0.01
