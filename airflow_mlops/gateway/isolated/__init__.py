"""The embedded server with a process per version, behind Envoy."""
