"""One file for each cause that the parts of catboost and torch led to: what is predicted is what was recorded, in words
too. The environments weigh gigabytes: this runs where `python -m tests.truth prepare --part PART` has made them."""

from __future__ import annotations

import pytest

from envaudit.artifacts import read
from tests import truth
from tests.truth.accuracy import Case, Places
from tests.truth.recipes import made

FINE = ("fine", "")
CASES = {
    ("catboost-0.24.4", "catboost-0.26.1", "catboost.classifier_many.p2.pkl"): FINE,
    ("catboost-0.24.4", "catboost-1.2.8", "catboost.regressor.p5.pkl"): FINE,
    ("catboost-0.26.1", "catboost-0.24.4", "catboost.ranker.p5.pkl"): ("load_error", "CatBoostRanker"),
    ("torch-1.0.1", "torch-2.13", "module.parameter_dict.p4.pt.whole"): FINE,
    ("torch-1.0.1", "torch-2.13", "state.lstm_two.pt"): FINE,
    ("torch-1.0.1", "torch-2.13", "state.lstm_two.p4.pt"): ("load_error", "Weights only load failed"),
    ("torch-1.0.1", "torch-2.13", "checkpoint.namespace.pt"): ("load_error", "Weights only load failed"),
    ("torch-1.8.1", "torch-1.0.1", "state.lstm_two.pt"): ("load_error", "is a zip archive"),
    ("torch-1.8.1", "torch-1.0.1", "state.tensor_bfloat16.pkl"): ("load_error", "BFloat16Storage"),
    ("torch-2.13", "torch-1.8.1", "state.tensor_bfloat16.pkl"): FINE,
    ("torch-2.13", "torch-1.8.1", "state.tensor_conjugate.pt"): ("load_error", "takes 6 positional arguments but 7"),
}


@pytest.mark.parametrize(("train", "serve", "name"), CASES)
def test_prediction(train: str, serve: str, name: str) -> None:
    if serve not in made():
        pytest.skip(f"the environment {serve} was not made here")
    kind, words = CASES[train, serve, name]
    file = next(file for file in truth.files(train) if file.name == name)
    executed = truth.outcomes(train, serve)[name]
    assert executed.kind == kind
    assert words in executed.message
    verdict = Places().predict(serve, read(str(file.path))._replace(loader=file.loader), name)
    assert Case(train, serve, file, executed, verdict, held_out=False).predicted == kind
    assert not words or [reason for reason in verdict.reasons if words in reason.error]
