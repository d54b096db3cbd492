from airflow_mlops.factory import load_dags  # each model's YAML becomes its Airflow DAGs

load_dags(globals())
