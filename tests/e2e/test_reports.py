"""The report in its four forms, on a real workload: what programs, people and browsers get, and what nobody may see."""

import json
import re
from pathlib import Path

import jsonschema
import psycopg
import pytest
import shop

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs" / "report.schema.json").read_text())
FORMS = ("text", "markdown", "html", "json")


def report(connection, form: str, more: str = "") -> str:
    return connection.execute(f"SELECT index_advisor.report(format => '{form}'{more})").fetchone()[0]


def validated(connection, more: str = "") -> dict:
    value = json.loads(report(connection, "json", more))
    jsonschema.Draft202012Validator(SCHEMA).validate(value)
    return value


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_json_is_as_published(orders):
    orders.execute("CREATE TEMP TABLE gone (i integer)")
    orders.execute("SELECT i FROM gone WHERE i = 1")
    orders.execute("DROP TABLE gone")
    whole = validated(orders)
    assert whole["format_version"] == 1
    assert whole["recommendations"] and whole["plans"] and whole["frontier"]
    assert {statement["outcome"]["status"] for statement in whole["statements"]} == {"examined", "left_out"}
    limited = validated(orders, ", storage_budget => '64kB', max_indexes => 1, time_limit => interval '5 min'")
    assert limited["recommendations"] == [] and limited["plans"] == []
    orders.execute("SELECT pg_stat_statements_reset()")
    validated(orders)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_the_advice(orders, form):
    text = report(orders, form)
    assert "CREATE INDEX CONCURRENTLY ON public.orders (customer_id)" in text
    assert {"text": "=====", "markdown": "# Index advice", "html": "<!DOCTYPE html>", "json": "{"}[form] in text


def test_names_of_forms(orders):
    assert report(orders, "md").startswith("# Index advice")
    assert report(orders, "HTML").startswith("<!DOCTYPE html>")
    # Refused before the run, which a lock on the table would make wait or a missing pg_stat_statements impossible.
    orders.execute("DROP EXTENSION pg_stat_statements")
    with pytest.raises(psycopg.errors.InvalidParameterValue) as refused:
        report(orders, "pdf")
    assert 'report format "pdf" does not exist' in str(refused.value)
    assert all(f"'{form}'" in refused.value.diag.message_hint for form in FORMS)


def test_a_page_loads_nothing(orders):
    page = report(orders, "html")
    assert re.findall(r"\b(?:src|href|action|data)=\"(?!#)[^\"]*\"", page) == []
    assert "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';" in page
    assert not re.search(r"url\(|@import|https?://", page)


def test_hostile_names_and_texts_are_text_on_the_page(connection):
    name = '"<script>alert(1)</script> `x` |y| \u202e"'
    connection.execute(f"CREATE TABLE {name} (\"</style>\" integer, t text)")
    connection.execute(f"INSERT INTO {name} SELECT i, repeat('x', 60) FROM generate_series(1, 30000) AS i")
    connection.execute(f"VACUUM ANALYZE {name}")
    connection.execute("SELECT pg_stat_statements_reset()")
    for i in range(20):
        connection.execute(f"SELECT * /* </pre><img src=x onerror=alert(1)> */ FROM {name} WHERE \"</style>\" = {i}")
    page = report(connection, "html")
    assert page.count("<script") == 1 and page.count("</style>") == 1 and "<img" not in page and "\u202e" not in page
    assert "&#60;script&#62;alert(1)" in page
    markdown = report(connection, "markdown")
    assert "\u202e" not in markdown and "characters that cannot be shown here" in markdown
    # The statement to run is whole where programs take it.
    ddl = connection.execute("SELECT ddl FROM index_advisor.recommend()").fetchone()[0]
    connection.execute(ddl)
    validated(connection)


SECRETS = """
CREATE TABLE person (
    id      integer PRIMARY KEY,
    name    text NOT NULL,
    card    bigint NOT NULL,
    born    date NOT NULL,
    tags    text[] NOT NULL,
    balance numeric NOT NULL
);
INSERT INTO person
SELECT i, 'secret-' || lpad((i % 3000)::text, 4, '0'), 990000000 + i % 2000, date '1977-01-01' + i % 9000,
       ARRAY['covert' || i % 50], 880000 + i % 700
  FROM generate_series(1, 60000) AS i;
CREATE TABLE visit (person_id integer NOT NULL, day date NOT NULL, note text NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE visit_old PARTITION OF visit FOR VALUES FROM ('1977-01-01') TO ('1990-01-01');
CREATE TABLE visit_new PARTITION OF visit FOR VALUES FROM ('1990-01-01') TO ('2030-01-01');
INSERT INTO visit SELECT i % 60000, date '1977-01-01' + i % 9000, 'secret-' || i % 4000 FROM generate_series(1, 60000) AS i;
"""

# Each asks with values that only the data know, in another way.
QUERIES = [
    "SELECT id FROM person WHERE name = 'secret-{i:04}'",
    "SELECT id FROM person WHERE name LIKE 'secret-00{i:02}%'",
    "SELECT id FROM person WHERE card IN (990000{i:03}, 990001{i:03}, 990000777)",
    "SELECT id FROM person WHERE card = 990000000 + {i} AND born > date '1999-01-01' - {i}",
    "SELECT count(*) FROM person WHERE born BETWEEN date '1980-02-{d:02}' AND date '1980-03-{d:02}' + interval '1 day'",
    "SELECT id FROM person WHERE upper(name) = upper('secret-' || '{i:04}')",
    "SELECT id FROM person WHERE balance = 880{i:03} OR name = 'secret-1{i:03}'",
    "SELECT p.id FROM person AS p JOIN visit AS v ON v.person_id = p.id WHERE v.day = date '1985-01-01' + {i} AND v.note = 'secret-{i}'",
    "SELECT count(*) FROM visit WHERE day > date '1989-12-20' - {d} AND note = 'secret-{i}'",
    "UPDATE person SET balance = 880{i:03} WHERE card = 990001{i:03} AND name = 'secret-{i:04}'",
    "SELECT id FROM person WHERE card = ANY (ARRAY[990000{i:03}, 990000{i:03} + 1]::bigint[]) ORDER BY born LIMIT {d}",
]
VALUES = re.compile(r"secret|covert|99000\d|88[0-9]{4}|19[789]\d-\d\d")


def test_plans_are_there_and_show_no_values(connection):
    connection.execute(SECRETS)
    connection.execute("VACUUM ANALYZE person, visit")
    connection.execute("SELECT pg_stat_statements_reset()")
    for query in QUERIES:
        for i in range(1, 9):
            connection.execute(query.format(i=i * 7, d=i))
    whole = validated(connection, ", min_saving_percent => 0")
    plans = {plan["statement"]: plan for plan in whole["plans"]}
    helped = {advice["statements"][0]["statement"] for advice in whole["recommendations"] if advice["statements"]}
    assert len(helped) >= 5 and helped <= set(plans)
    texts = {statement["outcome"].get("id"): statement["text"] for statement in whole["statements"]}
    for statement, plan in plans.items():
        assert "cost=" in plan["before"] and "recommended_" in plan["after"], texts[statement]
        assert "recommended_" not in plan["before"]
        assert not VALUES.search(plan["before"] + plan["after"]), f"{texts[statement]}\n{plan['before']}\n{plan['after']}"
        assert "2147483647" not in plan["before"] + plan["after"]
    everything = "\n".join(plan["before"] + plan["after"] for plan in plans.values())
    # The values are away, the conditions are not.
    assert "(name = $1)" in everything and "?" in everything
    for form in FORMS:
        assert not re.search("secret|covert", report(connection, form, ", min_saving_percent => 0")), form
    # They were there to be seen: to the caller, who may read the statistics, explain() shows them.
    shown = connection.execute("SELECT before FROM index_advisor.explain('SELECT id FROM person WHERE name = $1')").fetchall()
    assert VALUES.search(str(shown))
    # What the plan costs is what the report says of it.
    examined = {s["outcome"]["id"]: s["outcome"] for s in whole["statements"] if s["outcome"]["status"] == "examined"}
    for statement, plan in plans.items():
        for when, cost in (("before", "cost_before"), ("after", "cost_after")):
            top = float(re.search(r"cost=[\d.]+\.\.([\d.]+) ", plan[when])[1])
            assert top == pytest.approx(examined[statement][cost], abs=0.02), texts[statement]


def test_a_plan_that_cannot_be_shown_is_not_there(database, orders):
    """A foreign table's plan may hold values in a text of its own: the advice is there, the plan is not."""
    orders.execute("CREATE EXTENSION file_fdw")
    orders.execute("CREATE SERVER files FOREIGN DATA WRAPPER file_fdw")
    orders.execute("CREATE FOREIGN TABLE rates (status text, rate text) SERVER files OPTIONS (program 'echo done,1', format 'csv')")
    orders.execute("SELECT pg_stat_statements_reset()")
    for i in range(20):
        orders.execute(f"SELECT * FROM orders JOIN rates USING (status) WHERE customer_id = {i}").fetchall()
    answer = validated(orders)
    assert "customer_id" in answer["recommendations"][0]["ddl"]
    assert answer["plans"] == []
    for form in FORMS:
        assert "customer_id" in report(orders, form)


def test_plans_keep_to_the_time_limit(orders):
    # Whatever time there is, there is a report; plans are what it can do without.
    answer = validated(orders, ", time_limit => interval '1 ms'")
    assert len(answer["plans"]) <= 20
