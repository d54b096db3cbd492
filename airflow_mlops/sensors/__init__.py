"""Sensors on the ledger."""
