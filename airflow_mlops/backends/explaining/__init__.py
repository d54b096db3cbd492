"""How much a model leans on each feature, one file for each method."""
