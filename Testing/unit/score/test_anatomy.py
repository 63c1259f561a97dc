"""METHODS 6.5 and 9: 63/64, 511/512/513 voxels, spacing invariance, the adrenal option."""

import numpy as np
import pytest

from LiverSegSSLLib.score.anatomy import AnatomyScore
from LiverSegSSLLib.score.evidence import Evidence

PAPER_SPACING = (3.0, 1.2, 1.2)


def blob(voxels: int, shape=(40, 40, 40), start=(2, 2, 2), width=10) -> np.ndarray:
    """Exactly so many voxels in one 6-connected piece: rows of ``width``, ten rows a slice."""
    mask = np.zeros(shape, bool)
    for number in range(voxels):
        z, rest = divmod(number, width * width)
        y, x = divmod(rest, width)
        mask[start[0] + z, start[1] + y, start[2] + x] = True
    return mask


def test_one_ball_is_accepted():
    z, y, x = np.mgrid[:30, :60, :60]
    ball = (3 * (z - 15)) ** 2 + (1.2 * (y - 30)) ** 2 + (1.2 * (x - 30)) ** 2 < 30**2
    score = AnatomyScore().judge(ball, PAPER_SPACING)
    assert score.ok and score.value == 1.0
    assert score.reason == "one piece of 113 mL"  # 4/3 π 3³ cm³


@pytest.mark.parametrize(("island", "accepted"), [(63, True), (64, False), (65, False)])
def test_an_island_of_64_voxels_at_the_papers_spacing_rejects(island, accepted):
    mask = blob(2000) | blob(island, start=(30, 30, 20))
    score = AnatomyScore().judge(mask, PAPER_SPACING)
    assert score.ok is accepted
    assert "2 separate parts, the second of 0.2" in score.reason


@pytest.mark.parametrize(("voxels", "paper", "code"), [(511, False, False), (512, False, True), (513, True, True)])
def test_size_is_above_512_in_the_paper_and_at_least_512_in_its_code(voxels, paper, code):
    assert AnatomyScore(strict=True).judge(blob(voxels), PAPER_SPACING).ok is paper
    assert AnatomyScore(strict=False, size="total").judge(blob(voxels), PAPER_SPACING).ok is code


def test_total_size_counts_all_parts_and_largest_only_one():
    mask = blob(500) | blob(40, start=(30, 30, 20))
    assert not AnatomyScore(size="largest").judge(mask, PAPER_SPACING).ok
    assert AnatomyScore(size="total").judge(mask, PAPER_SPACING).ok


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize(("main", "island"), [(512, 0), (513, 0), (600, 63), (600, 64)])
def test_the_same_anatomy_on_a_finer_grid_gets_the_same_verdict(factor, main, island):
    mask = blob(main) | blob(island, start=(30, 30, 20))
    fine = mask.repeat(factor, 0).repeat(factor, 1).repeat(factor, 2)
    spacing = tuple(np.float32(value) / factor for value in PAPER_SPACING)
    assert AnatomyScore().judge(fine, spacing) == AnatomyScore().judge(mask, PAPER_SPACING)


def test_parts_that_touch_at_a_corner_are_one_with_26_neighbours_and_two_with_6():
    mask = np.zeros((20, 20, 20), bool)
    mask[:9, :9, :9] = True
    mask[9:18, 9:18, 9:18] = True
    assert AnatomyScore(connectivity=26).judge(mask, PAPER_SPACING).ok
    assert not AnatomyScore(connectivity=6).judge(mask, PAPER_SPACING).ok


def test_empty_is_value_zero_with_a_reason():
    score = AnatomyScore().judge(np.zeros((4, 4, 4)), PAPER_SPACING)
    assert (score.value, score.ok, score.reason) == (0.0, False, "the mask is empty")


def test_plausible_volume_is_off_by_default():
    small = blob(2000)  # 8.6 mL
    assert AnatomyScore().judge(small, PAPER_SPACING).ok
    score = AnatomyScore(volume_ml=(500, 4000)).judge(small, PAPER_SPACING)
    assert not score.ok
    assert score.reason == "implausible liver volume of 8.6 mL (expected 500 to 4000 mL)"


def test_a_case_without_mask_is_not_judged(case):
    assert AnatomyScore()(Evidence(case, None)) is None


class TestOrgans:
    """Eqs. 6–8 on a label map."""

    values = {"liver": 1, "stomach": 2, "duodenum": 3, "right_adrenal": 4}  # noqa: RUF012

    def labels(self, adrenal_depth: int = 20) -> np.ndarray:
        labels = np.zeros((40, 60, 60), np.uint8)
        labels[2:12, 2:12, 2:12] = 1
        labels[20:30, 20:30, 20:30] = 2
        labels[20:30, 30:40, 20:30] = 3
        labels[35, 2 : 2 + adrenal_depth, 50] = 4
        return labels

    def test_touching_stomach_and_duodenum_are_accepted(self):
        assert AnatomyScore().judge_organs(self.labels(), self.values, PAPER_SPACING).ok

    def test_a_duodenum_apart_from_the_stomach_rejects(self):
        labels = self.labels()
        labels[20:30, 30:32, 20:30] = 0
        score = AnatomyScore().judge_organs(labels, self.values, PAPER_SPACING)
        assert not score.ok
        assert score.reason.startswith("oesophagus, stomach and duodenum: 2 separate parts")

    def test_adrenals_are_exempt_in_the_paper_and_need_18_mm_in_its_code(self):
        for depth, by_code in ((15, True), (14, False)):
            labels = self.labels(adrenal_depth=depth)
            assert AnatomyScore().judge_organs(labels, self.values, PAPER_SPACING).ok
            assert AnatomyScore(adrenals="extent").judge_organs(labels, self.values, PAPER_SPACING).ok is by_code

    def test_a_missing_organ_is_named(self):
        score = AnatomyScore().judge_organs(self.labels() * (self.labels() != 1), self.values, PAPER_SPACING)
        assert (score.ok, score.value, score.reason) == (False, 0.75, "liver: is missing")
