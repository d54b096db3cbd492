"""One library per file, each behind a small Protocol of ``base``. Heavy imports happen at first use."""
