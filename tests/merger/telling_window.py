"""The merger's window, which says on the standard output what it shows, for tests that press its keys."""

import json

from merger.interactive.window import MergerWindow


class TellingWindow(MergerWindow):
    """Prints its state as a JSON line at first, and after a key as soon as the current frame is on the screen."""

    def __init__(self):
        super().__init__()
        self.told, self.pressed = None, (0, "")

    def show(self, merger):
        super().show(merger)
        if not merger.waiting and self.told != self.pressed:
            self.told = self.pressed
            state = {
                "key": self.pressed[1],
                "position": merger.position,
                "config": merger.current.config.settings() if merger.current else None,
                "screen": merger.screen,
                "scale": merger.scale,
                "mask_view": merger.mask_view,
                "settings_shown": merger.show_settings,
                "displayed": merger.displayed is not None,
            }
            print("STATE " + json.dumps(state), flush=True)

    def poll(self, seconds):
        pressed = super().poll(seconds)
        for key in (key for key in pressed if len(key.character) == 1):
            self.pressed = (self.pressed[0] + 1, key.character + (" shift" if key.shift else ""))
        return pressed
