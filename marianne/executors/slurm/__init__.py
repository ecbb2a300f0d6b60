"""Sheets on a cluster that Slurm runs: pilots, which are batch jobs with a warden in each.

A pilot is one allocation of a given size. The conductor gives its warden many sheets, one after the
other and beside each other, so that a sheet waits for Slurm's queue only where no pilot has room.
There are as many pilots as ready sheets have use for, up to a limit; one that nobody has use for is
given back. Slurm is asked by its own commands (``squeue``, ``sbatch``, ``scancel``, ``srun``):
nothing is installed for it, and nobody listens at a port.

What a restart finds: the pilots, by the name that all of one executor have.
"""
