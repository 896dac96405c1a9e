"""The machine that reads pickles: knows only the opcodes and the names that DeepFaceLab's files need, calls nothing.

A pickle is a program for a machine with a stack, and with a memo for values that are used again. Each opcode is one
short function below; :func:`_operations` is the table of all of them, and what is not in it is refused. Every name
becomes a stand-in of :mod:`core.pickles.objects`; any other name ends the reading.

Memory and time stay in proportion to the bytes read, through these limits:

- operations: one for every 4 bytes, containers (lists, tuples, dictionaries, objects): one for every 24 bytes, both
  with 100,000 more for small files; rows in long runs are neither, as each takes 11 bytes or more;
- text, bytes and arrays lie in the file as they are; those that are made from it again and again may together take 3
  times its size, and 32 MiB more;
- integers have at most 16 bytes, keys of dictionaries are text, bytes or small integers, marks are at most 48 deep;
- at the end :mod:`core.pickles.checks` refuses cycles, values more than 24 deep, and what sharing unfolds too far.
"""

import re
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from core.pickles.objects import (
    ARRAYS,
    LEAST_BUDGET,
    MOST_DEPTH,
    Damaged,
    Holder,
    Pending,
    Refused,
    StandIn,
    printable,
)
from core.pickles.rows import run_at

_BYTES_PER_OPERATION = 4
_BYTES_PER_CONTAINER = 24
_LONGEST_INTEGER = 16
_GREATEST_KEY = 1 << 31
_LEAST_COPIES = 32 << 20
_COPIES_PER_BYTE = 3
_LONGEST_GLOBAL = 300
_LEAST_VIEW = 1024
_HIGHEST_PROTOCOL = 5

_ONLY_TEXT = frozenset({str})
_OPEN_LIST = re.compile(rb"\](\x94|q(.)|r(.{4})|)\(", re.DOTALL)
_MARK, _APPENDS = ord("("), ord("e")
_STOP, _MEMOIZE, _SHORT_GET, _NONE, _ONE_BYTE = ord("."), 0x94, ord("h"), ord("N"), ord("K")

_u16, _u32, _u64 = (struct.Struct(code).unpack_from for code in ("<H", "<I", "<Q"))
_i32 = struct.Struct("<i").unpack_from
_f64 = struct.Struct(">d").unpack_from


class LostRow(Exception):
    """What is used a second time may be a row of an array; the pickle has to be read again without arrays of rows."""


class Machine:
    """State of one reading: position, stack, the stacks below each open mark, memo."""

    __slots__ = (
        "arrays", "at", "classes", "containers", "copies", "data", "marks", "memo", "memo_size", "operations", "stack",
    )  # fmt: skip

    def __init__(self, data: bytes, at: int, classes: Any, arrays: Any):
        self.data, self.at, self.arrays = data, at, arrays
        self.classes = ARRAYS if not classes else {**ARRAYS, **classes}
        self.stack: list = []
        self.marks: list = []
        self.memo: dict[int, Any] = {}
        self.memo_size = 0
        size = len(data) - at
        self.operations = LEAST_BUDGET + size // _BYTES_PER_OPERATION
        self.copies = _LEAST_COPIES + _COPIES_PER_BYTE * size
        self.containers = LEAST_BUDGET + size // _BYTES_PER_CONTAINER

    def run(self) -> Any:
        """Work through the opcodes up to STOP and return the one value left."""
        data, table, memo, stack, at = self.data, _OPERATIONS, self.memo, self.stack, self.at
        for _ in range(self.operations):
            operation = data[at]
            at += 1
            if operation == _MEMOIZE:  # this one and the next three are most of all operations, so they stand here
                memo[self.memo_size] = stack[-1]
                self.memo_size += 1
            elif operation == _SHORT_GET and type(memo.get(data[at])) is str:
                stack.append(memo[data[at]])
                at += 1
            elif operation == _NONE:
                stack.append(None)
            elif operation == _ONE_BYTE:
                stack.append(data[at])
                at += 1
            elif operation != _STOP:
                self.at = at
                table[operation](self)
                stack, at = self.stack, self.at
            elif self.marks or len(stack) != 1:
                raise Damaged("is damaged (it ends in the middle of a value)")
            else:
                self.at = at
                return stack[0]
        raise Damaged("has far more parts than its size justifies")

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        start = self.at
        if count > len(self.data) - start:
            raise Damaged("is cut off")
        self.at = start + count
        return self.data[start : self.at]

    def number(self, unpack: Callable, size: int) -> Any:
        value = unpack(self.data, self.at)[0]
        self.at += size
        return value

    def remembered(self, index: int) -> Any:
        try:
            return self.memo[index]
        except KeyError:
            if self.arrays:
                raise LostRow from None
            raise Damaged("is damaged (it refers to a value that it does not hold)") from None

    def count_container(self) -> None:
        self.containers -= 1
        if self.containers < 0:
            raise Damaged("has far more lists than its size justifies")

    def count_copy(self, value: Any) -> None:
        """Bytes and arrays may be made from the same stored bytes again and again; bound the sum of their sizes."""
        if type(value) is bytes or type(value) is np.ndarray:
            self.copies -= len(value) if isinstance(value, bytes) else value.nbytes
            if self.copies < 0:
                raise Damaged("unfolds to far more bytes than it stores")

    def pop_mark(self) -> list:
        items = self.stack
        if len(self.marks) == 0:
            raise Damaged("is damaged (a list ends that never began)")
        self.stack = self.marks.pop()
        return items

    def find(self, module: str, name: str) -> Any:
        if type(module) is not str or type(name) is not str:
            raise Damaged("is damaged (a name that is no text)")
        stand_in = self.classes.get((module, name))
        if stand_in is None:
            raise Refused(f"{printable(module)}.{printable(name)}")
        return stand_in


def _check_key(key):
    """Only kinds of keys that nobody can make collide, which would take for ever."""
    if type(key) in (str, bytes, bool) or (type(key) is int and abs(key) <= _GREATEST_KEY):
        return
    raise Damaged(f"has a dictionary key that cannot be used ({type(key).__name__})")


def _refuse(machine):
    """What every pickle may ask for is refused; what is in no pickle comes of damage, most often zeros of a power cut."""
    from pickletools import code2op

    operation = machine.data[machine.at - 1]
    if chr(operation) in code2op:
        raise Refused(f"the pickle operation 0x{operation:02x}")
    if operation == 0:
        raise Damaged("is damaged (zeros where data should be, as after a power cut)")
    raise Damaged("is damaged (bytes that mean nothing)")


def _protocol(machine):
    if machine.take(1)[0] > _HIGHEST_PROTOCOL:
        raise Damaged("uses a pickle protocol newer than 5")


def _frame(machine):
    machine.take(8)


def _mark(machine):
    if len(machine.marks) > 2 * MOST_DEPTH:
        raise Damaged("is nested too deeply")
    machine.marks.append(machine.stack)
    machine.stack = []


def _constant(value):
    return lambda machine: machine.stack.append(value)


def _unpacked(unpack, size):
    def push(machine):
        machine.stack.append(unpack(machine.data, machine.at)[0])
        machine.at += size

    return push


def _long(unpack, size):
    def push(machine):
        count = machine.number(unpack, size)
        if count > _LONGEST_INTEGER or count < 0:
            raise Damaged("holds an absurdly long number")
        machine.stack.append(int.from_bytes(machine.take(count), "little", signed=True))

    return push


def _length_byte(data, at):
    return (data[at],)


def _text(unpack, size):
    def push(machine):
        machine.stack.append(str(machine.take(machine.number(unpack, size)), "utf-8", "surrogatepass"))

    return push


def _short_text(machine):
    start = machine.at + 1
    machine.at = end = start + machine.data[machine.at]
    text = machine.data[start:end]
    if len(text) != end - start:
        raise Damaged("is cut off")
    machine.stack.append(str(text, "utf-8", "surrogatepass"))


def _bytes(unpack, size):
    def push(machine):
        data = machine.take(machine.number(unpack, size))
        machine.stack.append(data if len(data) >= _LEAST_VIEW else bytes(data))

    return push


def _empty_dict(machine):
    machine.count_container()
    machine.stack.append({})


def _empty_list(machine):
    if (machine.arrays and _list_of_rows(machine)) or (machine.marks and _run_of_rows(machine)):
        return
    machine.count_container()
    machine.stack.append([])


def _list_of_rows(machine):
    """Read a list that is nothing but rows of floats as an array; False, with nothing changed, when it is another.

    The rows are not remembered, as DeepFaceLab never refers to one again; see :class:`LostRow`.
    """
    data, memo = machine.data, machine.memo
    opened = _OPEN_LIST.match(data, machine.at - 1)
    run = run_at(data, opened.end()) if opened else None
    if run is None or data[run.end] != _APPENDS or data[run.end + 1] == _MARK:
        return False
    remember, byte, word = opened.groups()
    first_row = machine.memo_size + bool(remember)
    indexes = run.indexes_from(first_row)
    if not memo.keys().isdisjoint(indexes):
        return False
    if remember:
        memo[byte[0] if byte else _u32(word)[0] if word else machine.memo_size] = run.rows
    machine.memo_size = first_row + len(indexes)
    machine.stack.append(run.rows)
    machine.at = run.end + 1
    return True


def _run_of_rows(machine):
    """Read many lists of floats at once; False when there are not enough of them here."""
    run = run_at(machine.data, machine.at - 1)
    if run is None:
        return False
    rows, indexes = run.rows.tolist(), run.indexes_from(machine.memo_size)
    machine.memo.update(zip(indexes, rows))
    machine.memo_size += len(indexes)
    machine.stack.extend(rows)
    machine.at = run.end
    return True


def _append(machine):
    value = machine.stack.pop()
    target = machine.stack[-1]
    if type(target) is not list:
        raise Damaged("is damaged (an element for something that is no list)")
    target.append(value)


def _appends(machine):
    items = machine.pop_mark()
    target = machine.stack[-1]
    if type(target) is not list:
        raise Damaged("is damaged (elements for something that is no list)")
    target.extend(items)


def _tuple(machine):
    machine.count_container()
    items = machine.pop_mark()
    machine.stack.append(tuple(items))


def _short_tuple(count):
    def push(machine):
        machine.count_container()
        stack = machine.stack
        if len(stack) < count:
            raise Damaged("is damaged (a tuple of missing values)")
        items = tuple(stack[-count:])
        del stack[-count:]
        stack.append(items)

    return push


def _set_item(machine):
    stack = machine.stack
    value, key, target = stack.pop(), stack.pop(), stack[-1]
    if type(target) is not dict:
        raise Damaged("is damaged (an entry for something that is no dictionary)")
    _check_key(key)
    target[key] = value


def _set_items(machine):
    items = machine.pop_mark()
    target = machine.stack[-1]
    if type(target) is not dict or len(items) % 2:
        raise Damaged("is damaged (entries for something that is no dictionary)")
    keys = items[::2]
    if not _ONLY_TEXT.issuperset(map(type, keys)):
        for key in keys:
            _check_key(key)
    target.update(zip(keys, items[1::2]))


def _put(unpack, size):
    def put(machine):
        machine.memo[machine.number(unpack, size)] = machine.stack[-1]
        machine.memo_size += 1

    return put


def _get(unpack, size):
    def get(machine):
        value = machine.remembered(machine.number(unpack, size))
        machine.stack.append(value if type(value) is not Pending else _completed(value))

    return get


def _completed(pending):
    if pending.value is None:
        raise Damaged("uses an array before it is complete")
    return pending.value


def _global(machine):
    lines = bytes(machine.data[machine.at : machine.at + _LONGEST_GLOBAL]).split(b"\n", 2)
    if len(lines) < 3:
        raise Damaged("is damaged (a name without an end)")
    machine.at += len(lines[0]) + len(lines[1]) + 2
    machine.stack.append(machine.find(lines[0].decode("utf-8"), lines[1].decode("utf-8")))


def _stack_global(machine):
    name = machine.stack.pop()
    machine.stack.append(machine.find(machine.stack.pop(), name))


def _reduce(machine):
    arguments = machine.stack.pop()
    called = machine.stack.pop()
    if type(called) is not StandIn or called.call is None or type(arguments) is not tuple:
        raise Refused(f"a call of {called.name if type(called) is StandIn else type(called).__name__}")
    machine.count_container()
    value = called.call(*arguments)
    machine.count_copy(value)
    machine.stack.append(value)


def _new_object(machine):
    arguments = machine.stack.pop()
    made = machine.stack.pop()
    if type(made) is not StandIn or made.make is None or arguments != ():
        raise Refused(f"an object of {made.name if type(made) is StandIn else type(made).__name__}")
    machine.count_container()
    machine.stack.append(made.make())


def _build(machine):
    state = machine.stack.pop()
    target = machine.stack[-1]
    if type(target) is Pending and target.value is None:
        machine.stack[-1] = target.value = target.fill(state)
        machine.count_copy(target.value)
    elif type(target) is Holder and type(state) is dict:
        target.attributes.update(state)
    else:
        raise Refused(f"a state for a {type(target).__name__}")


def _operations():
    table = [_refuse] * 256
    table[0x80], table[0x95], table[ord("(")] = _protocol, _frame, _mark
    table[0x88], table[0x89] = _constant(True), _constant(False)
    table[ord("M")], table[ord("J")] = _unpacked(_u16, 2), _unpacked(_i32, 4)
    table[ord("G")], table[0x8A], table[0x8B] = _unpacked(_f64, 8), _long(_length_byte, 1), _long(_i32, 4)
    table[0x8C], table[ord("X")], table[0x8D] = _short_text, _text(_u32, 4), _text(_u64, 8)
    table[ord("C")], table[ord("B")], table[0x8E] = _bytes(_length_byte, 1), _bytes(_u32, 4), _bytes(_u64, 8)
    table[0x96] = _bytes(_u64, 8)
    table[ord("]")], table[ord("}")], table[ord(")")] = _empty_list, _empty_dict, _constant(())
    table[ord("a")], table[ord("e")], table[ord("s")], table[ord("u")] = _append, _appends, _set_item, _set_items
    table[ord("t")] = _tuple
    table[0x85], table[0x86], table[0x87] = (_short_tuple(count) for count in (1, 2, 3))
    table[ord("q")], table[ord("r")] = _put(_length_byte, 1), _put(_u32, 4)
    table[ord("h")], table[ord("j")] = _get(_length_byte, 1), _get(_u32, 4)
    table[ord("c")], table[0x93] = _global, _stack_global
    table[ord("R")], table[0x81], table[ord("b")] = _reduce, _new_object, _build
    return table


_OPERATIONS = _operations()
