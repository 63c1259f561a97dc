"""``propose --method M --option KEY=VALUE``: what is wrong is refused before any image is read."""

import pytest

from LiverSegSSLLib.errors import RecipeError
from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.rounds import verbs


@pytest.mark.parametrize(
    ("method", "option", "says"),
    [
        ("few-shot", "insertion=2", "did you mean insertions"),
        ("few-shot", "insertions", "is not key=value – write for example insertions=2"),
        ("few-shot", "=2", "is not key=value"),
        ("few-shot", "insertions=0", "insertions must lie between 1 and 100"),
        ("few-shot", "spaces=[plain, sobl]", "spaces must be auto or a list of plain"),
        ("few-shot", "spaces=[plain", "is not YAML"),
        ("atlas", "insertions=2", "there is no option 'insertions'"),
        (None, "insertions=2", "--option: names options for no method – add --method"),
    ],
    ids=["misspelt", "no value", "no key", "too few", "no such space", "not YAML", "of another method", "no method"],
)
def test_a_wrong_option_is_refused_in_words(tmp_path, method, option, says):
    parameters = {"data": str(tmp_path), "workspace": str(tmp_path / "workspace"), "method_options": [option]}
    with pytest.raises(RecipeError) as caught:
        verbs.propose({**parameters, **({"method": method} if method else {})}, Reporter())
    assert says in str(caught.value)
    assert not (tmp_path / "workspace").exists()
