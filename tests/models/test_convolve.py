"""Each quick form of a convolution against PyTorch's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from faceswap.models import convolve

FORMS = {
    "product, stride 2": lambda x, w, b: convolve.as_product(x, w, b, stride=2),
    "strided as plain": convolve.strided_as_plain,
    "halving": convolve.halving,
}


def given(
    channels: tuple[int, int], size: tuple[int, int], kernel: int, batch: int = 2
) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    conv = nn.Conv2d(*channels, kernel).to(memory_format=torch.channels_last)
    x = torch.randn(batch, channels[0], *size).contiguous(memory_format=torch.channels_last)
    return x, conv.weight.detach(), conv.bias.detach()


def with_gradients(form, tensors) -> list[Tensor]:
    inputs = [tensor.clone().requires_grad_() for tensor in tensors]
    result = form(*inputs)
    (result * torch.linspace(-1, 1, result.numel()).view_as(result)).sum().backward()
    return [result.detach(), *(tensor.grad for tensor in inputs)]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize(
    ("channels", "size"), [((3, 8), (16, 16)), ((4, 2), (6, 10)), ((1, 1), (2, 2)), ((8, 64), (8, 8))]
)
def test_halving_equals_a_strided_convolution(form, channels, size) -> None:
    tensors = given(channels, size, 5)
    wanted = with_gradients(lambda x, w, b: functional.conv2d(x, w, b, stride=2, padding=2), tensors)
    for ours, theirs in zip(with_gradients(form, tensors), wanted, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(4, 4), (2, 6), (1, 1)])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_same_equals_a_padded_convolution(kernel: int, size: tuple[int, int]) -> None:
    tensors = given((6, 10), size, kernel)
    wanted = with_gradients(lambda x, w, b: functional.conv2d(x, w, b, padding=kernel // 2), tensors)
    for ours, theirs in zip(with_gradients(convolve.same, tensors), wanted, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(7, 7), (8, 6), (5, 8)])
@pytest.mark.parametrize("batch", [0, 1, 3])
def test_any_size_and_batch_has_the_shape_of_pytorch(size: tuple[int, int], batch: int) -> None:
    x, weight, bias = given((3, 8), size, 5, batch)
    wanted = functional.conv2d(x, weight, bias, stride=2, padding=2)
    torch.testing.assert_close(convolve.halving(x, weight, bias), wanted, atol=1e-4, rtol=1e-4)
    small, weight, bias = given((3, 8), (3, 4), 3, batch)
    wanted = functional.conv2d(small, weight, bias, padding=1)
    torch.testing.assert_close(convolve.same(small, weight, bias), wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_pictures_in_planes_give_the_same(form) -> None:
    x, weight, bias = given((8, 64), (8, 8), 5)
    assert torch.equal(form(x.contiguous(), weight, bias), form(x, weight, bias))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_half_the_bits_lose_no_more_than_pytorch(form) -> None:
    tensors = given((16, 64), (8, 8), 5)
    exact = functional.conv2d(*tensors, stride=2, padding=2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made, theirs = form(*tensors), functional.conv2d(*tensors, stride=2, padding=2)
    assert made.dtype is torch.bfloat16
    assert (made.float() - exact).abs().max() < 2 * (theirs.float() - exact).abs().max()


def test_results_and_gradients_lie_as_pictures_and_weights_do() -> None:
    """Else every step would copy them."""
    x, weight, bias = given((8, 64), (8, 8), 5)
    x.requires_grad_()
    weight.requires_grad_()
    for form in (FORMS["product, stride 2"], FORMS["strided as plain"]):
        result = form(x, weight, bias)
        assert result.is_contiguous(memory_format=torch.channels_last)
        # Not by `backward`, which would copy a gradient into its parameter's layout.
        for gradient in torch.autograd.grad(result.sum(), (x, weight)):
            assert gradient.is_contiguous(memory_format=torch.channels_last)


def test_graph_that_is_written_has_the_convolution_itself() -> None:
    class Halving(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 64, 5)

        def forward(self, x: Tensor) -> Tensor:
            return convolve.halving(x, self.conv.weight, self.conv.bias)

    program = torch.export.export(Halving(), (torch.zeros(2, 3, 8, 8),))
    names = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert names == ["aten.conv2d.default"]


def test_small_maps_become_products_and_large_ones_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(convolve, "as_product", lambda x, w, b, *, stride: calls.append((tuple(x.shape), stride)))
    convolve.same(*given((2, 3), (4, 4), 3))
    convolve.same(*given((2, 3), (8, 8), 3))
    convolve.halving(*given((2, 32), (8, 8), 5, batch=8))
    convolve.halving(*given((2, 31), (8, 8), 5, batch=8))
    assert calls == [((2, 2, 4, 4), 1), ((8, 2, 8, 8), 2)]
