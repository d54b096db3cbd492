"""``python -m airflow_mlops``: the command line by module, for a Python whose scripts are not on the path."""

from airflow_mlops.cli.main import main

if __name__ == "__main__":
    main()
