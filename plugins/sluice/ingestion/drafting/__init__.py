"""Drafting: a use case made from a CSV file that nothing is known about yet."""
