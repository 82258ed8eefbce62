"""Pasting patches into planes: patch and mask in, code values of the planes changed in place.

Launches: one for luma, one for both chroma planes; one program for each face and BLOCK samples of its rectangle. Memory: patch
and mask (16 bytes a px) come from the caches after the first of some 25 reads, a plane's samples under the mask are read and
written once; a patch that shrinks by r costs (5 r)² reads a sample. YUV is made of the interpolated RGB: there is no patch in
codes.
"""

# Triton evaluates annotations of kernels itself: no `from __future__ import annotations` here.
import triton
import triton.language as tl
from torch import Tensor

from faceswap import color
from faceswap.convert.device.crop import color_matrix
from faceswap.convert.device.paste import NO_NOISE, Noise
from faceswap.convert.device.places import ROW, PasteTable
from faceswap.convert.device.planes import DevicePlanes

_BLOCK, _BLOCK_INTERPRETED = 128, 4096
"""px a program; on the CPU, where each statement is interpreted, few programs of many px are quicker."""


def paste(planes: DevicePlanes, table: PasteTable, patches: Tensor, masks: Tensor, noise: Noise = NO_NOISE) -> None:
    """Composite patches into planes in place; args as in `paste.paste`, the reference."""
    linear, offset = color_matrix(color.codes_from_rgb(planes.color), planes.device)
    patches, masks = patches.contiguous(), masks.contiguous()
    num_faces, size = len(table.host_frames), patches.shape[-1]
    luma, u, v = planes.planes
    block = _BLOCK if planes.device.type != "cpu" else _BLOCK_INTERPRETED
    assert u.stride() == v.stride()  # of one upload, or interleaved
    for plane, (first, second) in enumerate(((luma, luma), (u, v))):
        height, width = table.extent(plane)
        if not height * width:
            continue
        # Where there is none any tensor serves: it is not read. Those that are there have one shape.
        there = next((grain for grain in (noise[plane], noise[2 * plane]) if grain is not None), patches[:, 0])
        grains = [there if grain is None else grain for grain in (noise[plane], noise[2 * plane])]
        _paste_kernel[(triton.cdiv(height * width, block), num_faces)](
            first, second, *first.stride(), table.rows, table.frames, patches, masks,
            *grains, there.stride(0), there.stride(1), linear, offset, size, width,
            2.0**planes.color.bit_depth - 1, plane, noise[plane] is not None, noise[2 * plane] is not None, ROW, block,
        )  # fmt: skip


@triton.jit
def _cubic(distance):
    """Return the weight of a sample: `geometry.catmull_rom`."""
    t = tl.abs(distance)
    near = (1.5 * t - 2.5) * t * t + 1
    far = ((-0.5 * t + 2.5) * t - 4) * t + 2
    return tl.where(t < 1, near, tl.where(t < 2, far, 0.0))


@triton.jit
def _between(at, places, last):
    """Return the two exact places around each position, counted in samples, and the share of the second."""
    fine = (at + 0.5) * places - 0.5
    low = tl.floor(fine)
    share, end = fine - low, (last + 1) * places - 1
    first, second = tl.minimum(tl.maximum(low, 0.0), end), tl.minimum(tl.maximum(low + 1, 0.0), end)
    return (first + 0.5) / places - 0.5, (second + 0.5) / places - 0.5, share


@triton.jit
def _stretch(sample, ratio):
    """Return the first source sample of a filtered one."""
    return tl.floor(sample * ratio)


@triton.jit
def _covered(i, sample, ratio):
    """Return how much source sample i counts in a filtered one."""
    low = sample * ratio
    return tl.maximum(tl.minimum(low + ratio, i + 1) - tl.maximum(low, i), 0.0) / ratio


@triton.jit
def _paste_kernel(
    first, second, plane_n, plane_y, plane_x, rows, frames, patches, masks,
    noise, other_noise, noise_n, noise_y, linear, offset, size, width, top,
    PLANE: tl.constexpr, HAS_NOISE: tl.constexpr, HAS_OTHER_NOISE: tl.constexpr, ROW: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    face = tl.program_id(1)
    px = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x, y = px % width, px // width
    row = rows + (face * 2 + PLANE) * ROW
    is_px = (x < tl.load(row + 14)) & (y < tl.load(row + 15))
    last_x, last_y = tl.load(row + 10) - 1, tl.load(row + 11) - 1
    ratio_x, ratio_y = size / (last_x + 1), size / (last_y + 1)
    taps_x = tl.where(ratio_x > 1, tl.ceil(ratio_x).to(tl.int32) + 1, 1)
    taps_y = tl.where(ratio_y > 1, tl.ceil(ratio_y).to(tl.int32) + 1, 1)
    taps_y *= tl.max(is_px.to(tl.int32), axis=0)  # nothing to do beyond this face's rectangle
    centre_x, centre_y = x.to(tl.float32) + 0.5, y.to(tl.float32) + 0.5
    u = tl.load(row) * centre_x + tl.load(row + 1) * centre_y + tl.load(row + 2) - 0.5
    v = tl.load(row + 3) * centre_x + tl.load(row + 4) * centre_y + tl.load(row + 5) - 0.5
    places, is_smooth = tl.load(row + 16), tl.load(row + 17) > 0
    first_u, second_u, share_u = _between(u, places, last_x)
    first_v, second_v, share_v = _between(v, places, last_y)
    low_u, low_v = tl.floor(first_u), tl.floor(first_v)
    patch, mask = patches + face.to(tl.int64) * 3 * size * size, masks + face.to(tl.int64) * size * size
    red, green, blue = tl.zeros([BLOCK], tl.float32), tl.zeros([BLOCK], tl.float32), tl.zeros([BLOCK], tl.float32)
    alpha = tl.zeros([BLOCK], tl.float32)
    for step_y in range(-2, 4):
        sample_y = low_v + step_y
        cubic_y = (1 - share_v) * _cubic(first_v - sample_y) + share_v * _cubic(second_v - sample_y)
        # Outside of the patch the mask is 0, while colours go on as they end.
        linear_y = tl.where((sample_y >= 0) & (sample_y <= last_y), tl.maximum(1 - tl.abs(v - sample_y), 0.0), 0.0)
        sample_y = tl.minimum(tl.maximum(sample_y, 0.0), last_y)
        for j in range(0, taps_y):
            line = _stretch(sample_y, ratio_y) + j
            in_y = _covered(line, sample_y, ratio_y)
            for step_x in range(-2, 4):
                sample_x = low_u + step_x
                cubic_x = (1 - share_u) * _cubic(first_u - sample_x) + share_u * _cubic(second_u - sample_x)
                cubic = cubic_y * cubic_x
                is_inside = (sample_x >= 0) & (sample_x <= last_x)
                tent = linear_y * tl.where(is_inside, tl.maximum(1 - tl.abs(u - sample_x), 0.0), 0.0)
                tent = tl.where(is_smooth, cubic, tent)
                sample_x = tl.minimum(tl.maximum(sample_x, 0.0), last_x)
                for i in range(0, taps_x):
                    column = _stretch(sample_x, ratio_x) + i
                    share = in_y * _covered(column, sample_x, ratio_x)
                    where = line.to(tl.int32) * size + column.to(tl.int32)
                    is_read = is_px & (share > 0) & (cubic != 0)
                    red += cubic * share * tl.load(patch + where, mask=is_read, other=0.0)
                    green += cubic * share * tl.load(patch + size * size + where, mask=is_read, other=0.0)
                    blue += cubic * share * tl.load(patch + 2 * size * size + where, mask=is_read, other=0.0)
                    is_masked = is_px & (share > 0) & (tent != 0)
                    alpha += tent * share * tl.load(mask + where, mask=is_masked, other=0.0)
    alpha = tl.minimum(tl.maximum(alpha, 0.0), 1.0)  # the cubic reaches a little beyond
    is_written = is_px & (alpha > 0)
    grain, other_grain = tl.zeros([BLOCK], tl.float32), tl.zeros([BLOCK], tl.float32)
    at = face.to(tl.int64) * noise_n + y * noise_y + x
    if HAS_NOISE:
        grain += tl.load(noise + at, mask=is_written, other=0.0)
    if HAS_OTHER_NOISE:
        other_grain += tl.load(other_noise + at, mask=is_written, other=0.0)
    frame = tl.load(frames + face).to(tl.int64)
    line, column = y + tl.load(row + 13).to(tl.int32), x + tl.load(row + 12).to(tl.int32)
    place = frame * plane_n + line.to(tl.int64) * plane_y + column.to(tl.int64) * plane_x
    _mix(first + place, red, green, blue, alpha, grain, linear + 3 * PLANE, offset + PLANE, top, is_written)
    if PLANE == 1:
        _mix(second + place, red, green, blue, alpha, other_grain, linear + 6, offset + 2, top, is_written)


@triton.jit
def _mix(place, red, green, blue, alpha, grain, linear, offset, top, is_written):
    """Blend one plane's code values of a patch into the plane; grain is laid on as in `paste.paste`."""
    new = tl.load(linear) * red + tl.load(linear + 1) * green + tl.load(linear + 2) * blue + tl.load(offset)
    old = tl.load(place, mask=is_written, other=0).to(tl.float32)
    mixed = old + alpha * (new - old) + tl.sqrt(alpha * (2 - alpha)) * grain
    rounded = tl.floor(mixed + 0.5)
    # Halves go to the even code, as NumPy and torch round them.
    is_half_above_even = (rounded - mixed == 0.5) & (rounded - 2 * tl.floor(rounded / 2) == 1)
    rounded = tl.where(is_half_above_even, rounded - 1, rounded)
    kept = tl.minimum(tl.maximum(rounded, 0.0), top)
    tl.store(place, kept.to(place.dtype.element_ty), mask=is_written)
