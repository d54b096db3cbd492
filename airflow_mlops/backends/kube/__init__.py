"""The Kubernetes API as the serving targets need it: a client, and what they write and wait for there."""
