"""What each task does: ``step(request, backends) -> result``, wherever it runs."""
