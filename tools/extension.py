"""Building this extension and installing it into a PostgreSQL."""

import shutil
from pathlib import Path

from . import packages, paths
from .postgres import EXTENSION, Installation
from .progress import Failed, fresh_log, phase, run


def install(installation: Installation) -> None:
    """`build` with a line for the user."""
    log = _log(installation)
    with phase(f"building {EXTENSION} for {installation.version} (release; the first time takes minutes)", log):
        build(installation)


def build(installation: Installation, with_tests: bool = False) -> None:
    """Release build into the installation's own directories; or a debug build, with the functions that test it in the server."""
    major = installation.major
    log = fresh_log(_log(installation).stem)
    kind = ["--features", f"pg{major} pg_test"] if with_tests else ["--release", "--features", f"pg{major}"]
    env = packages.cargo_environment(installation.pg_config)
    if with_tests:
        # Optimised a little, as the profile says, it takes 140 seconds in place of 50 to build, and most of what it does is the planner's C.
        env["CARGO_PROFILE_DEV_OPT_LEVEL"] = "0"
    run(
        ["cargo", "pgrx", "install", "--no-default-features", *kind, "--pg-config", installation.pg_config],
        log,
        env=env,
    )  # fmt: skip
    if not (installation.path("sharedir") / "extension" / f"{EXTENSION}.control").exists():
        raise Failed(f"{EXTENSION}.control did not arrive in {installation.path('sharedir')}/extension; see {log}")


def _log(installation: Installation) -> Path:
    return paths.LOG / f"build-pg{installation.major}.log"


def clean() -> None:
    outside = paths.BUILD / "outside"
    if outside.exists():
        shutil.rmtree(outside.read_text().strip(), ignore_errors=True)
    shutil.rmtree(paths.BUILD, ignore_errors=True)
