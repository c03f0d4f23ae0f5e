"""Objects to rows in foreign-key order to COPY.

Start at `writer.write`: it runs the steps that `planner.plan` yields, whatever the driver. `graph.Graph`
is what goes in: objects of mapped classes, and stretches of bare rows.
"""

from scenarios.graph.graph import Graph, Source
from scenarios.graph.lazy import LazyRows
from scenarios.graph.steps import perform, perform_async
from scenarios.graph.writer import Spans, Written, spans_of, write, write_async

__all__ = [
    "Graph",
    "LazyRows",
    "Source",
    "Spans",
    "Written",
    "perform",
    "perform_async",
    "spans_of",
    "write",
    "write_async",
]
