"""The example's own code: flights out of New York in 2013, and whether they arrive late."""
