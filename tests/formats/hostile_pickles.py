"""Pickles that try to run code, to take memory or time, or to confuse a reader. Each is tiny and made by hand."""

import struct


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def named(module, name):
    return text(module) + text(name) + b"\x93"


def call(module, name, *arguments):
    return named(module, name) + b"(" + b"".join(arguments) + b"tR"


def raw(data):
    return b"B" + struct.pack("<I", len(data)) + data


def number(value):
    return b"J" + struct.pack("<i", value)


def dtype(code, order="<"):
    return call("numpy", "dtype", text(code), b"\x89", b"\x88") + b"(K\x03" + text(order) + b"NNNK\x00K\x00K\x00tb"


def array(shape, kind, data, fortran=b"\x89"):
    start = call("numpy.core.multiarray", "_reconstruct", named("numpy", "ndarray"), b"K\x00\x85", raw(b"b"))
    return start + b"(K\x01(" + b"".join(map(number, shape)) + b"t" + kind + fortran + raw(data) + b"tb"


def shell(command="touch {marker}"):
    return text(command)


COMMAND = "touch /tmp/hostile_pickle_ran"

CODE = {
    "os.system": call("os", "system", shell(COMMAND)),
    "posix.system": call("posix", "system", shell(COMMAND)),
    "nt.system": call("nt", "system", shell(COMMAND)),
    "global opcode": b"cos\nsystem\n(" + shell(COMMAND) + b"tR",
    "protocol 0": b"cos\nsystem\n(S'" + COMMAND.encode() + b"'\ntR",
    "eval": call("builtins", "eval", text("__import__('os').system('" + COMMAND + "')")),
    "eval of Python 2": b"c__builtin__\neval\n(" + text("1/0") + b"tR",
    "exec": call("builtins", "exec", text("raise SystemExit")),
    "import": call("builtins", "__import__", text("os")),
    "importlib": call("importlib", "import_module", text("os")),
    "subprocess": call("subprocess", "Popen", shell(COMMAND)),
    "subprocess by new": named("subprocess", "Popen") + b"(" + shell(COMMAND) + b"t\x81",
    "getattr chain": call("builtins", "getattr", call("builtins", "__import__", text("os")), text("system")),
    "getattr of an enum": call("builtins", "getattr", named("facelib.FaceType", "FaceType"), text("__class__")),
    "getattr of an array": call("builtins", "getattr", named("numpy", "ndarray"), text("tofile")),
    "dotted name": named("numpy", "ndarray.tofile"),
    "dotted name of an enum": named("facelib.FaceType", "FaceType.__subclasses__"),
    "attrgetter": call("operator", "attrgetter", text("system")),
    "partial": call("functools", "partial", named("os", "system"), text(COMMAND)),
    "map": call("builtins", "map", named("os", "system"), text(COMMAND)),
    "pickle in pickle": call("pickle", "loads", raw(b"cos\nsystem\n(S'x'\ntR.")),
    "marshal": call("marshal", "loads", raw(b"x")),
    "function": call("types", "FunctionType", text("x")),
    "copyreg": call("copyreg", "_reconstructor", named("os", "system"), named("builtins", "object"), b"N"),
    "numpy.load": call("numpy", "load", text("/etc/passwd")),
    "numpy runstring": call("numpy.testing._private.utils", "runstring", text("1"), b"}"),
    "numpy.core fromfile": call("numpy.core.multiarray", "fromfile", text("/etc/passwd")),
    "open": call("io", "open", text("/etc/passwd"), text("w")),
    "instance opcode": b"(" + shell(COMMAND) + b"ios\nsystem\n",
    "object opcode": b"(cos\nsystem\n" + shell(COMMAND) + b"o",
    "new with keywords": named("os", "system") + b")}\x92",
    "persistent id": b"Pos.system\n",
    "binary persistent id": text("os.system") + b"Q",
    "extension code": b"\x82\x01",
    "long extension code": b"\x84\x01\x00\x00\x00",
    "state for a name": named("numpy", "ndarray") + b"}" + text("__call__") + text("x") + b"sb",
    "state for a dictionary": b"}}" + text("__class__") + text("x") + b"sb",
    "state for an integer": b"K\x01}" + text("x") + b"K\x01sb",
    "array of another class": call(
        "numpy.core.multiarray", "_reconstruct", named("os", "system"), b"K\x00\x85", raw(b"b")
    ),
    "scalar of a text": call("numpy.core.multiarray", "scalar", text("f8"), raw(b"x" * 8)),
    "path called with a number": call("pathlib", "PosixPath", number(5)),
    "bare name": named("numpy", "ndarray"),
}

ARRAYS = {
    "object array": array((1,), call("numpy", "dtype", text("O8"), b"\x89", b"\x88"), b"x" * 8),
    "object array with a state": array((1,), dtype("O8", "|"), b"x" * 8),
    "object scalar": call("numpy.core.multiarray", "scalar", dtype("O8", "|"), raw(b"x" * 8)),
    "structured array": array((1,), dtype("V8", "|"), b"x" * 8),
    "text array": array((1,), dtype("S999999999", "|"), b"x"),
    "dates": array((1,), dtype("M8"), b"x" * 8),
    "sub array type": call("numpy", "dtype", text("(1000000,1000000)f8"), b"\x89", b"\x88"),
    "structured state": call("numpy", "dtype", text("f8"), b"\x89", b"\x88")
    + b"(K\x03" + text("<") + text("abc") + b"NNK\x00K\x00K\x00tb",
    "huge shape": array((100000, 100000), dtype("f8"), b"x" * 8),
    "overflowing shape": array((2**31 - 1, 2**31 - 1, 4), dtype("f8"), b""),
    "negative shape": array((-1, 2), dtype("f8"), b"x" * 16),
    "too many dimensions": array((1,) * 60, dtype("f8"), b"x" * 8),
    "shape that is a list": b"",
    "array used before it is complete": call(
        "numpy.core.multiarray", "_reconstruct", named("numpy", "ndarray"), b"K\x00\x85", raw(b"b")
    ) + b"q\x00h\x00\x86",
    "array never completed": call(
        "numpy.core.multiarray", "_reconstruct", named("numpy", "ndarray"), b"K\x00\x85", raw(b"b")
    ),
    "frombuffer huge": call("numpy.core.numeric", "_frombuffer", raw(b"x"), dtype("f8"), b"J\xff\xff\xff\x7f\x85", text("C")),
    "out of band buffer": call("numpy.core.numeric", "_frombuffer", b"\x97", dtype("u1"), b"K\x01\x85", text("C")),
    "read-only buffer": call("numpy.core.numeric", "_frombuffer", b"\x97\x98", dtype("u1"), b"K\x01\x85", text("C")),
    "bytes of a huge size": call("builtins", "bytes", b"J\xff\xff\xff\x7f"),
    "decompression codec": call("_codecs", "encode", raw(b"x"), text("zlib_codec")),
    "other codec": call("_codecs", "encode", text("x"), text("rot13")),
}  # fmt: skip
ARRAYS["shape that is a list"] = call(
    "numpy.core.numeric", "_frombuffer", raw(b"x" * 8), dtype("f8"), b"]K\x01a", text("C")
)


def laughs(levels, width):
    """Lists of lists of … the same list."""
    data = b"](" + b"K\x01" * width + b"eq\x00"
    for level in range(1, levels):
        data += b"](" + b"h" + bytes((level - 1,))
        data += (b"h" + bytes((level - 1,))) * (width - 1) + b"eq" + bytes((level,))
    return data.replace(b"](", b"](", 1)


BOMBS = {
    "deep lists": b"]" * 30000 + b"a" * 29999,
    "deep tuples": b")" + b"\x85" * 60000,
    "deep marks": b"(" * 60000,
    "deep dictionaries": b"}" + b"K\x01}" * 20000 + b"s" * 20000,
    "billion laughs": b"](" + laughs(60, 10) + b"e",
    "tuple as a key": b"}" + b")q\x00" + b"".join(b"h\x00h\x00\x86q\x00" for _ in range(200)) + b"K\x01s",
    "colliding keys": b"}("
    + b"".join(b"\x8a\x10" + ((2**61 - 1) * n).to_bytes(16, "little", signed=True) + b"N" for n in range(1, 3000))
    + b"u",
    "list that contains itself": b"]q\x00h\x00a",
    "dictionary that contains itself": b"}q\x00" + text("x") + b"h\x00s",
    "bytes longer than the file": b"\x8e" + struct.pack("<Q", 1 << 40) + b"x",
    "bytes of a negative length": b"\x8e" + struct.pack("<q", -5) + b"x",
    "byte array longer than the file": b"\x96" + struct.pack("<Q", 1 << 40) + b"x",
    "text longer than the file": b"\x8d" + struct.pack("<Q", 1 << 40) + b"x",
    "number of a gigabyte": b"\x8b" + struct.pack("<i", 1 << 30) + b"x",
    "long number": b"\x8a\xff" + b"\x7f" * 255,
    "number as text": b"L" + b"9" * 60000 + b"L\n",
    "memo at the end of the world": b"K\x01r\xff\xff\xff\xff" + b"K\x01r\xfe\xff\xff\xffh\x05",
    "memo as text": b"K\x01p999999999999\n0h\x01",
    "missing memo": b"j\xff\xff\xff\x7f",
    "frame of an exabyte": b"\x95" + struct.pack("<Q", 1 << 60),
    "sets": b"\x8f(" + b"K\x01" * 30000 + b"\x90",
    "frozen sets": b"((K\x01\x91\x91",
    "doubling": b"]" + b"2a2" * 20000,
    "marks popped that are not there": b"1e",
    "copies of one text": text("x" * 30000) + b"q\x000("
    + b"".join(b"c_codecs\nencode\n(h\x00" + text("latin1") + b"tR" for _ in range(1))
    + b"c_codecs\nencode\nq\x01h\x00" + text("latin1") + b"\x86q\x02R"
    + b"h\x01h\x02R" * 6000 + b"l",
    "empty": b"",
    "no end": b"}",
    "only an end": b".",
    "two values": b"K\x01K\x02",
    "unknown opcode": b"\xfe",
    "unknown protocol": b"\x80\x09}",
    "broken text": b"X\x02\x00\x00\x00\xff\xff",
    "unbalanced": b"](K\x01",
}  # fmt: skip


def hostile_pickles():
    """Name and bytes of every one, with an end where it does not matter that there is one."""
    endless = {"empty", "no end", "only an end"}
    for group in (CODE, ARRAYS, BOMBS):
        for name, body in group.items():
            if name == "empty":
                yield name, b""
            else:
                head = b"" if body[:1] == b"\x80" else b"\x80\x04"
                yield name, head + body + (b"" if name in endless else b".")
