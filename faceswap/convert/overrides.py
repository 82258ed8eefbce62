"""Which settings each face is rendered with: those of the job, changed by the overrides that hold for it.

Settled once for a conversion; what comes out is plain data that travels to other processes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faceswap.config import read_toml, validated
from faceswap.convert.casting import tracks_in_words
from faceswap.convert.config import ConvertConfig
from faceswap.convert.face_settings import FaceSettings, Override
from faceswap.convert.range import FrameChoice, Ranges
from faceswap.errors import UsageError
from faceswap.faces.index import FaceIndex
from faceswap.faces.index_words import parse_tracks
from faceswap.masks.regions import require_regions, steadied
from faceswap.types import Face

MADE = "made"
"""Table of a settings file that says what made a conversion (`settings_file`); it sets nothing."""
_OTHERS = -1
"""Stands for the tracks that no override names."""
_WHOM = {"faces", "track", "person", "map"}
"""Settings of which the command line replaces all when it gives one: who is swapped is one choice."""


@dataclass(frozen=True, slots=True)
class SettingsFor:
    """The settings of every face of a clip."""

    cuts: tuple[int, ...] = (0,)
    """First frames of the stretches in which the same overrides hold; the first is 0."""
    stretches: tuple[Mapping[int, FaceSettings], ...] = field(default=({_OTHERS: FaceSettings()},))
    """For each stretch the settings by track; -1 = all tracks that are not named."""

    @classmethod
    def everywhere(cls, settings: FaceSettings) -> SettingsFor:
        """Return one setting for all faces."""
        return cls(stretches=({_OTHERS: settings.of_each_face()},))

    @classmethod
    def of(cls, config: ConvertConfig, index: FaceIndex) -> SettingsFor:
        """Return the settings of a clip's faces.

        Raises:
            UsageError: an override names a shot, a track or a moment that the clip does not have.
        """
        base = config.of_each_face()
        rules = [_Rule.of(override, number, index) for number, override in enumerate(config.override, start=1)]
        cuts = sorted({0, *(frame for rule in rules for run in rule.ranges for frame in run)})
        tracks = sorted({track for rule in rules for track in rule.tracks or ()})
        stretches = []
        for cut in cuts:
            here = [rule for rule in rules if any(start <= cut < stop for start, stop in rule.ranges)]
            stretches.append({track: _changed(base, here, track) for track in (_OTHERS, *tracks)})
        return cls(tuple(cuts), tuple(stretches))

    def face(self, frame: int, track: int) -> FaceSettings:
        """Return the settings of a track's face in a frame; the frame says which shot it is."""
        stretch = self.stretches[bisect_right(self.cuts, frame) - 1]
        return stretch[track] if track in stretch else stretch[_OTHERS]

    @property
    def all(self) -> tuple[FaceSettings, ...]:
        """Every settings that some face may have."""
        found: list[FaceSettings] = []
        for settings in (each for stretch in self.stretches for each in stretch.values()):
            if settings not in found:
                found.append(settings)
        return tuple(found)

    def steadied(self, chosen: Mapping[int, Sequence[Face]], cuts: Collection[int]) -> Mapping[int, Sequence[Face]]:
        """Return the faces with steady landmarks where parts of them are treated by themselves; all others as they are.

        Args:
            cuts: first frames of the shots; landmarks are not averaged across them.
        """
        if not any(settings.parts for settings in self.all):
            return chosen
        steady = steadied(chosen, cuts)
        return {
            frame: [
                calm if self.face(frame, face.track).parts else face
                for face, calm in zip(faces, steady[frame], strict=True)
            ]
            for frame, faces in chosen.items()
        }

    def require_regions(self, chosen: Mapping[int, Sequence[Face]]) -> None:
        """Raise UsageError for parts that are asked for and that the landmarks of a face do not show."""
        wanted = {
            (face.scheme, self.face(frame, face.track).parts) for frame, faces in chosen.items() for face in faces
        }
        for scheme, parts in sorted(wanted):
            require_regions(parts, scheme)


@dataclass(frozen=True, slots=True)
class _Rule:
    """An override in terms of one clip."""

    ranges: Ranges
    tracks: frozenset[int] | None
    """None = all."""
    values: Mapping[str, Any]

    @classmethod
    def of(cls, override: Override, number: int, index: FaceIndex) -> _Rule:
        choice, tracks = words_of(override, number)
        known = {face.track for face in index.faces}
        for track in tracks or ():
            if track not in known:
                raise UsageError(f"override {number}: there is no track {track}; {tracks_in_words(index)}")
        return cls(choice.ranges(index), None if tracks is None else frozenset(tracks), override.values)


def _changed(base: FaceSettings, rules: Iterable[_Rule], track: int) -> FaceSettings:
    """Return the settings after the rules, later ones winning; they were checked when they were read."""
    values: dict[str, Any] = {}
    for rule in rules:
        if rule.tracks is None or track in rule.tracks:
            values |= rule.values
    return base.model_copy(update=values) if values else base


def words_of(override: Override, number: int) -> tuple[FrameChoice, list[int] | None]:
    """Return the frames and tracks that an override names, unchecked against a clip.

    Args:
        number: of the override, from 1, for messages.

    Raises:
        UsageError: words that are not understood.
    """
    before = f"override {number}: "
    choice = FrameChoice.parse(override.shots, override.start, override.end, before=before)
    tracks = None if override.tracks is None else parse_tracks(override.tracks, f"{before}tracks")
    return choice, tracks


def config_of(file: Path | None, given: Mapping[str, Any], where: str) -> ConvertConfig:
    """Return the settings of a command: options over the settings file over the defaults.

    Args:
        file: TOML with the keys of `ConvertConfig` and `[[override]]` tables (docs/formats/settings.md).
        given: what the command line says; None = not said.
        where: name of the command, for messages.

    Raises:
        UsageError: unreadable, unknown keys, values that are not allowed, an override without a place.
    """
    said = {name: value for name, value in given.items() if value is not None}
    if file is None:
        return validated(ConvertConfig, said, where)
    written = read_toml(file)
    written.pop(MADE, None)
    _require_places(file, written)
    for number, override in enumerate(validated(ConvertConfig, written, str(file)).override, start=1):
        if not override.has_place:
            raise UsageError(
                f"{file}: override {number} does not say where it holds; give shots, tracks, start or end, "
                "or write its settings at the top"
            )
        words_of(override, number)
    if said.keys() & _WHOM:  # one choice of people replaces the other; pictures of people may serve another --map
        written = {key: v for key, v in written.items() if key not in _WHOM or (key == "person" and "map" in said)}
    return validated(ConvertConfig, {**written, **said}, where)


def _require_places(file: Path, written: Mapping[str, Any]) -> None:
    """Raise UsageError for settings of the whole job in an override."""
    overrides = written.get("override")
    for number, table in enumerate(overrides if isinstance(overrides, list) else [], start=1):
        for key in table if isinstance(table, dict) else ():
            if key in ConvertConfig.model_fields and key not in Override.model_fields:
                raise UsageError(
                    f"{file}: override {number}: {key} holds for the whole job; write it at the top. "
                    f"Shots and tracks may differ in {', '.join(FaceSettings.model_fields)}"
                )
