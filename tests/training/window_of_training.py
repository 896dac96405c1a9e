"""Program that shows the windows of training with stand-ins and tells on standard output what each key has done."""

import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from models.preview.preview_window import HISTORY_RANGES, PreviewWindow
from models.preview.previewer import PreviewState
from models.preview.sample_chooser import choose_sample
from models.training.trainer import STOP

SHADES = (0.2, 0.6)


def pages(shade=0.0):
    """Two pages of plain colour."""
    return [(name, np.full((200, 420, 3), value + shade, np.float32)) for name, value in zip(("one", "two"), SHADES)]


def show_preview():
    """The preview window, with a trainer that only tells what it is sent."""
    history = [[value] for value in np.linspace(1, 0.1, 12000)]
    finished = threading.Event()

    def send(command):
        print(f"sent {command}", flush=True)
        if command == STOP:
            finished.set()

    def finish_when_told():
        sys.stdin.readline()
        finished.set()

    threading.Thread(target=finish_when_told, daemon=True).start()
    state = PreviewState(pages(), history, len(history), 0.0)
    trainer = SimpleNamespace(
        previewer=SimpleNamespace(state=state), send=send, finished=finished, stop=lambda: send(STOP), failure=None
    )
    window = PreviewWindow(trainer)
    handle = window.handle

    def tell(key):
        handle(key)
        print(f"page {window.page % 2} range {HISTORY_RANGES[window.history_range]}", flush=True)

    window.handle = tell
    window.run()
    print("ended", flush=True)


def show_choice():
    """The choice of the sample for the history pictures."""

    def drawn(sample, iteration):
        print(f"sample {sample}", flush=True)
        return pages(0.1 * sample)

    choose_sample(
        SimpleNamespace(
            draw_sample=lambda number: number,
            pages=drawn,
            set_sample=lambda sample: print(f"took {sample}", flush=True),
        )
    )


if __name__ == "__main__":
    {"preview": show_preview, "choice": show_choice}[sys.argv[1]]()
