"""The Python files of Slicer that slicer-core lacks: the part of each that a module uses, written anew."""
