"""The package's own build backend (PEP 517): a wheel is a zip file with three metadata files.

It stands here so that the example builds without setuptools and without network.
"""

import base64
import hashlib
import zipfile
from pathlib import Path

NAME, VERSION = "wordtools", "0.3.0"
INFO = f"{NAME}-{VERSION}.dist-info"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Writes the wheel and returns its file name."""
    files = {
        str(path.relative_to("src")): path.read_bytes()
        for path in sorted(Path("src").rglob("*.py"))
    }
    about = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n"
    files[f"{INFO}/METADATA"] = about.encode()
    files[f"{INFO}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: example\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    files[f"{INFO}/entry_points.txt"] = b"[console_scripts]\nwordtools = wordtools.cli:main\n"
    record = "".join(f"{name},{_digest(data)},{len(data)}\n" for name, data in files.items())
    files[f"{INFO}/RECORD"] = f"{record}{INFO}/RECORD,,\n".encode()
    wheel = f"{NAME}-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory, wheel), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return wheel


def _digest(data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return "sha256=" + digest.decode()
