"""Measures how quickly face data, packs, loss histories and sessions are read. Run: python benchmarks/formats.py"""

import os
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from core.files.imageio import read_image
from core.pickles import safe_pickle
from merger.interactive.session_import import read_session
from samplelib.faces import aligned_face
from samplelib.faces.aligned_face import FaceMetadata
from samplelib.packs import reading

FACES, FRAMES, ITERATIONS = 50_000, 20_000, 1_000_000


def main():
    """Print one line per measurement; with the path of a pack open only that."""
    if len(sys.argv) > 1:
        open_pack(sys.argv[1])
        return
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "face.jpg"
        metadata = FaceMetadata(
            "whole_face",
            rng.random((68, 2)) * 1024,
            "00001.png",
            [100, 100, 500, 500],
            rng.random((68, 2)) * 1920,
            rng.random((2, 3)),
        )
        smooth = np.kron(rng.integers(0, 256, (64, 64, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
        aligned_face.save_face(path, smooth, metadata, 100)
        print(f"face picture of 1024 px, {path.stat().st_size // 1024} KiB")
        report("  read its face data", best(lambda: aligned_face.read_metadata(path)))
        report("  decode its pixels", best(lambda: read_image(path), 10))
        report("  replace its face data", best(lambda: alternate(path, metadata), 20))
        for mask in (None, path.read_bytes()[:3000]):
            measure_pack(Path(folder) / "faceset.pak", path.read_bytes()[:5000], mask, rng)
        measure_session(Path(folder) / "m_SAEHD_merger_session.dat", rng)
    for width in (2, 1):
        measure_losses(rng.random((ITERATIONS, width)).tolist(), width)


def measure_pack(path, blob, mask, rng):
    """Open a pack in new processes, at first without an index beside it."""
    config = [
        {
            "sample_type": 1,
            "filename": f"{number:05d}_0.jpg",
            "face_type": 4,
            "shape": (1024, 1024, 3),
            "landmarks": points,
            "seg_ie_polys": {"polys": []},
            "xseg_mask": None,
            "xseg_mask_compressed": mask if mask is None else np.frombuffer(mask, np.uint8),
            "eyebrows_expand_mod": 1.0,
            "source_filename": f"{number:05d}.png",
            "person_name": None,
        }
        for number, points in enumerate((rng.random((FACES, 68, 2)) * 1024).tolist())
    ]
    index = safe_pickle.dumps(config)
    del config
    offsets = np.arange(FACES + 1, dtype="<u8") * len(blob)
    offsets[-1] += 16 + len(index) + offsets.nbytes
    with open(path, "wb") as stream:
        stream.write(struct.pack("<QQ", 1, len(index)) + index + offsets.tobytes())
        for _ in range(FACES):
            stream.write(blob)
    masks = "without masks" if mask is None else "with masks"
    print(f"pack of {FACES} faces {masks}, {path.stat().st_size >> 20} MiB, pickles {len(index) >> 20} MiB", flush=True)
    Path(f"{path}.idx").unlink(missing_ok=True)
    for _ in range(3):
        subprocess.run([sys.executable, __file__, str(path)], check=True)


def open_pack(path):
    """Open a pack once, and say what that took."""
    had_index = os.path.exists(f"{path}.idx")
    before = memory("RssAnon")
    start, clock = time.process_time(), time.perf_counter()
    samples = reading.open_pack(path)
    taken = time.process_time() - start, time.perf_counter() - clock
    kept, peak = memory("RssAnon") - before, memory("VmHWM")
    print(
        f"  open {'by' if had_index else 'without'} index: {taken[0]:.2f} s processor time, {taken[1]:.2f} s by the clock, "
        f"keeps {kept} MiB, peak of the process with mapped files {peak} MiB"
    )
    report("    face data of one", best(lambda: samples[FACES // 2].load_training_metadata()))


def memory(kind):
    """Memory of this process in MiB: ``RssAnon`` now without mapped files, ``VmHWM`` the peak; 0 where nobody tells."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) >> 10 for line in lines if line.startswith(kind))


def measure_losses(losses, width):
    start = time.process_time()
    data = safe_pickle.dumps(losses)
    written = time.process_time()
    safe_pickle.loads(data, "losses")
    read = time.process_time() - written
    print(f"{ITERATIONS} iterations of {width} losses: written in {written - start:.2f} s, read in {read:.2f} s")


def measure_session(path, rng):
    """A session as DeepFaceLab writes it, with a face in each frame."""

    def text(value):
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def made(module, name, **attributes):
        state = b"".join(text(key) + value for key, value in attributes.items())
        return f"c{module}\n{name}\n".encode() + b")\x81}(" + state + b"ub"

    def frame(number, points):
        file = b"cpathlib\nWindowsPath\n(" + text("C:\\") + text(f"{number:05d}.png") + b"tR"
        faces = safe_pickle.dumps([points])[2:-1]
        info = made("merger.FrameInfo", "FrameInfo", filepath=file, landmarks_list=faces, motion_deg=b"K\x02")
        owner = "merger.InteractiveMergerSubprocessor", "InteractiveMergerSubprocessor.Frame"
        return made(*owner, frame_info=info, cfg=b"N", is_done=b"\x88")

    frames = b"".join(map(frame, range(FRAMES), (rng.random((FRAMES, 68, 2)) * 1920).tolist()))
    indexes = safe_pickle.dumps(list(range(FRAMES)))[2:-1]
    parts = {"frames": b"](" + frames + b"e", "frames_idxs": indexes, "frames_done_idxs": b"]", "model_iter": b"K\x05"}
    path.write_bytes(b"\x80\x04}(" + b"".join(text(key) + value for key, value in parts.items()) + b"u.")
    start = time.process_time()
    read_session(path)
    taken = time.process_time() - start
    print(f"session of {FRAMES} frames, {path.stat().st_size >> 20} MiB: read in {taken:.2f} s", flush=True)


def alternate(path, metadata):
    """Write metadata that differs from what is there."""
    current = aligned_face.read_metadata(path).face_type
    aligned_face.write_metadata(path, metadata.replace(face_type="head" if current != "head" else "whole_face"))


def best(function, repeats=300):
    """Shortest of several means, in seconds: processor time and time by the clock."""
    shortest = [float("inf"), float("inf")]
    for _ in range(7):
        start, clock = time.process_time(), time.perf_counter()
        for _ in range(repeats):
            function()
        taken = time.process_time() - start, time.perf_counter() - clock
        shortest = [min(least, value / repeats) for least, value in zip(shortest, taken)]
    return shortest


def report(what, seconds):
    print(f"{what}: {seconds[0] * 1e3:.3f} ms processor time, {seconds[1] * 1e3:.3f} ms by the clock", flush=True)


if __name__ == "__main__":
    main()
