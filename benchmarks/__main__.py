"""Runs the benchmarks, all or by name, and compares their numbers with those of an earlier run.

    python -m benchmarks [NAME ...] [--quick] [--rounds 3] [--json new.json] [--compare old.json]

Each benchmark is a program of its own and prints its table; ``--help`` behind its file name tells its options. ``--json`` keeps
all numbers. ``--compare`` prints new / old for every line of every table: the median of the rounds, and the smallest and largest.
Compare only runs of one machine with nothing else to do; numbers that are no times, such as counts, are compared as well.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent

# Name → arguments, and those of a quick run. Benchmarks that need pictures of the user's own are left out (landmarks, recognition,
# train_curve, xseg_train), gpu, which needs a graphics card (gpu.sh), and jax_step, which needs JAX and is run in two places.
BENCHMARKS = {
    "conv_share": ((), ("saehd-df-ud-64", "--top", "3")),
    "engines": ((), ("--faces", "4", "--networks", "Quick96 (df-ud 96)")),
    "extract": ((), ("--frames", "24")),
    "find_faces": ((), ("--frames", "13")),
    "formats": ((), ()),
    "merge": ((), ()),
    "merge_pools": ((), ()),
    "sample_store": ((), ("--faces", "24", "--size", "128")),
    "samples": ((), ("--faces", "16", "--seconds", "0.5", "--iterations", "5")),
    "sizes": ((), ("--counts", "50", "100")),
    "sort": ((), ("--counts", "300")),
    "train_save": ((), ("--saves", "2")),
    "train_start": ((), ("Quick96",)),
    "train_step": ((), ("saehd-df-ud-64", "--iterations", "3")),
}
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])")


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], help="all of them if left out")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that all of them run")
    parser.add_argument("--rounds", type=int, default=1, help="how often each runs, taking turns")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="numbers of an earlier run")
    options = parser.parse_args()
    old = json.loads(options.compare.read_text(encoding="utf-8")) if options.compare else None
    names = options.names or list(BENCHMARKS)
    numbers = {name: {} for name in names}
    for _ in range(options.rounds):
        for name in names:
            arguments = BENCHMARKS[name][int(options.quick)]
            add_round(numbers[name], run(name, arguments))
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=1, ensure_ascii=False), encoding="utf-8")
    if old is not None:
        print_ratios(numbers, old)


def run(name, arguments):
    """Run one benchmark, show what it prints, and return it."""
    print(f"\n=== {name} {' '.join(arguments)}", flush=True)
    command = [sys.executable, str(FOLDER / f"{name}.py"), *arguments]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=FOLDER.parent) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        sys.exit(f"{name} failed with exit code {process.returncode}")
    return "".join(lines)


def add_round(table, text):
    """Add the numbers of each line to ``table``: label → one list of numbers a round. A label is the line without its numbers."""
    seen = {}
    for line in text.splitlines():
        found = [float(number) for number in _NUMBER.findall(line)]
        label = " ".join(_NUMBER.sub("#", line).split())
        if not found or label.startswith("==="):
            continue
        seen[label] = seen.get(label, 0) + 1
        table.setdefault(label if seen[label] == 1 else f"{label} ({seen[label]})", []).append(found)


def ratios(new, old):
    """For each number of a line: (median, smallest, largest) of new / old over all pairs of rounds; None where old is 0."""
    columns = []
    for place in range(min(len(row) for row in (*new, *old))):
        pairs = [ours[place] / theirs[place] for ours in new for theirs in old if theirs[place]]
        columns.append((statistics.median(pairs), min(pairs), max(pairs)) if pairs else None)
    return columns


def print_ratios(numbers, old):
    """New / old of every line that both runs have."""
    for name, table in numbers.items():
        print(f"\n=== {name}: new / old (smallest to largest)")
        for label, rounds in table.items():
            if label in old.get(name, {}):
                columns = ratios(rounds, old[name][label])
                shown = ", ".join(
                    "–" if one is None else f"{one[0]:.2f} ({one[1]:.2f} to {one[2]:.2f})" for one in columns
                )
                print(f"{label[:70]:70s} {shown}")


if __name__ == "__main__":
    main()
