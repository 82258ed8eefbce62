"""Who becomes whom: each track's role, decided once for a conversion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faceswap.faces.index import FaceIndex
from faceswap.faces.tracks_shown import track_rows
from faceswap.models.swap_model import SwapModel


@dataclass(frozen=True, slots=True)
class Role:
    """An identity of one of the models of a conversion."""

    model: int
    """Its number among them, from 0."""
    identity: str


@dataclass(frozen=True, slots=True)
class Casting:
    """Which track gets which role; a track without one stays as it is."""

    roles: Mapping[int, Role]
    """By number of the track."""
    reasons: Mapping[int, str]
    """Why each track was chosen or left, as far as there is something to say."""
    notes: tuple[str, ...] = ()
    """What is not sure, with the option that settles it."""

    @property
    def identities(self) -> list[str]:
        """Whose faces appear."""
        return list(dict.fromkeys(role.identity for role in self.roles.values()))

    def facts(self, models: Sequence[SwapModel]) -> dict[str, list[str]]:
        """Return what the pictures depend on: the model and the identity of each track."""
        roles = sorted(self.roles.items())
        return {str(track): [models[role.model].manifest_sha256, role.identity] for track, role in roles}


def casting_rows(index: FaceIndex, casting: Casting) -> list[dict[str, Any]]:
    """Return a row for each track, ready for JSON; "to" is None where it stays as it is."""
    rows = []
    for row in track_rows(index):
        role = casting.roles.get(row.track)
        rows.append(
            {
                "track": row.track,
                "person": row.person or None,
                "shot": row.shot,
                "first": row.first,
                "last": row.last,
                "faces": row.faces,
                "size_px": row.size_px,
                "model": None if role is None else role.model,
                "to": None if role is None else role.identity,
                "because": casting.reasons.get(row.track, ""),
            }
        )
    return rows


def casting_lines(rows: Sequence[Mapping[str, Any]], limit: int = 12) -> list[str]:
    """Return what `casting_rows` say as sentences for people, those that are swapped first."""
    ordered = sorted(rows, key=lambda row: (row["to"] is None, row["track"]))
    lines = [_line(row) for row in ordered[:limit]]
    if len(ordered) > limit:
        lines.append(f"... and {len(ordered) - limit} more tracks (--json names them all)")
    return lines


def _line(row: Mapping[str, Any]) -> str:
    who = f"track {row['track']} (frames {row['first']}-{row['last']})"
    because = f": {row['because']}" if row["because"] else ""
    return f"{who} {'stays' if row['to'] is None else '-> ' + row['to']}{because}"


def tracks_in_words(index: FaceIndex, limit: int = 12) -> str:
    """Return the tracks of a clip for the end of an error."""
    rows = track_rows(index)
    words = [f"{row.track} (shot {row.shot}, frames {row.first}-{row.last}, {row.size_px} px)" for row in rows[:limit]]
    more = f" and {len(rows) - limit} more" if len(rows) > limit else ""
    return f"the clip has the tracks {', '.join(words)}{more}; `faceswap index show` lists them"
