"""The places of this checkout. Everything generated goes under `.build/`; nothing here touches the disk on import."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build"
VENV = BUILD / "venv"
CARGO_HOME_BIN = BUILD / "cargo"
PGRX_HOME = BUILD / "pgrx"
LOG = BUILD / "log"
DEMO = ROOT / "demo"
TPCH = DEMO / "tpch"
# One for every server version: what does not depend on the version is compiled once.
TARGET = BUILD / "target"


def venv_python() -> Path:
    return VENV / "bin" / "python"
