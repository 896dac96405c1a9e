"""Times steps against the number of faces: ``python -m benchmarks sizes [--counts 1000 10000 50000] [--steps pack unpack]``.

Each step is the real command in a process of its own. Printed are seconds of processor time, those for a thousand faces, and the
peak of memory with its growth since the count before; both stay level where a step is linear and bounded.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

DRAWN = 1000
STEPS = {
    "load for training": ["-c", "import sys; from samplelib.faceset import load_faceset; [s.training_metadata for s in load_faceset(sys.argv[1])]"],
    "sort by yaw": ["main.py", "sort", "--by", "face-yaw", "--input-dir"],
    "sort by blur": ["main.py", "sort", "--by", "blur", "--input-dir"],
    "sort by best faces": ["main.py", "sort", "--by", "final-fast", "--target-count", "500", "--input-dir"],
    "report": ["main.py", "facesettool", "report", "--src-dir"],
    "xseg remove": ["main.py", "xseg", "remove", "--yes", "--input-dir"],
    "save metadata": ["main.py", "util", "--save-faceset-metadata", "--input-dir"],
    "pack": ["main.py", "util", "--pack-faceset", "--yes", "--input-dir"],
    "load a pack for training": ["-c", "import sys; from samplelib.faceset import load_faceset; [s.training_metadata for s in load_faceset(sys.argv[1])]"],
    "unpack": ["main.py", "util", "--unpack-faceset", "--yes", "--input-dir"],
}  # fmt: skip
CHANGES_NAMES = ("sort by best faces",)


def main():
    """Run every step at every count, one after the other, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--steps", nargs="+", choices=[[], *STEPS], default=list(STEPS))
    parser.add_argument("--folder", type=Path, help="make the faces here")
    options = parser.parse_args()
    results = {}
    for count in sorted(options.counts):
        with tempfile.TemporaryDirectory(dir=options.folder) as place:
            faces = Path(place) / "faces"
            make_faces_of(faces, count)
            for step in options.steps:
                folder = copy_of(faces) if step in CHANGES_NAMES else faces
                results[step, count] = measured([*STEPS[step], str(folder)])
                print(f"# {step}, {count}: {results[step, count]}", file=sys.stderr, flush=True)
    print(f"{'step':26s}{'faces':>8s}{'CPU s':>9s}{'per 1000':>10s}{'peak MB':>9s}{'MB more per 1000':>18s}")
    for step in options.steps:
        before = None
        for count in sorted(options.counts):
            seconds, peak = results[step, count]
            more = "" if before is None else f"{(peak - before[1]) / (count - before[0]) * 1000:.1f}"
            print(f"{step:26s}{count:8d}{seconds:9.1f}{seconds / count * 1000:10.2f}{peak:9.0f}{more:>18s}")
            before = count, peak


def make_faces_of(folder, count):
    """``count`` face pictures, of which each thousandth has the same content."""
    folder.mkdir()
    draw = "import sys; from pathlib import Path; from sort import make_faces; make_faces(Path(sys.argv[1]), int(sys.argv[2]))"
    # In a process of its own: what this one holds would count as the memory of each that it starts.
    subprocess.run([sys.executable, "-c", draw, folder, str(min(count, DRAWN))], cwd=ROOT / "benchmarks", check=True)
    drawn = sorted(folder.iterdir())
    for number in range(len(drawn), count):
        shutil.copyfile(drawn[number % DRAWN], folder / f"{number:05d}_0.jpg")


def copy_of(folder):
    """A copy that shares the files' content, for steps that move files away."""
    copy = folder.with_name("copy")
    copy.mkdir()
    for file in folder.iterdir():
        os.link(file, copy / file.name)
    return copy


def measured(words):
    """Processor seconds and peak of memory in MB of one command."""
    process = subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)} failed:\n{said.decode(errors='replace')[-2000:]}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
