"""What the graph looks like, before anything is Airflow's."""
