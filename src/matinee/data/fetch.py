"""Fetching a release: with its checksum, once, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matinee.data.releases import BASE_URL, release
from matinee.errors import DownloadError

TIMEOUT_SECONDS = 60
RETRIES = 2


def fetch(name: str, folder: str | Path, *, base_url: str = BASE_URL, progressbar: Any = False) -> Path:
    """Download a release's zip unless it is there already.

    The zip is written beside its place and renamed once its checksum is right: a download that breaks off leaves
    nothing behind, and the next one starts afresh.

    Parameters
    ----------
    name
        A release, such as ``"ml-32m"``.
    folder
        Where it is kept; made if needed.
    base_url
        Where it is published.
    progressbar
        False, or what pooch takes: an object with ``total``, ``update``, ``reset`` and ``close``.

    Returns
    -------
    Path
        The zip.

    Raises
    ------
    DataError
        If there is no such release.
    DownloadError
        If it cannot be downloaded, or comes damaged; the message says where to put it by hand.
    """
    wanted = release(name)
    path = Path(folder) / wanted.file
    if wanted.md5 is None and path.exists():
        return path
    import pooch

    pooch.get_logger().setLevel("ERROR")
    known_hash = None if wanted.md5 is None else f"md5:{wanted.md5}"
    shelf = pooch.create(folder, base_url, registry={wanted.file: known_hash}, retry_if_failed=RETRIES)
    downloader = pooch.HTTPDownloader(progressbar=progressbar, timeout=TIMEOUT_SECONDS)
    try:
        return Path(shelf.fetch(wanted.file, downloader=downloader))
    except ValueError as error:  # pooch's word for a wrong checksum
        raise DownloadError(
            f"{base_url}{wanted.file} came damaged (its checksum is wrong): try again later, or put the zip at {path}"
        ) from error
    except OSError as error:  # requests' errors are OSErrors
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise DownloadError(
            f"{base_url}{wanted.file} could not be fetched ({reason}): download it elsewhere and put it at {path}"
        ) from error
