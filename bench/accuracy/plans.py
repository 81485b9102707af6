"""Two plans side by side: the part of EXPLAIN (FORMAT JSON) that makes a plan this plan, and its cost.

Same plan: the same tree of node types over the same relations, the same index at the same places, the same conditions. Costs, rows and
widths are numbers about the plan and compared as such.
"""

from collections.abc import Callable
from dataclasses import dataclass

# What EXPLAIN says of a node beside its numbers.
SAME = (
    "Node Type",
    "Parent Relationship",
    "Subplan Name",
    "Join Type",
    "Strategy",
    "Partial Mode",
    "Parallel Aware",
    "Scan Direction",
    "Schema",
    "Relation Name",
    "Alias",
    "Index Cond",
    "Order By",
    "Recheck Cond",
    "Filter",
    "Join Filter",
    "Hash Cond",
    "Merge Cond",
    "One-Time Filter",
    "Inner Unique",
    "Sort Key",
    "Presorted Key",
    "Group Key",
    "Cache Key",
    "Grouping Sets",
    "Command",
    "Operation",
)


@dataclass(frozen=True)
class Plan:
    tree: tuple
    line: str
    cost: float
    indexes: dict[str, float]  # the rows expected of each, by its name after mapping, where it is met first

    def uses(self, marked: str = "#") -> bool:
        """Whether an index of the trial is in it: their names are mapped to `#1`, `#2`, ..."""
        return any(name.startswith(marked) for name in self.indexes)


def read(explained: list, name_of: Callable[[str], str]) -> Plan:
    """The plan of EXPLAIN's JSON; `name_of` gives an index the name it goes by on both sides."""
    top = explained[0]["Plan"]
    indexes: dict[str, float] = {}
    tree, line = _node(top, name_of, indexes)
    return Plan(tree, line, top["Total Cost"], indexes)


def _node(node: dict, name_of: Callable[[str], str], indexes: dict[str, float]) -> tuple[tuple, str]:
    known = [(key, _frozen(node[key])) for key in SAME if key in node]
    words = [node["Node Type"].replace("Index Only Scan", "IndexOnlyScan").replace(" ", "")]
    if node.get("Scan Direction") == "Backward":
        words.append("backward")
    if "Index Name" in node:
        index = name_of(node["Index Name"])
        indexes.setdefault(index, node["Plan Rows"])
        known.append(("Index Name", index))
        words.append(index)
    if "Relation Name" in node:
        words.append(node.get("Alias", node["Relation Name"]))
    below = [_node(child, name_of, indexes) for child in node.get("Plans", [])]
    line = " ".join(words)
    if below:
        line += "(" + ", ".join(text for _, text in below) + ")"
    return (tuple(known), tuple(tree for tree, _ in below)), line


def _frozen(value):
    return tuple(_frozen(one) for one in value) if isinstance(value, list) else value


def difference(real: Plan, promised: Plan) -> str:
    """The first thing in which two plans differ; empty when they are the same plan."""
    return _difference(real.tree, promised.tree)


def _difference(real: tuple, promised: tuple) -> str:
    ours, theirs = dict(promised[0]), dict(real[0])
    for key in [*theirs, *(key for key in ours if key not in theirs)]:
        if ours.get(key) != theirs.get(key):
            return f"{key}: {theirs.get(key)} built, {ours.get(key)} promised"
    if len(real[1]) != len(promised[1]):
        return f"{theirs['Node Type']} over {len(real[1])} built, {len(promised[1])} promised"
    for below_real, below_promised in zip(real[1], promised[1]):
        if found := _difference(below_real, below_promised):
            return found
    return ""
