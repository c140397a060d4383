"""Runs inside the environments of catboost (Python 3.8+): its models as people save them, by pickle and by joblib.

    python catboost_maker.py FOLDER

FOLDER gets what maker.py writes.
"""
# mypy: ignore-errors

from __future__ import annotations

import sys
import warnings
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import catboost
import datasets as d
import maker
import numpy as np
from catboost import CatBoost, CatBoostClassifier, CatBoostRegressor, Pool
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

METHODS = ("predict", "predict_proba", "predict_log_proba", "transform", "get_feature_importance", "calc_leaf_indexes")
FEW = {"iterations": 4, "depth": 3, "thread_count": 1, "random_seed": 0, "allow_writing_files": False, "verbose": False}
Y2 = (d.LABELS == 1).astype(int)
MIXED = d.INPUTS["mixed"]
WORDY = {"kind": "frame", "columns": {
    "age": {"dtype": "float", "data": d.X[: d.ASKED, 0].tolist()},
    "said": {"dtype": "text", "data": [d.TEXTS[row % 6] for row in range(d.ASKED)]},
}}  # fmt: skip
CALCERS = {
    "tokenizers": [{"tokenizer_id": "Space", "delimiter": " "}],
    "dictionaries": [{"dictionary_id": "Word", "occurrence_lower_bound": "1"}],
    "feature_processing": {"default": [
        {"tokenizers_names": ["Space"], "dictionaries_names": ["Word"], "feature_calcers": ["BoW", "NaiveBayes"]}]},
}  # fmt: skip


class Metric:
    """A metric of the user's own; it is a class of the training script."""

    def is_max_optimal(self):
        """Bigger is better."""
        return True

    def evaluate(self, approxes, target, weight):
        """A constant."""
        return 1.0, 1.0

    def get_final_error(self, error, weight):
        """As it is."""
        return error


def _mixed():
    frame = d.mixed_frame()
    frame["size"] = frame["size"].astype(str)
    return frame


def _wordy():
    frame = d.frame()[["age"]].copy()
    frame["said"] = [d.TEXTS[row % 6] for row in range(d.ROWS)]
    return frame


def _plain(cls, target=None, **options):
    return lambda: cls(**{**FEW, **options}).fit(d.X, Y2 if target is None else target)


def _columns(model):
    one_hot = ColumnTransformer([("city", OneHotEncoder(handle_unknown="ignore"), ["city"])], remainder="drop")
    return make_pipeline(one_hot, model).fit(d.mixed_frame(), Y2)


def _ranker(cls):
    return cls(loss_function="YetiRank", **FEW).fit(d.X, d.CODES[:, 0], group_id=np.repeat([0, 1, 2], 20))


def _validated():
    model = CatBoostClassifier(use_best_model=True, early_stopping_rounds=2, eval_metric="AUC", **FEW)
    return model.fit(d.X, Y2, eval_set=(d.X[:30], Y2[:30]))


def _shrunk():
    model = CatBoostClassifier(**FEW).fit(d.X, Y2)
    model.shrink(2)
    return model


def _embedding():
    pool = Pool([[row[:3].tolist(), row[3]] for row in d.X], Y2, embedding_features=[0])
    return CatBoostClassifier(**FEW).fit(pool)


MODELS = {
    "classifier": (_plain(CatBoostClassifier), "plain"),
    "classifier_many": (_plain(CatBoostClassifier, d.LABELS), "plain"),
    "classifier_words": (_plain(CatBoostClassifier, d.WORDS), "plain"),
    "classifier_boolean": (_plain(CatBoostClassifier, d.LABELS == 1), "plain"),
    "classifier_one_vs_all": (_plain(CatBoostClassifier, d.LABELS, loss_function="MultiClassOneVsAll"), "plain"),
    "classifier_weights": (_plain(CatBoostClassifier, auto_class_weights="Balanced"), "plain"),
    "classifier_weights_list": (_plain(CatBoostClassifier, class_weights=[1.0, 2.0]), "plain"),
    "classifier_bayesian": (_plain(CatBoostClassifier, bootstrap_type="Bayesian", bagging_temperature=0.5), "plain"),
    "classifier_lossguide": (_plain(CatBoostClassifier, grow_policy="Lossguide", max_leaves=6), "plain"),
    "classifier_depthwise": (_plain(CatBoostClassifier, grow_policy="Depthwise"), "plain"),
    "classifier_ordered": (_plain(CatBoostClassifier, boosting_type="Ordered"), "plain"),
    "classifier_numpy_options": (
        _plain(CatBoostClassifier, learning_rate=np.float64(0.1), l2_leaf_reg=np.float32(3.0)),
        "plain",
    ),
    "classifier_holes": (lambda: CatBoostClassifier(**FEW).fit(d.HOLED, Y2), "holed"),
    "classifier_frame": (lambda: CatBoostClassifier(**FEW).fit(d.frame(), d.WORDS), "frame"),
    "classifier_categories": (
        lambda: CatBoostClassifier(cat_features=["city", "size"], **FEW).fit(_mixed(), Y2),
        "mixed",
    ),
    "classifier_categories_given": (
        lambda: CatBoostClassifier(**FEW).fit(_mixed(), d.LABELS, cat_features=["city", "size"]),
        "mixed",
    ),
    "classifier_one_hot": (
        lambda: CatBoostClassifier(one_hot_max_size=10, **FEW).fit(_mixed(), Y2, cat_features=[5, 6]),
        "mixed",
    ),
    "classifier_codes": (
        lambda: CatBoostClassifier(**FEW).fit(d.CODES, Y2, cat_features=[0, 1]),
        "codes",
    ),
    "classifier_text": (
        lambda: CatBoostClassifier(text_features=["said"], text_processing=CALCERS, **FEW).fit(_wordy(), Y2),
        WORDY,
    ),
    "classifier_text_default": (lambda: CatBoostClassifier(text_features=["said"], **FEW).fit(_wordy(), Y2), WORDY),
    "classifier_embedding": (
        _embedding,
        {"kind": "plain", "data": [[row[:3].tolist(), float(row[3])] for row in d.X[: d.ASKED]]},
    ),
    "classifier_pool": (lambda: CatBoostClassifier(**FEW).fit(Pool(d.X, Y2, weight=np.ones(d.ROWS))), "plain"),
    "classifier_validated": (_validated, "plain"),
    "classifier_shrunk": (_shrunk, "plain"),
    "classifier_quantized": (_plain(CatBoostClassifier, border_count=4, nan_mode="Max"), "plain"),
    "classifier_monotone": (_plain(CatBoostClassifier, monotone_constraints=[1, 0, 0, 0, 0]), "plain"),
    "regressor": (_plain(CatBoostRegressor, d.Y), "plain"),
    "regressor_absolute": (_plain(CatBoostRegressor, d.Y, loss_function="MAE"), "plain"),
    "regressor_quantile": (_plain(CatBoostRegressor, d.Y, loss_function="Quantile:alpha=0.9"), "plain"),
    "regressor_many": (_plain(CatBoostRegressor, d.YY, loss_function="MultiRMSE"), "plain"),
    "regressor_poisson": (_plain(CatBoostRegressor, d.COUNTS[:, 0], loss_function="Poisson"), "plain"),
    "regressor_tweedie": (
        _plain(CatBoostRegressor, d.COUNTS[:, 0], loss_function="Tweedie:variance_power=1.5"),
        "plain",
    ),
    "regressor_uncertainty": (
        _plain(CatBoostRegressor, d.Y, loss_function="RMSEWithUncertainty"),
        "plain",
    ),
    "regressor_frame": (lambda: CatBoostRegressor(**FEW).fit(d.frame(), d.frame()["age"]), "frame"),
    "regressor_float32": (lambda: CatBoostRegressor(**FEW).fit(d.X.astype("float32"), d.Y), "float32"),
    "base": (lambda: CatBoost(FEW).fit(d.X, d.Y), "plain"),
    "base_logloss": (lambda: CatBoost({**FEW, "loss_function": "Logloss"}).fit(d.X, Y2), "plain"),
    "ranker": (lambda: _ranker(catboost.CatBoostRanker), "plain"),
    "pipeline": (lambda: make_pipeline(StandardScaler(), CatBoostClassifier(**FEW)).fit(d.X, Y2), "plain"),
    "pipeline_regressor": (lambda: make_pipeline(StandardScaler(), CatBoostRegressor(**FEW)).fit(d.X, d.Y), "plain"),
    "pipeline_columns": (lambda: _columns(CatBoostClassifier(**FEW)), "mixed"),
    "pipeline_text": (
        lambda: make_pipeline(TfidfVectorizer(), TruncatedSVD(2, random_state=0), CatBoostClassifier(**FEW)).fit(
            list(d.TEXTS), [0, 1, 0, 1, 0, 1]
        ),
        "texts",
    ),
    "grid": (
        lambda: GridSearchCV(CatBoostClassifier(**FEW), {"l2_leaf_reg": [1.0, 3.0]}, cv=2).fit(d.X, Y2),
        "plain",
    ),
    "bundle": (lambda: {"model": CatBoostRegressor(**FEW).fit(d.X, d.Y), "columns": list(d.NAMES)}, ""),
    "pool": (lambda: Pool(d.X, Y2), ""),
    "pool_categories": (lambda: Pool(_mixed(), Y2, cat_features=["city", "size"]), ""),
    "features_data": (lambda: catboost.FeaturesData(num_feature_data=d.X.astype("float32")), ""),
}


def items():
    """(name, library, builder) of every object of catboost."""
    yield "main.catboost_metric", "main", _builder(_plain(CatBoostClassifier, eval_metric=Metric()), "plain")
    for name, (build, asked) in MODELS.items():
        yield f"catboost.{name}", "catboost", _builder(build, asked)


def _builder(build, asked):
    return lambda: (build(), [(method, asked) for method in METHODS] if asked else [])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.modules["catboost_maker"] = sys.modules["__main__"]
    maker.SOURCES = ("catboost_maker",)
    maker.main(Path(sys.argv[1]))
