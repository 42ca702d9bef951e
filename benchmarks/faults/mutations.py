"""Damage, by a seeded generator: what disks, transfers, editors and other programs do to files."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

LONGEST = 4096  # bytes of a block
HEAD = 1024  # bytes at the start and the end, where half of the damage is done
STRANGE = (  # what stands in place of a word or number of a text
    *("", "null", "true", "nan", "-inf", "1e999", "-1", "0", "0.5", "1e-300", "2026-02-30"),
    *("[]", "{}", "[1, [2, [3]]]", "{a: 1}", "'", '"', "&a [*a]", "!!binary x", "- 1", "\u202e"),
    *("9" * 5000, "x" * 200_000, str(1 << 70), "\x00", "../../etc", "%s%n", "\ufeff"),
)
WORD = re.compile(rb"[\w.+-]+")


def mutate(data: bytes, random: np.random.Generator, text: bool) -> tuple[str, bytes]:
    """The name of a kind of damage and the damaged content; `text` files get strange words too."""
    names = [*MUTATIONS, *(["word"] * 3 if text else [])]
    name = names[int(random.integers(len(names)))]
    if not data:
        name = "random bytes"
    return name, (_word if name == "word" else MUTATIONS[name])(data, random)


def _place(data: bytes, random: np.random.Generator) -> int:
    """A byte, in half of the cases near the start or the end."""
    if random.random() < 0.5:
        near = int(random.integers(min(HEAD, len(data))))
        return near if random.random() < 0.7 else len(data) - 1 - near
    return int(random.integers(len(data)))


def _block(data: bytes, random: np.random.Generator) -> slice:
    """Short blocks as often as long ones."""
    start = _place(data, random)
    return slice(start, start + int(np.exp(random.uniform(0, np.log(LONGEST)))))


def _bits(data: bytes, random: np.random.Generator) -> bytes:
    content = bytearray(data)
    for _ in range(int(random.integers(1, 9))):
        content[_place(data, random)] ^= 1 << int(random.integers(8))
    return bytes(content)


def _cut(data: bytes, random: np.random.Generator) -> bytes:
    return data[: _place(data, random)]


def _zeroed(data: bytes, random: np.random.Generator) -> bytes:
    where = _block(data, random)
    return data[: where.start] + bytes(len(data[where])) + data[where.stop :]


def _doubled(data: bytes, random: np.random.Generator) -> bytes:
    where = _block(data, random)
    return data[: where.stop] + data[where] + data[where.stop :]


def _removed(data: bytes, random: np.random.Generator) -> bytes:
    where = _block(data, random)
    return data[: where.start] + data[where.stop :]


def _random(data: bytes, random: np.random.Generator) -> bytes:
    where = _block(data, random) if data else slice(0, 64)
    return data[: where.start] + random.bytes(where.stop - where.start) + data[where.stop :]


def _length(data: bytes, random: np.random.Generator) -> bytes:
    """An integer of 2, 4 or 8 bytes that becomes extreme, or another by a little."""
    size = int(random.choice([2, 4, 8]))
    start = _place(data, random) // 2 * 2
    order = "little" if random.random() < 0.8 else "big"
    value = int.from_bytes(data[start : start + size], order)
    top = 1 << (8 * size)
    choices = (0, 1, top - 1, top // 2 - 1, top // 2, value + 1, value - 1, 2 * value, top // 16)
    new = choices[int(random.integers(len(choices)))] % top
    return data[:start] + new.to_bytes(size, order) + data[start + size :]


def _word(data: bytes, random: np.random.Generator) -> bytes:
    words = list(WORD.finditer(data))
    if not words:
        return _random(data, random)
    word = words[int(random.integers(len(words)))]
    strange = STRANGE[int(random.integers(len(STRANGE)))].encode()
    return data[: word.start()] + strange + data[word.end() :]


MUTATIONS: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "bits": _bits,
    "cut": _cut,
    "zeroed block": _zeroed,
    "doubled block": _doubled,
    "removed block": _removed,
    "random bytes": _random,
    "length": _length,
}
