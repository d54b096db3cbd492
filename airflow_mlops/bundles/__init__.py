"""A DAG bundle for a folder of models' YAML files: each run keeps the files it started with."""
