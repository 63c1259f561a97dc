"""Where nnU-Net finds our trainers by their names (``nnUNet_extTrainer`` points to this folder).

nnU-Net forgets the modules that it imported from here after each search, so the classes themselves live elsewhere.
"""

from LiverSegSSLLib.learn.semi.bcp import BcpTrainer
from LiverSegSSLLib.learn.semi.cps import CpsTrainer
from LiverSegSSLLib.learn.semi.mean_teacher import MeanTeacherTrainer
from LiverSegSSLLib.learn.semi.midss import MidssTrainer
from LiverSegSSLLib.learn.trainer import LiverSegTrainer

__all__ = ["BcpTrainer", "CpsTrainer", "LiverSegTrainer", "MeanTeacherTrainer", "MidssTrainer"]
