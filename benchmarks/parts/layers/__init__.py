"""The layers: of sets and of groups, of tables, of graphs."""
