"""What the sections of the panel tell each other of."""

import enum


class Notice(enum.Enum):
    """What a section may want to know of. In brackets: what a listener is given."""

    READY = "what is installed has changed"
    PARAMETERS = "a parameter has another value, or another scene brought other parameters"
    COHORT = "a cohort was opened or closed"
    LABELS = "the ledger has new labels or verdicts"
    LOADING = "a study is on its way, another phase of it has arrived, or other phases are shown"
    STUDY = "another study, or none, is in the scene; or nodes of it were deleted"
    CASE = "another case is the one that is looked at [case id; empty: none]"
    JOB = "a job was started, has said something or has ended [job]"
