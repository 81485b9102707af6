"""Each sql/NAME.sql is run by psql in a fresh database and must print exactly expected/NAME.out.

expected/NAME_15.out, where there is one, is taken on PostgreSQL 15 instead. With UPDATE=1 in the environment the files
are written anew: look at the difference before you commit it.
"""

import difflib
import os
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
NAMES = sorted(file.stem for file in (HERE / "sql").glob("*.sql"))


@pytest.mark.parametrize("name", NAMES)
def test_golden(name, database):
    source = (HERE / "sql" / f"{name}.sql").read_text()
    # As pg_regress does: all that psql echoes and prints, errors in their short form.
    done = database.psql("-a", "-q", "-f", "-", "-v", "VERBOSITY=terse", text=source)
    printed = done.stdout.replace("psql:<stdin>:", "line ")
    special = HERE / "expected" / f"{name}_{database.server.installation.major}.out"
    golden = special if special.exists() else HERE / "expected" / f"{name}.out"
    if os.environ.get("UPDATE") == "1":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(printed)
    assert golden.exists(), f"{golden} is missing: a .sql without its expected output proves nothing"
    difference = difflib.unified_diff(golden.read_text().splitlines(), printed.splitlines(), "expected", "printed", lineterm="")
    assert not (lines := list(difference)), "\n".join(lines)
