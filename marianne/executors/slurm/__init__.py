"""Sheets on a cluster that Slurm runs: in batch jobs with a warden in each, which are pilots for
many sheets, or for a single attempt.

A pilot is one allocation of a given size. The conductor gives its warden many sheets, one after the
other and beside each other, so that a sheet waits for Slurm's queue only where no pilot has room.
There are as many pilots as ready sheets have use for, up to a limit; one that nobody has use for is
given back. Slurm is asked by its own commands (``squeue``, ``sbatch``, ``scancel``, ``srun``):
nothing is installed for it, and nobody listens at a port.

A sheet that wants it has a batch job of its own for each attempt, of its own size, called by the
attempt; its warden, its lease and its claims are those of a pilot, so that all that is promised of
one holds.

What a restart finds: the pilots, by the name that all of one executor have, and the others by those
of their attempts.
"""
