"""Our AdamW against PyTorch's."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from faceswap.train.optimizer import AdamW


def stepped(
    kind: type[torch.optim.AdamW], *, grad_format: torch.memory_format, **options: object
) -> list[torch.Tensor]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 5), nn.Conv2d(8, 4, 1), nn.Flatten(), nn.Linear(4 * 16, 3))
    network = network.to(memory_format=torch.channels_last)
    optimizer = kind(network.parameters(), lr=0.01, betas=(0.5, 0.99), weight_decay=0.1, **options)
    for _ in range(3):
        optimizer.zero_grad()
        network(torch.randn(2, 3, 8, 8)).square().sum().backward()
        for parameter in network.parameters():
            if parameter.ndim == 4:
                parameter.grad = parameter.grad.contiguous(memory_format=grad_format)
        optimizer.step()
    moments = [optimizer.state[p][name] for p in network.parameters() for name in ("exp_avg", "exp_avg_sq")]
    return [*network.parameters(), *moments]


@pytest.mark.parametrize("grad_format", [torch.channels_last, torch.contiguous_format], ids=["as weights", "otherwise"])
def test_steps_and_moments_equal_those_of_pytorch(grad_format: torch.memory_format) -> None:
    ours = stepped(AdamW, grad_format=grad_format)
    theirs = stepped(torch.optim.AdamW, grad_format=grad_format, fused=True)
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        torch.testing.assert_close(a, b, atol=1e-7, rtol=1e-6)


def test_nothing_has_to_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []
    module = sys.modules["torch.optim.adam"]  # the package has something else by that name
    monkeypatch.setattr(module, "adam", lambda *lists, **_: [seen.extend(tensors) for tensors in lists[:4]])
    stepped(AdamW, grad_format=torch.channels_last)
    assert len(seen) == 3 * 4 * 6
    assert all(tensor.is_contiguous() for tensor in seen)
