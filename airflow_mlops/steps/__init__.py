"""What each task does: ``step(request, backends) -> result``, the same in Airflow, another Python or a pod."""
