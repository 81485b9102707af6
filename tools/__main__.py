"""`python3 -m tools COMMAND`: the commands of the Makefile. Standard library only until the venv is there."""

import os
import sys
from pathlib import Path

from . import packages, paths, progress


def prepare(for_tests: bool) -> None:
    """Installs what is missing and goes on inside the virtual environment."""
    paths.BUILD.mkdir(exist_ok=True)
    if Path(sys.prefix).resolve() == paths.VENV.resolve():
        return
    packages.ensure_system(for_tests)
    if for_tests:
        packages.ensure_pg_cron()
    packages.ensure_venv()
    packages.ensure_cargo_pgrx()
    python = str(paths.venv_python())
    sys.stdout.flush()
    os.execv(python, [python, "-m", "tools", *sys.argv[1:]])


def install(arguments: list[str]) -> int:
    """Into the user's own server, and so the one command that writes outside `.build/`."""
    from . import extension, postgres

    if len(arguments) != 1:
        raise progress.Failed("usage: make install PG_CONFIG=/path/to/pg_config")
    packages.ensure_system()
    packages.ensure_cargo_pgrx()
    pg_config = Path(arguments[0]).resolve()
    version = postgres.Installation(0, pg_config).version
    major = int("".join(c if c.isdigit() else " " for c in version).split()[0])
    if not 15 <= major <= 18:
        raise progress.Failed(f"{version} is not supported: 15 to 18 are")
    packages.register_servers({major: pg_config})
    extension.install(postgres.Installation(major, pg_config))
    progress.say("Now, in the database: CREATE EXTENSION pg_index_advisor;")
    return 0


def main(arguments: list[str]) -> int:
    command, rest = (arguments[0], arguments[1:]) if arguments else ("help", [])
    if command == "install":
        return install(rest)
    if command == "clean":
        from . import extension

        extension.clean()
        return 0
    if command == "demo":
        from . import demo

        if Path(sys.prefix).resolve() != paths.VENV.resolve():
            demo.announce()
        prepare(for_tests=False)
        return demo.main()
    if command in ("test", "test-fast"):
        # Tests raise panics by the thousand: a backtrace of each would take minutes.
        os.environ["RUST_BACKTRACE"] = "0"
        prepare(for_tests=command == "test")  # the pure tests need no server, only some PostgreSQL's headers
        from . import tiers

        return tiers.main(fast=command == "test-fast")
    if command == "python":  # a script of ours with the venv and a built extension, such as bench/what_if.py
        prepare(for_tests="15" in rest)
        os.execv(sys.executable, [sys.executable, *rest])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except progress.Failed as e:
        progress.say(f"\nFAILED: {e}")
        sys.exit(1)
    except KeyboardInterrupt as e:
        progress.say(f"\nstopped{' by ' + str(e) if str(e) else ''}; nothing is left running")
        sys.exit(130)
