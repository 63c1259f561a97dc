"""Recipes' scores, the choice of labels, and the order of review."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from LiverSegSSLLib.cohort.study import Case, Phase
from LiverSegSSLLib.errors import RecipeError
from LiverSegSSLLib.score.anatomy import AnatomyScore
from LiverSegSSLLib.score.evidence import Evidence
from LiverSegSSLLib.score.registry import KINDS, judge, make_scores
from LiverSegSSLLib.score.review_order import review_order
from LiverSegSSLLib.score.selection import Judged, Selection, select
from LiverSegSSLLib.types import Score
from LiverSegSSLLib.volume import Geometry, Volume


def judged(number: int, value: float, ok: bool = True, phase: Phase = Phase.T2, vendor: str = "A") -> Judged:
    case = Case(f"P{number:02}", phase, Path("x.nii.gz"), vendor=vendor)
    return Judged(case, f"label{number}", (Score("entropy", value, ok, f"in doubt ({value:.2f})"),))


class TestRecipe:
    def test_no_wish_means_every_score(self):
        assert [scorer.name for scorer in make_scores({})] == sorted(KINDS)

    def test_options_come_through(self):
        (anatomy,) = make_scores({"anatomy": {"volume_ml": [500, 4000], "connectivity": 6}})
        assert anatomy == AnatomyScore(volume_ml=(500.0, 4000.0), connectivity=6)

    @pytest.mark.parametrize(
        ("recipe", "help"),
        [
            ({"stabilty": {}}, "did you mean stability?"),
            ({"anatomy": {"volum_ml": [1, 2]}}, "did you mean volume_ml?"),
            ({"anatomy": {"connectivity": 7}}, "score.anatomy.connectivity: cannot be 7"),
            ({"entropy": {"most_bits": "much"}}, "score.entropy.most_bits: cannot be 'much'"),
            ({"entropy": 0.5}, "score.entropy: cannot be 0.5"),
        ],
    )
    def test_a_mistake_is_named_with_what_would_be_right(self, recipe, help):
        with pytest.raises(RecipeError, match="score") as caught:
            make_scores(recipe)
        assert help in str(caught.value)


class TestJudge:
    def test_a_failed_proposal_scores_zero_with_the_reason(self, case):
        (score,) = judge(Evidence(case, None, failure="the images do not overlap"), make_scores({}))
        assert (score.value, score.ok, score.reason) == (0.0, False, "the images do not overlap")

    def test_scores_that_do_not_apply_are_left_out(self, case):
        mask = Volume(np.ones((20, 20, 20), np.uint8), Geometry((20, 20, 20), (2.0, 2.0, 2.0)))
        names = [score.name for score in judge(Evidence(case, mask), make_scores({}))]
        assert names == ["anatomy", "largest_component"]


class TestSelect:
    def test_the_best_85_percent_of_each_phase_are_kept(self):
        group = [judged(n, n / 100) for n in range(1, 21)] + [judged(n, 0.01, phase=Phase.GED4) for n in range(1, 3)]
        kept = {decision.case_id for decision in select(group) if decision.keep}
        assert kept == {f"P{n:02}__T2" for n in range(4, 21)} | {"P01__GED4", "P02__GED4"}

    def test_an_easy_vendor_does_not_push_out_a_hard_one(self):
        group = [judged(n, 0.9, vendor="A") for n in range(10)] + [judged(n, 0.3, vendor="C") for n in range(10, 12)]
        assert all(d.keep for d in select(group, Selection(keep=0.85)) if d.case_id in ("P10__T2", "P11__T2"))
        assert not all(d.keep for d in select(group, Selection(keep=0.85, by=("phase",))) if d.case_id >= "P10")

    def test_a_failed_score_rejects_whatever_the_rank(self):
        decisions = select([judged(1, 0.99, ok=False), judged(2, 0.1)], Selection(keep=1.0))
        assert [decision.keep for decision in decisions] == [False, True]
        assert decisions[0].reason == "in doubt (0.99)"

    def test_threshold_instead_of_rank(self):
        decisions = select([judged(n, n / 10) for n in range(1, 10)], Selection(keep=1.0, least_quality=0.5))
        assert [decision.keep for decision in decisions] == [n >= 5 for n in range(1, 10)]
        assert decisions[0].reason == "quality 0.10 is below 0.50: in doubt (0.10)"

    def test_the_only_case_of_a_group_is_kept(self):
        assert select([judged(1, 0.2)], Selection(keep=0.1))[0].keep
        assert not select([judged(1, 0.2)], Selection(keep=0.1, minimum=0))[0].keep

    def test_who_is_left_out_learns_why(self):
        decisions = select([judged(n, n / 10) for n in range(1, 5)], Selection(keep=0.5))
        assert decisions[0].reason == "not among the best 50 % of T2 vendor A: in doubt (0.10)"

    @given(
        st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=30),
        st.floats(0, 1),
        st.randoms(use_true_random=False),
    )
    def test_order_of_input_is_irrelevant_and_kept_are_never_worse(self, values, keep, random):
        group = [judged(n, value, ok) for n, (value, ok) in enumerate(values)]
        how = Selection(keep=keep, minimum=0)
        decisions = select(group, how)
        random.shuffle(group)
        assert select(group, how) == decisions
        kept = [d.scores[0].value for d in decisions if d.keep]
        left = [d.scores[0].value for d in decisions if not d.keep and d.scores[0].ok]
        assert not kept or not left or min(kept) >= max(left)
        assert abs(len(kept) - keep * (len(kept) + len(left))) <= 0.5 + 1e-9
        assert all(0 <= d.need <= 1 for d in decisions)

    def test_nonsense_is_refused(self):
        with pytest.raises(RecipeError, match="between 0 and 1"):
            Selection(keep=85)


class TestReview:
    def test_failures_come_first_then_the_doubtful_then_the_good(self):
        group = [judged(1, 0.9), judged(2, 0.0, ok=False), judged(3, 0.5), judged(4, 0.7, ok=False)]
        queue = review_order(select(group, Selection(keep=1.0)), {"P03__T2": (12, 4)})
        assert [item.case_id for item in queue] == ["P02__T2", "P04__T2", "P03__T2", "P01__T2"]
        assert [item.rank for item in queue] == [1, 2, 3, 4]
        assert queue[2].slices == (12, 4)

    def test_the_reason_is_a_sentence_for_a_radiologist(self):
        scores = (
            Score("anatomy", 0.98, False, "2 separate parts, the second of 14 mL"),
            Score("entropy", 0.8, True, "in doubt in 14 % of the volume"),
        )
        case = Case("P1", Phase.T2, Path("x.nii.gz"))
        (item,) = review_order(select([Judged(case, "1", scores)]))
        assert item.reason == "T2: 2 separate parts, the second of 14 mL; in doubt in 14 % of the volume"
