"""The warden: on each node of a cluster the one who runs jobs' sheets for a conductor elsewhere.

It is a process in a session of its own, whatever started it. Below it is a worker process for each
job (:mod:`marianne.run.worker`), as on the conductor's machine. It knows nothing of the engine that
brought it there: it listens at a Unix socket, and whoever connects carries messages.

To the warden (``kind``): ``renew`` (the lease, ``at`` the time that it asked with), ``open`` (a
job, with its worker's ``settings``), ``job`` (a ``message`` for the job's worker), ``close`` (a
job, with the ``grace`` of its sheets; ``over``: it is wanted no more), ``check`` (run a program
that does nothing). From it: ``hello``, ``beat`` (asks for the lease), ``job`` (a ``message`` of the
job's worker), ``trouble`` (why a job has no worker now), ``refused`` (attempts that another node
has claimed, or nobody has begun), ``checked`` (the ``status`` of that program), ``closed`` (nothing
of the job is left here). What is said of files where no directory is shared: :mod:`.carriage`.
"""
