"""Where sheets run: what a conductor says to whoever runs them, and what it hears.

`protocol` is the seam. The local executor, a worker process a job, is
:mod:`marianne.daemon.worker`; `stub` runs sheets in memory, for tests.
"""
