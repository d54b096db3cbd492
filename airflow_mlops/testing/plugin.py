"""The pytest plugin: fixtures named ``mlops_...``; importing it costs nothing but pytest."""

from __future__ import annotations
