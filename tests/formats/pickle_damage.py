"""Damage to pickles that the tests of both short ways of reading share."""

HOSTILE_NAME = b"cos\nsystem\n"


def damage(data, at, rng):
    """``data`` with one byte changed, a few left out, or an operation put in, at a place; bytes."""
    data, kind = bytearray(data), rng.randrange(3)
    if kind == 0:
        data[at] = rng.choice(b"\x94hj(]}NKuse\x00\xff\x85\x87tbR\x8c")
    elif kind == 1:
        del data[at : at + rng.choice((1, 2, 9))]
    else:
        data[at:at] = rng.choice((b"\x94", b"N", b"h\x02", b"K\x01", b"0", b"(", HOSTILE_NAME))
    return bytes(data)
