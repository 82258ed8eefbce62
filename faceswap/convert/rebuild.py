"""How much each track looks like each identity of the models, as the models themselves see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from faceswap.convert import blend
from faceswap.convert.casting import Role
from faceswap.faces.index import FaceIndex
from faceswap.faces.samples import best_faces, frames_with
from faceswap.media.reader import SeekableReader
from faceswap.models.likeness import Likeness
from faceswap.models.swap_model import SwapModel
from faceswap.progress import OnProgress, Progress
from faceswap.types import Face

_BATCH = 16


@dataclass(slots=True)
class _Scores:
    """Correlations of one model, gathered batch by batch."""

    model: SwapModel
    tracks: list[int] = field(default_factory=list)
    waiting: list[np.ndarray] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)

    def add(self, track: int, patch: np.ndarray) -> None:
        self.tracks.append(track)
        self.waiting.append(patch)
        if len(self.waiting) == _BATCH:
            self.flush()

    def flush(self) -> None:
        if self.waiting:
            self.rows.append(self.model.rebuild_scores(torch.from_numpy(np.stack(self.waiting))).numpy())
            self.waiting = []

    def by_track(self) -> dict[int, np.ndarray]:
        """Return the (N,) medians of each track of which a face was seen."""
        self.flush()
        if not self.rows:
            return {}
        rows, tracks = np.concatenate(self.rows), np.array(self.tracks)
        return {track: np.median(rows[tracks == track], axis=0) for track in dict.fromkeys(self.tracks)}


def likeness_by_rebuilding(
    reader: SeekableReader,
    index: FaceIndex,
    tracks: Mapping[int, Sequence[Face]],
    models: Sequence[SwapModel],
    on_progress: OnProgress,
) -> dict[int, dict[Role, float]]:
    """Return the likeness (`Likeness.of`) of each track to each identity of each model.

    Args:
        tracks: the faces of the tracks to look at, in frame order.
    """
    samples = {track: best_faces(faces) for track, faces in tracks.items()}
    total, done = sum(map(len, samples.values())), 0
    scores = [_Scores(model) for model in models]
    for frame, faces in frames_with(reader, index.frames, samples):
        for face in faces:
            for of_model in scores:
                of_model.add(face.track, blend.cut(frame, face, of_model.model.crop).pixels)
        done += len(faces)
        on_progress(Progress("who is who", done, total))
    result: dict[int, dict[Role, float]] = {track: {} for track in tracks}
    for number, of_model in enumerate(scores):
        medians = of_model.by_track()
        for i, identity in enumerate(of_model.model.identities):
            scale = of_model.model.likeness.get(identity) or Likeness.guessed(
                max((m[i] for m in medians.values()), default=0.0)
            )
            for track, values in medians.items():
                result[track][Role(number, identity)] = round(scale.of(float(values[i])), 3)
    return result
