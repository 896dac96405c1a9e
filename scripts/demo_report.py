"""Print where the demo's result is and how the loss fell, and lay out a contact sheet ``demo_sheet.png``.

Usage: ``demo_report.py WORKSPACE --model NAME_CLASS``. A row of the sheet shows a source face, a destination frame, its
mask and the swapped frame.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.errors import UserError
from core.files.imageio import read_bgr, write_image
from core.files.paths import list_images
from models.saved.model_files import read_model_data

ROWS, CELL_HEIGHT = 4, 240
CAPTIONS = ("source face", "destination frame", "mask", "swapped frame")


def contact_sheet(workspace):
    """The sheet as (H, W, 3) uint8 BGR: evenly spread faces and frames of the workspace, one row each."""
    frames = list_images(workspace / "data_dst", required=True)
    faces = list_images(workspace / "data_src" / "aligned", required=True)
    rows = []
    for index in range(ROWS):
        frame = frames[(2 * index + 1) * len(frames) // (2 * ROWS)]
        face = faces[(2 * index + 1) * len(faces) // (2 * ROWS)]
        merged = f"{frame.stem}.png"
        paths = (
            face, frame, workspace / "data_dst" / "merged_mask" / merged, workspace / "data_dst" / "merged" / merged,
        )  # fmt: skip
        rows.append(np.hstack([_cell(read_bgr(path)) for path in paths]))
    sheet = np.vstack([_captions(rows[0]), *rows])
    return sheet


def _cell(image):
    width = round(image.shape[1] * CELL_HEIGHT / image.shape[0])
    return cv2.resize(image, (width, CELL_HEIGHT), interpolation=cv2.INTER_AREA)


def _captions(row):
    bar = np.zeros((26, row.shape[1], 3), np.uint8)
    side = CELL_HEIGHT
    wide = (row.shape[1] - side) // 3
    for caption, left in zip(CAPTIONS, (0, side, side + wide, side + 2 * wide)):
        cv2.putText(bar, caption, (left + 6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (220, 220, 220), 1, cv2.LINE_AA)
    return bar


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--model", required=True, help="name and class, for example demo_SAEHD")
    options = parser.parse_args()
    try:
        history = read_model_data(options.workspace / "model" / f"{options.model}_data.dat").loss_history
        sheet = options.workspace / "demo_sheet.png"
        write_image(sheet, contact_sheet(options.workspace))
    except UserError as error:
        sys.exit(str(error))
    if not history:
        sys.exit("The model has no loss history: training did not run.")
    print(f"Result:        {(options.workspace / 'result.mp4').absolute()}")
    print(f"Contact sheet: {sheet.absolute()}")
    first, last = history[0], np.mean(history[-10:], axis=0)
    print(f"Loss (source, destination): first {first[0]:.4f}, {first[1]:.4f}; last {last[0]:.4f}, {last[1]:.4f}")
    print(f"Iterations:    {len(history)}")


if __name__ == "__main__":
    main()
