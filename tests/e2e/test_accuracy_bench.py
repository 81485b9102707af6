"""bench/accuracy judges the what-if engine, so it is itself tried here: its pairs can be read, and it sees what differs. Needs no server."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from bench.accuracy import measure, pairs, plans, report  # noqa: E402


def scan(**changes):
    node = {"Node Type": "Index Scan", "Relation Name": "t", "Alias": "t", "Index Name": "<13001>btree_t_a", "Scan Direction": "Forward",
            "Index Cond": "(a = 1)", "Total Cost": 8.0, "Plan Rows": 1}  # fmt: skip
    limit = {"Node Type": "Limit", "Total Cost": 8.0, "Plan Rows": 1, "Plans": [{**node, **changes}]}
    return plans.read([{"Plan": limit}], lambda name: measure._mapped(name, {"13001": "#1", "13002": "#2"}))


def test_there_are_enough_pairs_over_all_access_methods():
    schemas = pairs.schemas()
    trials = [trial for schema in schemas for trial in schema.trials]
    assert len(schemas) >= 5
    assert sum(len(trial.pairs) for trial in trials if trial.method not in ("hnsw", "ivfflat")) >= 300
    assert {trial.method for trial in trials} == set(report.ORDER)
    known = {pair.name for trial in trials for pair in trial.pairs}
    for name in pairs.causes():
        plain = name.partition(" (")[0].removeprefix("size ").partition(" #")[0]
        assert plain in known, f"causes.txt explains {name}, which is no pair"


def test_the_same_plan_is_the_same_whatever_its_numbers():
    assert plans.difference(scan(), scan(**{"Total Cost": 99.0, "Plan Rows": 7})) == ""
    assert scan().uses() and scan().line == "Limit(IndexScan #1 t)"


@pytest.mark.parametrize("key, value", [
    ("Index Name", "<13002>btree_t_a"), ("Index Name", "t_pkey"), ("Index Cond", "(a > 1)"), ("Node Type", "Bitmap Heap Scan"),
    ("Relation Name", "u"), ("Scan Direction", "Backward"), ("Filter", "(b = 1)"),
])  # fmt: skip
def test_another_plan_is_seen(key, value):
    assert key in plans.difference(scan(), scan(**{key: value}))


def test_a_percentile_is_a_value_that_was_measured():
    values = [float(i) for i in range(1, 101)]
    assert report.percentile(values, 0.95) == 95.0
    assert report.percentile([3.0], 0.95) == 3.0


def test_a_refused_definition_counts_as_wrong():
    pair = pairs.Pair("x.y", "SELECT 1")
    trial = pairs.Trial("btree", "one column", ["CREATE INDEX ON t (a)"], [pair])
    real = measure.Half(sizes=[8192], plans={"x.y": scan()})
    judged, sized = report.judge([measure.Result(trial, real, measure.Half().refuse(trial, "0A000 no"), {})])
    assert not any(target.met for target in report.targets(judged, sized))
    assert "0A000 no" in report.misses(judged, sized, {}, 18)[0]
