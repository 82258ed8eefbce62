"""A clip decoded and encoded again as it is: what a conversion costs without a face in it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from faceswap.media.assemble import ClipMuxer, PacketEdit, PictureRun
from faceswap.media.encode import VideoEncoder
from faceswap.media.encode_plan import EncodeSettings, plan_encode
from faceswap.media.packets import PacketFile, read_packets
from faceswap.media.reader import VideoReader


def transcode(
    source: Path,
    output: Path,
    settings: EncodeSettings,
    *,
    metadata: Mapping[str, str] | None = None,
    edit_key_packet: PacketEdit | None = None,
) -> list[str]:
    """Write `source` to `output` with all its streams; return what the container could not hold.

    Raises:
        UsageError, UnsupportedInputError, ResourceError: as reading, planning and encoding do.
    """
    reader = VideoReader(source)
    plan = plan_encode(reader.info, output, settings)
    encoder = VideoEncoder(reader.info, plan)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".tmp-transcode-") as folder:
        packets = PacketFile(Path(folder) / "packets")
        for frame in reader:
            packets.write(encoder.encode(frame))
        packets.write(encoder.finish())
        packets.close()
        muxer = ClipMuxer(reader.info, plan, source, metadata=metadata, edit_key_packet=edit_key_packet)
        return muxer.write(output, [PictureRun(packets.pts, lambda: read_packets(Path(folder) / "packets"))])
