"""The ``airflow-mlops`` command. A command imports what it needs when it is called, and no more."""
