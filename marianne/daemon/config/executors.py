"""Where sheets may run beside the conductor's machine: engines of clusters, and the ways there."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from marianne.daemon.config.machine import LOCAL
from marianne.daemon.config.sections import Number, Place, Seconds, Section
from marianne.model.slurm import TimeLimit, Word

SLURM = ("sbatch", "squeue", "scancel", "srun")
"""What an executor of that kind calls."""

EXTRAS = {"dask": "distributed"}
"""By kind of executor: the module that has to be installed with the extra of that name."""


class PilotConfig(Section):
    """Batch jobs of Slurm in which sheets run, one after the other and beside each other."""

    count: int = Field(4, ge=1, le=1000, description="Pilots at one time, at most.")
    cpus: int = Field(1, ge=1, le=4096, description="Processors of a pilot.")
    memory_mb: Number | None = Field(None, ge=1, description="Its memory, MiB; default: Slurm's.")
    seconds: Seconds = Field(
        3600.0, ge=120, description="Its time limit; what runs at its end runs again, seconds."
    )
    idle_seconds: Seconds = Field(
        60.0, ge=1, description="One without anything to do is given back after it, seconds."
    )
    look_seconds: Seconds = Field(
        5.0, ge=0.1, le=300, description="Between two questions to Slurm, seconds."
    )
    partition: str | None = Field(None, description="The partition; default: Slurm's.")
    account: str | None = Field(None, description="Who pays; default: Slurm's.")
    gres: str | None = Field(None, description="Generic resources, as sbatch takes them: gpu:1.")
    labels: list[str] = Field(
        default_factory=list, description="What its nodes are called by sheets that want a label."
    )
    options: list[str] = Field(
        default_factory=list, description="Further options of sbatch, as they are."
    )
    python: str | None = Field(
        None, description="The Python of the nodes that has Marianne; default: the conductor's."
    )


class BatchConfig(Section):
    """Batch jobs of Slurm for single sheets: what holds where a sheet says nothing else."""

    count: int = Field(
        50, ge=1, le=10_000, description="Such jobs at one time, waiting in Slurm's queue or not."
    )
    partition: Word | None = Field(None, description="The partition; default: Slurm's.")
    account: Word | None = Field(None, description="Who pays; default: Slurm's.")
    qos: Word | None = Field(None, description="The quality of service; default: Slurm's.")
    time: TimeLimit | None = Field(
        None, description="The time limit, 2h or '2:00:00'; default: the partition's."
    )
    gres: Word | None = Field(None, description="Generic resources, as sbatch takes them.")
    constraint: Word | None = Field(None, description="Features that a node must have.")
    reservation: Word | None = Field(None, description="The reservation that they are of.")
    options: list[str] = Field(
        default_factory=list, description="Further options of sbatch, as they are."
    )


class ExecutorConfig(Section):
    """Where sheets run beside the conductor's machine: a cluster that there is already."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$", description="What it is called.")
    kind: Literal["dask", "slurm"] = Field("dask", description="The engine.")
    address: str | None = Field(
        None,
        pattern=r"^(tcp|tls)://.+:\d+$",
        description="Dask's scheduler, tls://HOST:PORT; tcp:// only on this machine.",
    )
    pilots: PilotConfig = Field(
        default_factory=PilotConfig.model_construct, description="Slurm's allocations for sheets."
    )
    batch_jobs: BatchConfig = Field(
        default_factory=BatchConfig.model_construct,
        description="Slurm's batch jobs of sheets that want one of their own.",
    )
    tls_ca_file: Place | None = Field(None, description="The authority of the cluster's keys.")
    tls_cert: Place | None = Field(None, description="The conductor's certificate there.")
    tls_key: Place | None = Field(None, description="Its key.")
    lease_seconds: Seconds = Field(
        30.0, ge=2, le=86_400, description="A node that is not reached ends all after it, seconds."
    )
    slots: int | None = Field(
        None, ge=1, le=4096, description="Sheets of a node at one time; default: its processors."
    )
    node_slots: dict[str, Annotated[int, Field(ge=0, le=4096)]] = Field(
        default_factory=dict, description="The same by a node's name, or a pattern of names."
    )
    shared_directory: Place | None = Field(
        None,
        description="A directory that all nodes and the conductor have at this path; without one"
        " each sheet's inputs are brought to its node and its outputs back.",
    )
    staging_limit_mb: Number = Field(
        10_240, ge=1, description="Of a sheet's files that are brought, or brought back, MiB."
    )
    node_directory: Place | None = Field(
        None, description="Where a node keeps its own files; default: its temporary directory."
    )

    def connection(self) -> dict[str, Any]:
        """How the cluster is reached, as plain data."""
        names = ("address", "tls_ca_file", "tls_cert", "tls_key", "node_directory")
        found = {name: getattr(self, name) for name in (*names, "shared_directory", "slots")}
        found = {name: str(one) if isinstance(one, Path) else one for name, one in found.items()}
        sections = {"pilots": self.pilots, "batch_jobs": self.batch_jobs}
        return {**found, **{name: dict(one.values()) for name, one in sections.items()}}

    @model_validator(mode="after")
    def _usable(self) -> ExecutorConfig:
        if self.name == LOCAL:
            raise ValueError(f"name: {LOCAL} is the conductor's own machine; choose another")
        if self.shared_directory is None and self.kind != "dask":
            raise ValueError(
                f"shared_directory: kind: {self.kind} needs one; name a directory that all nodes"
                " have at that path"
            )
        if self.kind == "dask":
            self._check_address()
        elif missing := [name for name in SLURM if shutil.which(name) is None]:
            raise ValueError(
                f"kind: slurm needs Slurm's commands, and {', '.join(missing)} is not in PATH:"
                " apt-get install slurm-client, with the cluster's slurm.conf"
            )
        return self

    def _check_address(self) -> None:
        if find_spec(EXTRAS[self.kind]) is None:
            raise ValueError(
                f"kind: {self.kind} needs its library:"
                f" pip install 'marianne-conductor[{self.kind}]'"
            )
        if self.address is None:
            raise ValueError("address: is needed; name the scheduler, tls://HOST:PORT")
        host = self.address.partition("://")[2].rpartition(":")[0]
        if self.address.startswith("tcp://") and not _loopback(host):
            raise ValueError(
                f"address: {self.address} is another machine's, without TLS: its scheduler runs any"
                " program of whoever reaches it. Start it with TLS and say tls://, with"
                " tls_ca_file, tls_cert and tls_key"
            )
        files = {
            "tls_ca_file": self.tls_ca_file,
            "tls_cert": self.tls_cert,
            "tls_key": self.tls_key,
        }
        if self.address.startswith("tls://"):
            for field, path in files.items():
                if path is None:
                    raise ValueError(f"{field}: is needed with a tls:// address")
                if not path.is_file():
                    raise ValueError(f"{field}: {path} is no file")


def _loopback(host: str) -> bool:
    host = host.strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
