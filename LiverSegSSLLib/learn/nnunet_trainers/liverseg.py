"""Where nnU-Net finds our trainer by its name (``nnUNet_extTrainer`` points to this folder).

nnU-Net forgets the modules that it imported from here after each search, so the class itself lives elsewhere.
"""

from LiverSegSSLLib.learn.trainer import LiverSegTrainer

__all__ = ["LiverSegTrainer"]
