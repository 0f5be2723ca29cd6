"""Random damage to the content of files."""

import random
import re

NUMBERS = (b"0", b"-1", b"9999999", b"1e999", b"nan", b"9" * 5_000)
SNIPPETS = (
    *(b"\0", b"\xff", b"\xef\xbb\xbf", b"\r", b"\n\n", b"\t", b'"', b"\\", b"\x1f\x8b\x08"),
    *(b"(" * 20_000, b"[" * 100_000, b"{" * 2_000, b"<a>" * 5_000, b"x" * 200_000, b"\\ud800"),
    *("é".encode("latin-1"), "é\n".encode("utf-16"), "\u2028\u0085\u3000".encode(), b" " * 1_000),
)

DELIMITERS = (b"\t", b",", b";", b"|", b" ")
ENCODINGS = ("utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "utf-16-be", "utf-32")


def damage(content: bytes, rng: random.Random) -> bytes:
    """Return the content with one to four changes of random kinds."""
    for _ in range(rng.randint(1, 4)):
        content = rng.choice(MUTATIONS)(content, rng)
    return content


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _flip(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(min(len(changed), rng.choice([1, 4, 32]))):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _enlarge(content: bytes, rng: random.Random) -> bytes:
    """Write a large number at a random position, more often near the beginning of the file."""
    size = rng.choice([1, 2, 4, 8])
    end = min(len(content), rng.choice([64, 512, len(content)]))
    position = rng.randrange(end + 1)
    number = rng.choice([b"\xff" * size, b"\x7f" + b"\xff" * (size - 1), bytes(size)])
    return content[:position] + rng.choice([number, number[::-1]]) + content[position + size :]


def _renumber(content: bytes, rng: random.Random) -> bytes:
    """Replace a digit, or a whole number, by another number."""
    numbers = [*re.finditer(rng.choice([rb"[0-9]", rb"-?[0-9]+(?:\.[0-9]+)?"]), content)]
    if not numbers:
        return content
    number = rng.choice(numbers)
    return content[: number.start()] + rng.choice(NUMBERS) + content[number.end() :]


def _insert(content: bytes, rng: random.Random) -> bytes:
    position = rng.randrange(len(content) + 1)
    return content[:position] + rng.choice(SNIPPETS) + content[position:]


def _move(content: bytes, rng: random.Random) -> bytes:
    """Move a part of the content to another position, once or many times."""
    start, end = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    part, rest = content[start:end], content[:start] + content[end:]
    position = rng.randrange(len(rest) + 1)
    return rest[:position] + part * rng.choice([1, 1, 2, 20]) + rest[position:]


def _reorder(content: bytes, rng: random.Random) -> bytes:
    """Swap two lines, or remove one."""
    lines = content.splitlines(keepends=True)
    if len(lines) < 2:
        return content
    first, second = rng.sample(range(len(lines)), 2)
    lines[first], lines[second] = lines[second], rng.choice([lines[first], b""])
    return b"".join(lines)


def _mix_encodings(content: bytes, rng: random.Random) -> bytes:
    """Write the text before and after a random position in different encodings."""
    text = content.decode("utf-8", "replace")
    position = rng.choice([0, rng.randrange(len(text) + 1)])
    first, second = rng.choice(ENCODINGS), rng.choice(ENCODINGS)
    return text[:position].encode(first, "replace") + text[position:].encode(second, "replace")


def _change_column(content: bytes, rng: random.Random) -> bytes:
    """Drop or duplicate one column, in all lines or in one."""
    present = [delimiter for delimiter in DELIMITERS if delimiter in content]
    if not present:
        return content
    delimiter, lines = rng.choice(present), content.split(b"\n")
    column, is_dropped = rng.randrange(4), rng.random() < 0.5
    for index in rng.choice([range(len(lines)), [rng.randrange(len(lines))]]):
        cells = lines[index].split(delimiter)
        if column < len(cells):
            cells[column : column + 1] = [] if is_dropped else [cells[column]] * 2
        lines[index] = delimiter.join(cells)
    return b"\n".join(lines)


MUTATIONS = (
    *(_cut, _flip, _enlarge, _renumber, _insert, _move, _reorder, _mix_encodings, _change_column),
)
