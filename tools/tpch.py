"""TPC-H as a workload: its data from tpchgen-cli, its tables and its 22 statements from demo/tpch."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import paths

TABLES = ("region", "nation", "part", "supplier", "partsupp", "customer", "orders", "lineitem")


@dataclass(frozen=True)
class Query:
    name: str  # Q1 ... Q22
    title: str
    text: str


def queries() -> list[Query]:
    """The 22 statements, the comment of the first line taken off as their title."""
    found = []
    for file in sorted((paths.TPCH / "queries").glob("*.sql")):
        title, _, text = file.read_text().partition("\n")
        found.append(Query(f"Q{int(file.stem)}", title.removeprefix("-- "), text.strip().rstrip(";")))
    return found


def generate(scale: float) -> Path:
    """The eight tables as delimited text in `.build/tpch/SCALE`, kept for the next time."""
    place = paths.BUILD / "tpch" / str(scale)
    if all((place / f"{table}.tbl").exists() for table in TABLES) and (place / "complete").exists():
        return place
    place.mkdir(parents=True, exist_ok=True)
    tool = paths.VENV / "bin" / "tpchgen-cli"
    subprocess.run([str(tool), "-s", str(scale), f"--output-dir={place}"], check=True, capture_output=True)
    (place / "complete").touch()
    return place


def load(connection, data: Path) -> int:
    """Creates and fills the tables; the number of rows of lineitem."""
    connection.execute((paths.TPCH / "schema.sql").read_text())
    for table in TABLES:
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (DELIMITER '|')") as copy:
            with open(data / f"{table}.tbl") as file:
                while lines := file.readlines(1 << 20):
                    # Every line of the format ends with a delimiter that COPY would take for one column more.
                    copy.write("".join(line[:-2] + "\n" for line in lines))
    connection.execute("VACUUM ANALYZE " + ", ".join(TABLES))
    [[hidden]] = connection.execute(
        "SELECT count(*) FROM pg_class WHERE relname = ANY (%s) AND relkind = 'r' AND relpages > 10 AND relallvisible < 0.9 * relpages", (list(TABLES),)
    ).fetchall()
    assert not hidden, f"VACUUM left {hidden} tables without all-visible pages"
    return connection.execute("SELECT count(*) FROM lineitem").fetchone()[0]
