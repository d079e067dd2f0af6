"""Models as graphs of few operations, which the book's pages run in a browser."""

from invariant_nets.comparison.graphs.export import Graphs, export_graphs

__all__ = ["Graphs", "export_graphs"]
