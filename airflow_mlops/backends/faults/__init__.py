"""Summaries of columns and rows in one pass over the pieces of a table: what ``core.faults`` judges by.

Memory is bounded: of numbers a random sample is kept beside the exact counts, of categories the first names,
of rows the smallest hashes. Scans of two tables can be put together.
"""
