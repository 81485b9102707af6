"""The account that runs servers. PostgreSQL refuses root, so root lends its servers to an unprivileged account."""

import functools
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from .progress import Failed

# Tried in this order; postgres is there wherever a PostgreSQL package is, nobody nearly everywhere.
CANDIDATES = ("postgres", "nobody")


@functools.cache
def server_account() -> pwd.struct_passwd:
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    for name in CANDIDATES:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Failed(f"running as root needs an unprivileged account for the server: one of {', '.join(CANDIDATES)}")


def identity() -> dict:
    """Arguments for `subprocess` that run a command as the server's account."""
    if os.geteuid() != 0:
        return {}
    account = server_account()
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def own(path: Path, mode: int = 0o700) -> None:
    """Gives a directory to the server's account."""
    if os.geteuid() == 0:
        account = server_account()
        os.chown(path, account.pw_uid, account.pw_gid)
    os.chmod(path, mode)


def can_reach(path: Path) -> bool:
    """Whether the server's account can enter this directory, asked as that account."""
    test = shutil.which("test") or "/usr/bin/test"
    return subprocess.run([test, "-x", str(path)], cwd="/", **identity()).returncode == 0
