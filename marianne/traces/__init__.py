"""Telling a collector of traces (OTLP over HTTP) of jobs, sheets and attempts.

Spans are made of what is on disk, by a process of its own (:mod:`marianne.traces.exporter`), which
a conductor starts and never waits for; it imports :mod:`marianne.traces.progress` alone.
"""
