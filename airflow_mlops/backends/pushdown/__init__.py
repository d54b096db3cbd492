"""Great Expectations' expectations as queries on a Parquet file: the same verdicts without the frame.

A translator turns one expectation into questions that DuckDB answers in few scans. What it does not know to
answer exactly as Great Expectations does on a pandas frame, it leaves to Great Expectations.
"""
