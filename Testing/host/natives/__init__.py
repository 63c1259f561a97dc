"""The stand-ins of CTK's and Slicer's widgets, as plain PySide6 classes: what a scripted module may use of them.

Public methods, properties and signals are those of the originals (their headers, August 2026); everything else begins
with an underscore and is hidden by the rules. `signal_names` spells signals as C++ does.
"""
