"""YAML to frozen models, every problem with its position."""
