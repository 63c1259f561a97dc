"""Names: study keys that are safe as parts of file names, and which files are masks."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from LiverSegSSLLib.resources import table

LONGEST_KEY = 80
"""Characters in a study key. File names hold 255; case id, version and suffix come on top."""


def safe_key(name: str) -> str:
    """A study key made of ``[A-Za-z0-9._-]`` without ``__``; a key that is already safe stays as it is.

    Accents fall away, other characters become ``-``. Where letters or digits cannot be kept (or the name is too
    long), eight characters of its SHA-1 are added, so that different names stay different. The same name always
    gives the same key.

    >>> safe_key("1009-A-S4"), safe_key("Jürgen  K."), safe_key("a__b")
    ('1009-A-S4', 'Jurgen-K', 'a_b')
    """
    plain = "".join(char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char))
    key = re.sub(r"[^A-Za-z0-9._-]+", "-", plain)
    key = re.sub(r"_{2,}", "_", key).strip("._-")
    lost_letters = any(char.isalnum() and not char.isascii() for char in plain)
    if lost_letters or not key or len(key) > LONGEST_KEY:
        mark = hashlib.sha1(name.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()[:8]
        key = f"{key[: LONGEST_KEY - 9].rstrip('._-')}-{mark}".lstrip("-")
    return key


def mask_target(stem: str) -> str | None:
    """The name of what a mask file is a mask of, or ``None`` if the file is not a mask.

    >>> mask_target("mask_GED4"), mask_target("GED4-label"), mask_target("GED4.seg"), mask_target("GED4")
    ('GED4', 'GED4', 'GED4', None)
    """
    words, qualifiers = (frozenset(table("phases.yaml")["masks"][kind]) for kind in ("words", "qualifiers"))
    parts = re.split(r"([^A-Za-z0-9+]+)", stem)  # words at even places, what separates them at odd ones
    # "T2_liver" is a mask, "liver_T2" a picture of the liver.
    found = parts[-1].lower() in qualifiers
    for end in (-1, 0):
        while parts and (word := parts[end].lower()) in words | qualifiers | {""}:
            found = found or word in words
            parts = parts[:-2] if end == -1 else parts[2:]
    return "".join(parts) if found else None
