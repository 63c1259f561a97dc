"""A stand-in for the 3D Slicer application, in which a scripted module is driven as a person would.

The MRML scene and the logics are the real ones of slicer-core; the widgets are PySide6's behind PythonQt's rules, and
CTK's and Slicer's own are written anew. It shows layout, wiring and effects on the scene. It does not show rendering,
the behaviour of Slicer's own widgets beyond what is written here, nor the order in which the application starts.
"""
