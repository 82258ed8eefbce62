"""What the watermark says, and its error-correcting code: 8 bit kind, 40 bit id, 16 bit checksum in BCH(127, 64).

BCH(127, 64) has minimum distance 21 (R. C. Bose, D. K. Ray-Chaudhuri, 1960). Decoding uses how sure each bit is (ordered
statistics: M. P. C. Fossorier, S. Lin, 1995), which corrects far more than the 10 errors that hard decisions allow.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UsageError

CODE_BITS, DATA_BITS = 127, 64
ID_BITS = 40
KINDS = (1,)
"""Versions of the payload that exist; the rest of the 8 bits is for later ones."""
NUM_VALID = len(KINDS) * 2**ID_BITS
"""Code words that mean something."""
_FIELD = 0b10001001
"""x^7 + x^3 + 1, which makes GF(128)."""
_NUM_ROOTS = 20
"""alpha^1 ... alpha^20 are the roots of the generator: ten errors can be corrected."""
_ORDER = 2
"""Bits of the surest 64 that decoding tries to turn over."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What a watermark says."""

    id: int
    """Below 2^40; which conversion this was (the local registry knows the rest)."""
    kind: int = KINDS[0]
    """Version of the payload, 8 bit."""

    def __post_init__(self) -> None:
        if not 0 <= self.id < 2**ID_BITS or not 0 <= self.kind < 2**8:
            raise UsageError(f"{self} does not fit a watermark: the id has {ID_BITS} bits, the kind 8")

    def code_word(self) -> NDArray[np.int8]:
        """Return (127,) bits, 0 or 1: the 64 of the payload first, then the check bits."""
        return _encoded(_bits(self._data(), DATA_BITS))

    def _data(self) -> int:
        body = (self.kind << ID_BITS | self.id).to_bytes(6, "big")
        return int.from_bytes(body, "big") << 16 | binascii.crc_hqx(body, 0xFFFF)

    @classmethod
    def from_bits(cls, bits: NDArray[np.int8]) -> Payload | None:
        """Return the payload in the first 64 bits of a code word; None when the checksum or the kind is wrong."""
        data = int("".join(map(str, bits[:DATA_BITS])), 2)
        kind, number = data >> 56, data >> 16 & 2**ID_BITS - 1
        if kind not in KINDS:
            return None
        payload = cls(number, kind)
        return payload if payload._data() == data else None


def decode(soft: NDArray[np.float64]) -> tuple[Payload, NDArray[np.int8]] | None:
    """Return the payload that fits best, with its code word; None when no good candidate has a right checksum.

    Args:
        soft: (127,) positive where a bit is likely 1, negative where 0; larger = surer. Any scale.
    """
    order, basis = _surest_basis(np.abs(soft))
    sure = (soft[order[:DATA_BITS]] > 0).astype(np.int8)
    words = (sure ^ _flips()) @ basis % 2
    scores = (2.0 * words - 1) @ soft[order]
    for best in np.argsort(-scores)[:64]:
        word = np.empty(CODE_BITS, dtype=np.int8)
        word[order] = words[best]
        payload = Payload.from_bits(word)
        if payload is not None:
            return payload, word
    return None


def _surest_basis(sureness: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.int8]]:
    """Return an order of the bits, surest first, and the (64, 127) generator in it: an identity in its first 64 columns."""
    order = np.argsort(-sureness, kind="stable")
    matrix = _generator_matrix()[:, order]
    pivots: list[int] = []
    for column in range(CODE_BITS):
        row = len(pivots)
        hits = np.flatnonzero(matrix[row:, column]) + row
        if not len(hits):
            continue
        matrix[[row, hits[0]]] = matrix[[hits[0], row]]
        others = np.flatnonzero(matrix[:, column])
        matrix[others[others != row]] ^= matrix[row]
        pivots.append(column)
        if len(pivots) == DATA_BITS:
            break
    rest = np.setdiff1d(np.arange(CODE_BITS), pivots)
    columns = np.concatenate([pivots, rest])
    return order[columns], matrix[:, columns]


@lru_cache(maxsize=1)
def _flips() -> NDArray[np.int8]:
    """Return every way to turn over at most `_ORDER` of 64 bits, as rows of 0 and 1."""
    chosen = [places for count in range(_ORDER + 1) for places in combinations(range(DATA_BITS), count)]
    flips = np.zeros((len(chosen), DATA_BITS), dtype=np.int8)
    for row, places in zip(flips, chosen, strict=True):
        row[list(places)] = 1
    return flips


def _generator_matrix() -> NDArray[np.int8]:
    return np.stack([_encoded(row) for row in np.eye(DATA_BITS, dtype=np.int8)])


def _encoded(data: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return data bits with the remainder of their division by the generator polynomial behind them."""
    num_checks = CODE_BITS - DATA_BITS
    value = int("".join(map(str, data)), 2) << num_checks
    generator = generator_polynomial()
    rest = value
    while rest.bit_length() > num_checks:
        rest ^= generator << rest.bit_length() - generator.bit_length()
    return _bits(value | rest, CODE_BITS)


@lru_cache(maxsize=1)
def generator_polynomial() -> int:
    """Return the product of (x - r) over the roots: coefficients as bits, the highest power first."""
    powers = [1]
    while len(powers) < CODE_BITS:
        doubled = powers[-1] << 1
        powers.append(doubled ^ _FIELD if doubled >> 7 else doubled)
    logs = {value: power for power, value in enumerate(powers)}
    # Squares of a root are roots too, or the coefficients would not be bits.
    roots = {power * 2**i % CODE_BITS for power in range(1, _NUM_ROOTS + 1) for i in range(7)}
    product = [1]
    for root in sorted(roots):
        times_root = [powers[(logs[c] + root) % CODE_BITS] if c else 0 for c in product]
        product = [a ^ b for a, b in zip([*product, 0], [0, *times_root], strict=True)]
    return int("".join(map(str, product)), 2)


def _bits(value: int, count: int) -> NDArray[np.int8]:
    return np.array([value >> i & 1 for i in reversed(range(count))], dtype=np.int8)
