"""What this checkout needs from outside, and how it gets it: Debian's packages as root, everything else privately.

Standard library only: this runs before the virtual environment exists.
"""

import ctypes.util
import glob
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import paths
from .progress import Failed, fresh_log, phase, run

CARGO_PGRX = "0.18.0"  # must be identical to the pgrx of Cargo.toml: cargo-pgrx insists
PG15_BIN = Path("/usr/lib/postgresql/15/bin")
PG15_CRON = Path("/usr/lib/postgresql/15/lib/pg_cron.so")
REQUIREMENTS = paths.ROOT / "tools" / "requirements.txt"


def _has_libclang() -> bool:
    return bool(
        ctypes.util.find_library("clang")
        or os.environ.get("LIBCLANG_PATH")
        or glob.glob("/usr/lib/llvm-*/lib/libclang*.so*")
        or glob.glob("/usr/lib*/libclang*.so*")
    )


def _needs(for_tests: bool) -> list[tuple[str, bool, list[str]]]:
    """(what, present, Debian packages) of everything that is not brought privately."""
    needs = [
        ("a C compiler", shutil.which("cc") is not None, ["build-essential"]),
        ("clang and libclang, for pgrx's bindings", shutil.which("clang") is not None and _has_libclang(), ["clang", "libclang-dev"]),
        ("Python's venv", importlib.util.find_spec("ensurepip") is not None, ["python3-venv"]),
    ]
    if for_tests:
        have_15 = "PG15_CONFIG" in os.environ or (
            (PG15_BIN / "postgres").exists() and Path("/usr/include/postgresql/15/server/postgres.h").exists()
        )
        needs.append(("PostgreSQL 15 with headers", have_15, ["postgresql-15", "postgresql-server-dev-15"]))
    return needs


def ensure_system(for_tests: bool = False) -> None:
    """Installs what is missing as root on Debian; otherwise names it and stops."""
    if shutil.which("cargo") is None:
        raise Failed("no cargo: install Rust with rustup (https://rustup.rs); rust-toolchain.toml picks the version")
    missing = [(what, debian) for what, present, debian in _needs(for_tests) if not present]
    if not missing:
        return
    wanted = [package for _, debian in missing for package in debian]
    what = "; ".join(name for name, _ in missing)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Failed(f"missing: {what}.\nOn Debian or Ubuntu: sudo apt-get install {' '.join(wanted)}")
    log = fresh_log("apt")
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    with phase(f"installing {' '.join(wanted)}", log):
        run(["apt-get", "update"], log, env=env)
        run(["apt-get", "install", "-y", "--no-install-recommends", *wanted], log, env=env)


def ensure_pg_cron() -> None:
    """pg_cron for PostgreSQL 15, where Debian has it and we may install it; the test that needs it is skipped otherwise."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None or "PG15_CONFIG" in os.environ or PG15_CRON.exists():
        return
    log = fresh_log("apt-cron")
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    with phase("installing postgresql-15-cron", log):
        if run(["apt-get", "install", "-y", "--no-install-recommends", "postgresql-15-cron"], log, env=env, check=False):
            run(["apt-get", "update"], log, env=env, check=False)
            run(["apt-get", "install", "-y", "--no-install-recommends", "postgresql-15-cron"], log, env=env, check=False)


def ensure_venv() -> None:
    """`.build/venv` with the wheels of tools/requirements.txt; made again when that file changes."""
    stamp = paths.VENV / "requirements.txt"
    wanted = REQUIREMENTS.read_text()
    if paths.venv_python().exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    log = fresh_log("venv")
    with phase("fetching PostgreSQL 18, tpchgen-cli, pytest, psycopg and jsonschema into .build/venv", log):
        run([sys.executable, "-m", "venv", "--clear", paths.VENV], log)
        run([paths.venv_python(), "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS], log)
        stamp.write_text(wanted)


def cargo_environment(pg_config: Path | None = None) -> dict:
    """The environment of every cargo call: private PGRX_HOME and target directory, our cargo-pgrx first on PATH."""
    env = dict(os.environ)
    env["PATH"] = f"{paths.CARGO_HOME_BIN / 'bin'}{os.pathsep}{env.get('PATH', '')}"
    env["PGRX_HOME"] = str(paths.PGRX_HOME)
    env["PGRX_BUILD_FLAGS"] = "--locked"  # what cargo-pgrx adds to the cargo commands it runs itself
    env.setdefault("CARGO_TERM_COLOR", "never")
    # What is built from nothing is built sooner without a record for the next time: the library in half of it.
    env.setdefault("CARGO_INCREMENTAL", "0")
    env["CARGO_TARGET_DIR"] = str(paths.TARGET)
    if pg_config is not None:
        env["PGRX_PG_CONFIG_PATH"] = str(pg_config)
    return env


def ensure_cargo_pgrx() -> None:
    """cargo-pgrx in exactly our version: the one on PATH when it is, else built into `.build/cargo`."""
    asked = subprocess.run(["cargo", "pgrx", "--version"], cwd=paths.ROOT, env=cargo_environment(), capture_output=True, text=True)
    if asked.returncode == 0 and asked.stdout.split()[-1:] == [CARGO_PGRX]:
        return
    log = fresh_log("cargo-pgrx")
    with phase(f"building cargo-pgrx {CARGO_PGRX} into .build/cargo (once, 1 to 3 minutes)", log):
        env = cargo_environment()
        env["CARGO_TARGET_DIR"] = str(paths.BUILD / "target-cargo-pgrx")
        env["CARGO_PROFILE_DEV_DEBUG"] = "false"
        # It only calls others: optimised it takes three times as long to build and is no faster.
        run(
            ["cargo", "install", "--debug", "--locked", "cargo-pgrx", "--version", CARGO_PGRX, "--root", paths.CARGO_HOME_BIN],
            log,
            env=env,
        )
        shutil.rmtree(env["CARGO_TARGET_DIR"], ignore_errors=True)


def register_servers(configs: dict[int, Path]) -> None:
    """Writes PGRX_HOME/config.toml, and only when it changes: pgrx rebuilds its bindings when the file is touched."""
    paths.PGRX_HOME.mkdir(parents=True, exist_ok=True)
    file = paths.PGRX_HOME / "config.toml"
    known: dict[str, str] = {}
    if file.exists():
        for line in file.read_text().splitlines():
            key, _, value = line.partition(" = ")
            if value and Path(value.strip('"')).exists():
                known[key] = value.strip('"')
    known.update({f"pg{major}": str(path) for major, path in configs.items()})
    text = "[configs]\n" + "".join(f'{key} = "{known[key]}"\n' for key in sorted(known))
    if not file.exists() or file.read_text() != text:
        file.write_text(text)
