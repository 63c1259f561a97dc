"""PythonQt's rules over PySide6 objects: what `import qt`, `import ctk` and `slicer.qMRML*` give to a scripted module."""
