"""Look for the Java that Spark runs on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

OLDEST_JAVA = 17
CURE = f"install Java {OLDEST_JAVA} or newer (apt install default-jre-headless) and let JAVA_HOME point to it"


class Java(NamedTuple):
    """What was found: the major version, None where Spark cannot run on it, and in words."""

    version: int | None
    found: str


def find_java() -> Java:
    """Ask the Java of JAVA_HOME, or the first on the path, for its version."""
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=str(Path(home, "bin")) if home else None)
    if not program:
        return Java(None, f"no java in {home}" if home else "no java on the path")
    try:
        done = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Java(None, f"{program} does not run: {error}")
    match = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    if not match or int(match[1]) < OLDEST_JAVA:
        return Java(None, f"{program} is {match[1] if match else 'of unknown version'}")
    return Java(int(match[1]), f"{match[1]} ({program})")
