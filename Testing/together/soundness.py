"""What must hold of a workspace whatever happened to it."""

from __future__ import annotations

from collections import defaultdict

from LiverSegSSLLib.labels.store import LabelStore


def require_sound(store: LabelStore) -> None:
    """Files and rows agree, sidecars too, versions have no gap, states are the last line of the history."""
    labels = store.labels()
    files = {path.relative_to(store.workspace).as_posix() for path in (store.workspace / "labels").rglob("*.nii.gz")}
    assert files == {path for label in labels for path in (label.path, label.probability_path) if path}
    assert all(store.verify(label) for label in labels)
    versions: dict[str, list[int]] = defaultdict(list)
    for label in labels:
        versions[label.case_id].append(label.version)
    assert all(of_case == list(range(1, len(of_case) + 1)) for of_case in versions.values())
    states = {entry.label_id: entry.state for case_id in versions for entry in store.history(case_id)}
    assert states == {label.id: label.state for label in labels}
    assert store.repair_sidecars() == []
    assert not list((store.workspace / "staging").glob("*/*"))
