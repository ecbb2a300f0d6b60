"""The owner of one job's worker process, and the socket that the processes talk to."""
