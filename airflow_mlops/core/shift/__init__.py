"""What moved beyond single columns: scores, labels, all columns together, and what explains it."""
