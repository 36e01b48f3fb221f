"""Which metrics and labels a query of Prometheus names.

Not a parser: enough for queries without strings outside of braces and without offsets. promtool
says whether a query is one at all.
"""

import re

WORDS = {"and", "or", "unless", "bool", "by", "without", "on", "ignoring", "group_left"}
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
CLAUSE = re.compile(r"\b(by|without|on|ignoring|group_left)\s*\(([^)]*)\)")


def selectors(query):
    """[(metric, [(label, comparison, value)])] for every metric that is named."""
    bare = CLAUSE.sub(" ", re.sub(r"\[[^\]]*\]", " ", query))
    found = re.findall(r"(?<![\w.])([a-zA-Z_:][\w:]*)\s*(\{[^}]*\}|\()?", bare)
    return [
        (name, MATCHER.findall(rest)) for name, rest in found if rest != "(" and name not in WORDS
    ]


def labels_named(query):
    """The labels by which it groups or joins; those it drops may be missing."""
    inside = [labels for clause, labels in CLAUSE.findall(query) if clause in ("by", "on")]
    return {label for labels in inside for label in re.findall(r"\w+", labels)}
