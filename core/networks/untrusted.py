"""ONNX files of strangers: tried out by a program of their own, with bounded memory and time, before this process loads them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.errors import FormatError

_CODE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")
_FAILED_OPERATION = re.compile(r"while running (\w+) node")


class Problem(Exception):
    """Why a network cannot be used; said by the program that tries it out."""


def try_out(script: Path, path: Path, *words: object, seconds: float, most_bytes: int) -> dict:
    """What a script that runs a network found out about it.

    Parameters
    ----------
    script : Path
        Gets the file and ``words``, and prints one JSON object: facts, or a ``problem``.
    path : Path
    seconds : float
        Time that it may take.
    most_bytes : int
        Size that the file may have.

    Raises
    ------
    FormatError
        When there is a problem, no answer, or none in time.
    """
    size = path.stat().st_size
    if size == 0 or size > most_bytes:
        raise FormatError(path, f"is no ONNX network of a size that can be used ({size} bytes; up to {most_bytes})")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, str(script), str(path), *map(str, words)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        raise FormatError(path, f"took longer than {seconds} seconds for a few pictures") from None
    try:
        facts = json.loads(done.stdout)
    except ValueError:
        raise FormatError(path, f"cannot be run: trying it out ended with code {done.returncode}") from None
    if "problem" in facts:
        raise FormatError(path, facts["problem"])
    return facts


def open_bounded(path: str, spare_memory: int) -> Any:
    """A session of ONNX Runtime on one thread, in a process that from now on may take only so many bytes more, and six times the file.

    Raises
    ------
    Problem
        When the file is no network, or one that reads other files.
    """
    with open(path, "rb") as stream:
        content = stream.read()
    _bound_memory(spare_memory + 6 * len(content))
    _refuse_other_files(content)
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no common kind of error
        raise Problem(f"is no ONNX network that can be run ({short_reason(error)})") from None


def print_facts(examine: Callable[..., dict], *arguments: object) -> None:
    """Print what an examination finds as one JSON object, or its ``problem``; the end of a script for :func:`try_out`."""
    try:
        found = examine(*arguments)
    except Problem as problem:
        found = {"problem": str(problem)}
    except MemoryError:
        found = {"problem": "cannot be run (it needs too much memory)"}
    print(json.dumps(found))


def short_reason(error: BaseException) -> str:
    """First line of an error, without what only its authors understand."""
    text = (str(error).splitlines() or [type(error).__name__])[0]
    if "allocate" in text or "bad_alloc" in text or isinstance(error, MemoryError):
        return "it needs too much memory"
    failed = _FAILED_OPERATION.search(text)
    return f"its operation {failed[1]} fails" if failed else _CODE.sub("", text)[:200]


def _refuse_other_files(content):
    """A network of one file cannot make this program read others."""
    try:
        import onnx
    except ImportError:
        return  # onnxruntime reads no other file for a network that it gets as bytes
    try:
        model = onnx.load_model_from_string(content)
    except Exception:
        raise Problem("is no ONNX network that can be run (it is damaged, or another kind of file)") from None
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in _tensors(model)):
        raise Problem("keeps weights in other files; give a network that is one file")
    for entry in model.graph.input:
        sizes = [dimension.dim_value for dimension in entry.type.tensor_type.shape.dim]
        if any(size < -1 for size in sizes):
            raise Problem(f"takes {sizes}; a size cannot be negative")


def _tensors(model):
    """All stored tensors of a model: those of its graph, of its functions, and of the graphs inside operations."""
    waiting = [model.graph, *model.functions]
    while waiting:
        graph = waiting.pop()
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                yield from (attribute.t, *attribute.tensors)
                sparse_tensors = (attribute.sparse_tensor, *attribute.sparse_tensors)
                yield from (part for sparse in sparse_tensors for part in (sparse.values, sparse.indices))
                waiting += [attribute.g, *attribute.graphs] if attribute.HasField("g") else attribute.graphs


def _bound_memory(more):
    """Let this process take so many bytes more than it has now, where the system can limit that."""
    try:
        import resource

        with open("/proc/self/status", encoding="ascii") as stream:
            taken = next(int(line.split()[1]) << 10 for line in stream if line.startswith("VmData"))
    except (ImportError, OSError, StopIteration):
        return
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = taken + more if most == resource.RLIM_INFINITY else min(taken + more, most)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
