"""What keeps a Dask cluster from being reached is said with what to do about it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from marianne.executors.bridge import EngineError, Found
from marianne.executors.dask import engine as module
from marianne.executors.dask.engine import DaskEngine, _found

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts" / "chaos_parts"))

from dask_cluster import DaskCluster, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def authority(place: Path) -> dict[str, Path]:
    """A key that certifies itself, for a cluster of this machine."""
    place.mkdir()
    key, cert = place / "key.pem", place / "cert.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*argv, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return {"ca": cert, "cert": cert, "key": key}


def settings(address: str, keys: dict[str, Path] | None = None) -> dict[str, Any]:
    found = {name: str(path) for name, path in (keys or {}).items()}
    return {
        "name": "cl",
        "owner": "0" * 32,
        "address": address,
        "tls_ca_file": found.get("ca"),
        "tls_cert": found.get("cert"),
        "tls_key": found.get("key"),
        "lease_seconds": 6.0,
        "sheet_grace_seconds": 1.0,
        "node_directory": None,
    }


def look(given: dict[str, Any]) -> list[Found]:
    async def ask() -> list[Found]:
        return await DaskEngine(given).look()

    return asyncio.run(ask())


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A scheduler with TLS, without a worker."""
    place = tmp_path_factory.mktemp("tls")
    with DaskCluster(place / "cluster", {}, authority(place / "keys")) as cluster:
        yield cluster


def test_with_the_clusters_keys_it_is_reached(cluster: DaskCluster) -> None:
    assert look(settings(cluster.address, dict(cluster.tls or {}))) == []


def test_a_wrong_certificate_is_said_with_the_fields_that_name_it(
    cluster: DaskCluster, tmp_path: Path
) -> None:
    with pytest.raises(EngineError) as error:
        look(settings(cluster.address, authority(tmp_path / "others")))
    assert "executor cl" in str(error.value)
    assert "tls_ca_file, tls_cert and tls_key" in str(error.value)
    lost = tmp_path / "lost.pem"
    with pytest.raises(EngineError, match=f"tls_cert: {lost} cannot be read; name a file"):
        look(settings(cluster.address, {**dict(cluster.tls or {}), "cert": lost}))


def test_where_nobody_listens_the_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 1.0)
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(EngineError) as error:
        look(settings(address))
    assert address in str(error.value)
    assert "is the scheduler up" in str(error.value)


def test_what_speaks_but_is_no_node_of_ours_is_told_to_install_marianne(
    cluster: DaskCluster,
) -> None:
    """A scheduler knows the operation of our plugin as little as a worker without it."""

    async def connect() -> None:
        engine = DaskEngine(settings(cluster.address, dict(cluster.tls or {})))
        await engine.connect(Found("n1", cluster.address, 1))

    with pytest.raises(EngineError, match=r"node n1 .* cannot load Marianne: install it there"):
        asyncio.run(connect())


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"name": "gpu-1"}, "gpu-1"),
        ({"name": 3}, "worker-3"),
        ({"name": "tcp://10.0.0.1:40", "nanny": "tcp://10.0.0.1:41"}, "10.0.0.1-41"),
        ({"name": "tcp://10.0.0.1:40"}, "10.0.0.1-40"),
        ({"name": "a/b c"}, "a-b-c"),
    ],
)
def test_a_node_has_a_name_that_a_new_worker_of_it_has_too(
    facts: dict[str, Any], name: str
) -> None:
    assert _found("tcp://10.0.0.1:40", {"nthreads": 2, **facts}).name == name
