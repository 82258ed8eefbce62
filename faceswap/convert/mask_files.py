"""What faces need from files, settled before rendering: painted masks, networks of the user's; and whether the faces fit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from faceswap.convert.casting import Casting
from faceswap.convert.config import ConvertConfig
from faceswap.convert.overrides import SettingsFor
from faceswap.convert.painted import PaintedMasks, prepare_painted
from faceswap.convert.painted_files import find_painted
from faceswap.convert.plan import ConvertPlan
from faceswap.convert.select import chosen_faces
from faceswap.faces.index import FaceIndex
from faceswap.faces.kinds import Role
from faceswap.faces.network_files import find_network
from faceswap.media.reader import VideoReader


@dataclass(frozen=True, slots=True, eq=False)
class Painted:
    """The painted masks of a conversion, and what is to be said of them."""

    masks: PaintedMasks | None
    remarks: tuple[str, ...] = ()


def files_used(config: ConvertConfig) -> dict[str, str]:
    """Return the hashes of the files that the picture depends on: with other files, finished segments are of no use.

    Raises:
        UsageError: no painted masks, or no network, where some are asked for.
    """
    found = {}
    roles: tuple[Role, ...] = ("segmenter", "restorer")
    for role in roles:
        names = [each.segmenter if role == "segmenter" else each.restore for each in config.of_faces]
        # By its bytes: what a name of the store or a pack stands for may be another file the next time.
        digests = {name: find_network(name, role).sha256 for name in set(names) if name is not None}
        for number, name in enumerate(names):
            if name is not None:
                found[f"{role} of override {number}" if number else role] = digests[name]
    if config.mask is not None:
        found["mask"] = find_painted(Path(config.mask)).digest()
    return found


def painted_masks(plan: ConvertPlan, index: FaceIndex, casting: Casting, settings: SettingsFor) -> Painted:
    """Return the painted masks, ready for rendering; checks on the way that the faces show the parts to keep.

    Raises:
        UsageError: a mask of another size than the clip's or of a frame that it does not have; a part to keep that the
            landmarks do not show.
    """
    chosen, _ = chosen_faces(index, casting, plan.config.choice)
    settings.require_regions(chosen)
    if plan.config.mask is None:
        return Painted(None)
    reader = VideoReader(plan.picture, plan.picture_stream)
    files = find_painted(Path(plan.config.mask))
    return Painted(*prepare_painted(files, reader, reader.info.upright_from_stored, index, chosen))
