from airflow_mlops.factory import load_dags  # each model's YAML becomes an Airflow DAG or three

load_dags(globals())
