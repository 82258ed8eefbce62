"""What a conversion can write besides the finished clip, each made from the same rendered frames.

Products are data and functions from a `Rendered` to a picture; who renders loops over the clip and hands each product
its pictures. Videos are marked when they are put together, pictures when they are written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faceswap.convert.deliver import DRAWINGS, blank_frame, compositing_channels, drawn_info
from faceswap.convert.fields import channels_by_field, draw_by_field
from faceswap.convert.names import product_path
from faceswap.convert.plan import ConvertPlan
from faceswap.convert.rendered import Rendered
from faceswap.convert.seal import Seal
from faceswap.files import sha256_file
from faceswap.media.encode_plan import EncodePlan, plan_encode
from faceswap.media.picture_texts import PictureTexts
from faceswap.media.probe import ClipInfo
from faceswap.media.sequence import SequenceTarget, sequence_target
from faceswap.media.sequence_files import SequenceWriter
from faceswap.provenance.picture_mark import texts_of
from faceswap.types import Frame


@dataclass(frozen=True, slots=True)
class VideoProduct:
    """A clip to be written beside (or instead of) the finished one."""

    name: str
    """ "clip", "overlay", "matte" or "raw"."""
    output: Path
    info: ClipInfo
    """Of the frames that `picture` gives."""
    encode: EncodePlan
    picture: Callable[[Rendered], Frame]
    copies_streams: bool
    """Audio, subtitles and the rest come along."""


@dataclass(frozen=True, slots=True)
class SequenceProduct:
    """The finished clip as pictures; EXR holds the matte and the raw network output too."""

    name: str
    """ "clip"."""
    target: SequenceTarget
    info: ClipInfo
    """Of the source."""
    texts: PictureTexts
    """The mark; in every picture."""
    picture: Callable[[Rendered], Frame]

    @property
    def output(self) -> Path:
        """The folder that will hold the pictures."""
        return self.target.folder

    def open_writer(self, folder: Path) -> SequenceProductWriter:
        """Return a writer into a new folder; parts are joined by `media.sequence_files.assemble`."""
        folder.mkdir()
        return SequenceProductWriter(folder, self)


class SequenceProductWriter:
    """Writes rendered frames as pictures into a folder of its own."""

    def __init__(self, folder: Path, product: SequenceProduct) -> None:
        self._folder = folder
        self._picture = product.picture
        self._has_channels = product.target.kind == "exr"
        self._writer = SequenceWriter(folder, product.target, product.info, product.texts)

    def write(self, rendered: Rendered) -> None:
        """Write one frame.

        Raises:
            ResourceError: disk full.
        """
        channels = channels_by_field(rendered, compositing_channels) if self._has_channels else None
        self._writer.write(self._picture(rendered), channels)

    def close(self) -> dict[str, str]:
        """Make everything whole, with the table of frames; return the SHA-256 of each file by `<folder>/<name>`.

        A suffix ".tmp" of the folder is left out: it is renamed now.
        """
        self._writer.close()
        name = self._folder.name.removesuffix(".tmp")
        return {f"{name}/{path.name}": sha256_file(path) for path in sorted(self._folder.iterdir())}

    def abort(self) -> None:
        """Delete what was written."""
        self._writer.abort()


Product = VideoProduct | SequenceProduct


def products_of(plan: ConvertPlan, start_seconds: float = 0.0) -> list[Product]:
    """Return everything with pictures in it that a conversion writes; the clip first unless it is not wanted.

    Args:
        start_seconds: when the first frame that is wanted is shown in the source.

    The timeline is not among them: `convert.timeline` writes it when these are there.
    """
    products: list[Product] = []
    seal = Seal.of(plan, start_seconds)
    if "clip" in plan.config.deliver:
        target = sequence_target(plan.output, plan.config.encoder)
        if target is not None:
            products.append(SequenceProduct("clip", target, plan.info, texts_of(plan.mark), seal.finished))
        else:
            products.append(
                VideoProduct("clip", plan.output, plan.info, plan.encode, seal.finished, copies_streams=True)
            )
    products += [
        compositing_product(name, plan.info, plan.output, seal) for name in plan.config.deliver if name in DRAWINGS
    ]
    return products


def compositing_product(name: str, info: ClipInfo, clip_output: Path, seal: Seal) -> VideoProduct:
    """Return one of the products for a compositor.

    Args:
        name: "overlay", "matte" or "raw".
        info: of the source. clip_output: where the finished clip goes, or would go. seal: marks it.
    """
    how = DRAWINGS[name]
    output = product_path(name, clip_output)
    drawn = drawn_info(info, how.pix_fmt)

    def picture(rendered: Rendered) -> Frame:
        drawing = draw_by_field(rendered, lambda part: how.draw(part, blank_frame(part.source, drawn)))
        return drawing if name == "matte" else seal.element(drawing, rendered)

    return VideoProduct(name, output, drawn, plan_encode(drawn, output, how.settings), picture, copies_streams=False)
