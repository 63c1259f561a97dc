"""LiverSegSSL: from a handful of labelled GED4 liver MRIs to a segmenter for every phase.

Importing this package loads neither torch nor SimpleITK; the rooms that need them import them.
"""

__version__ = "0.1.0"
