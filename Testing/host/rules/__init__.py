"""PythonQt's rules over PySide6 objects: what `qt`, `ctk` and `slicer.qMRML*` are to a scripted module."""
