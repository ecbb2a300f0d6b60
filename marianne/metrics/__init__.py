"""Figures of a conductor for Prometheus: where they are served, how they are written, who serves.

Nothing here is imported by a conductor but the address of :mod:`marianne.metrics.address`: a
process of its own serves (:mod:`marianne.metrics.server`), and the command line writes.
"""
