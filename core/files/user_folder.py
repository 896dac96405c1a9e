"""The folders for what the program keeps for a user: settings and certificates, and what it can get or make again."""

import os
import sys
from pathlib import Path

from core.version import NAME


def user_config_folder() -> Path:
    """The folder for settings of this user: ``$DFL_CONFIG_DIR``, or where the system keeps such things."""
    if os.environ.get("DFL_CONFIG_DIR"):
        return Path(os.environ["DFL_CONFIG_DIR"]).expanduser()
    if os.name == "nt":
        base = os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / NAME


def user_cache_folder() -> Path:
    """The folder for what can be fetched or made again."""
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / NAME
