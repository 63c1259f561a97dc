"""A file that has come, by download or by hand: what it is, and whether it is what it should be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from LiverSegSSLLib.errors import BadInputError, WeightsError
from LiverSegSSLLib.models.catalogue import Weights
from LiverSegSSLLib.models.fingerprint import Fingerprint, fingerprint
from LiverSegSSLLib.models.records import Record, Records, sha256_of


def checked(weights: Weights, file: Path, source: str, records: Records) -> Record:
    """The record of a file that is what it should be: size, then checksum, then what it holds.

    :param source: where it came from, for the record and for messages.
    :raises WeightsError: it is not.
    """
    size = file.stat().st_size
    if weights.size_bytes and size != weights.size_bytes:
        guess = "it was cut on the way" if size < weights.size_bytes else "it is another file"
        what = f"has {size} bytes, {weights.file} has {weights.size_bytes}: {guess}"
        raise WeightsError(what, source, weights.ways())
    checksum = sha256_of(file)
    known = records.known_checksum(weights)
    if known and checksum != known:
        what = f"is not {weights.file}: its SHA-256 is {checksum[:12]}…, it should be {known[:12]}…"
        raise WeightsError(f"{what} ({records.where_from(weights)})", source, _remedy(weights))
    found = _kind(file, source, weights.ways())
    if (found.loader, found.variant) != (weights.loader, weights.variant):
        what = f"holds {found.variant}, not {weights.variant}"
        raise WeightsError(what, source, f"name what it is, or {weights.ways()}")
    return Record(checksum, size, source, "catalogue" if weights.sha256 else "first seen")


def recognise(file: Path, catalogue: Mapping[str, Weights], records: Records) -> Weights:
    """Which entry a file is: by checksum where one is known, else by what it holds.

    :raises WeightsError: none.
    """
    checksum = sha256_of(file)
    for weights in catalogue.values():
        if records.known_checksum(weights) == checksum:
            return weights
    found = _kind(file, str(file), "see `liversegssl models list`")
    same = [
        weights for weights in catalogue.values() if (weights.loader, weights.variant) == (found.loader, found.variant)
    ]
    if not same:
        what = f"holds {found.variant}, which the catalogue does not have"
        raise WeightsError(what, file, "see `liversegssl models list`")
    unknown = [weights for weights in same if records.known_checksum(weights) is None]
    if len(unknown) == 1:
        return unknown[0]
    names = " or ".join(weights.name for weights in same)
    what = f"looks like {names}, but its SHA-256 is {checksum[:12]}…: changed, cut or another version"
    raise WeightsError(what, file, _remedy(same[0]))


def _kind(file: Path, source: str, remedy: str) -> Fingerprint:
    try:
        return fingerprint(file)
    except BadInputError as error:
        # The file lies under a passing name here; the user knows it by its source.
        raise WeightsError(error.what, source, error.remedy or remedy) from None


def _remedy(weights: Weights) -> str:
    """What to do about another checksum."""
    if weights.sha256:
        return weights.ways()
    return (
        "it was changed on the way or by its authors; if you trust the new one: "
        f"`liversegssl models remove {weights.name} --forget`, then again"
    )
