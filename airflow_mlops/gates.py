"""What a gate of your own is given and what it gives back.

A gate is a function ``gate(evidence, **params)``. It returns a ``Verdict``, or a dict of numbers by name
(each a float, or an ``Estimate`` with its interval) that the YAML's bounds are held against.
"""

from airflow_mlops.backends.gates.evidence import Evidence
from airflow_mlops.core.values import Estimate, Verdict

__all__ = ["Estimate", "Evidence", "Verdict"]
