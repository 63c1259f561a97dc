"""The built-in study: a digital abdomen that makes multi-phase liver MRI with known truth. No clinical evidence."""

from LiverSegSSLLib.cohort.phantom.acquire import Acquisition, acquire
from LiverSegSSLLib.cohort.phantom.anatomy import Anatomy, draw_anatomy
from LiverSegSSLLib.cohort.phantom.protocols import PHASES, Protocol, protocol, vendors
from LiverSegSSLLib.cohort.phantom.spec import PhantomSpec, StudyPlan, plan_studies, preset
from LiverSegSSLLib.cohort.phantom.study import write_phantom_cohort
from LiverSegSSLLib.cohort.phantom.tissues import organ_values, tissue_names

__all__ = [
    "PHASES",
    "Acquisition",
    "Anatomy",
    "PhantomSpec",
    "Protocol",
    "StudyPlan",
    "acquire",
    "draw_anatomy",
    "organ_values",
    "plan_studies",
    "preset",
    "protocol",
    "tissue_names",
    "vendors",
    "write_phantom_cohort",
]
