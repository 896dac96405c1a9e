"""What the editor remembers between sessions: a small JSON file in the user's configuration folder."""

import base64
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from core.console import interact
from core.errors import FormatError, UserError
from core.files.paths import atomic_write
from core.files.user_folder import user_config_folder
from core.records.json_file import read_json

COLORS = ("red", "green", "blue")


@dataclass
class Settings:
    """Window geometry (base64 of Qt's bytes), colour of the polygons, overlay switch."""

    geometry: str = ""
    color: str = "green"
    overlay: bool = False

    def geometry_bytes(self) -> bytes:
        """Geometry as Qt wants it; empty when unknown or damaged."""
        try:
            return base64.b64decode(self.geometry, validate=True)
        except ValueError:
            return b""

    def remember_geometry(self, data: bytes) -> None:
        """Keep what ``saveGeometry`` gave."""
        self.geometry = base64.b64encode(data).decode("ascii")


def settings_path() -> Path:
    """Where the settings lie."""
    return user_config_folder() / "mask_editor.json"


def load_settings() -> Settings:
    """Settings of the last session; defaults for whatever is missing or damaged."""
    settings = Settings()
    try:
        stored = read_json(settings_path(), {})
    except (OSError, FormatError):
        return settings
    if isinstance(stored.get("geometry"), str):
        settings.geometry = stored["geometry"]
    if isinstance(stored.get("color"), str) and stored["color"] in COLORS:
        settings.color = stored["color"]
    settings.overlay = stored.get("overlay") is True
    return settings


def save_settings(settings: Settings) -> None:
    """Write the settings; a failure is only a warning."""
    path = settings_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, json.dumps(asdict(settings), indent=1).encode())
    except (OSError, UserError) as error:
        interact.warning(f"The editor's settings could not be saved: {error}")
