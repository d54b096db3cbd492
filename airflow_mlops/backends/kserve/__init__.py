"""KServe's InferenceService as the serving target needs it: what is written, read back and judged."""
