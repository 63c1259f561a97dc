"""The scene bridge: studies, images and label maps of the library as MRML nodes, and back. The only place where LPS
becomes RAS. Everything here takes the scene or the node that it works on; nothing is kept outside the scene."""
