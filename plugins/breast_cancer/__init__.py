"""The small example's own code: scikit-learn's breast cancer data, in seconds."""
