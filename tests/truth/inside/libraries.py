"""Runs inside the environments (Python 3.8+): xgboost, lightgbm, imbalanced-learn, category-encoders, statsmodels."""
# mypy: ignore-errors

from __future__ import annotations

import datasets as d
import numpy as np
from estimators import METHODS
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

FEW = {"n_estimators": 4, "max_depth": 3, "n_jobs": 1}
LEAVES = {**FEW, "min_child_samples": 3, "verbosity": -1}
ENCODERS = ("BackwardDifferenceEncoder BaseNEncoder BinaryEncoder CatBoostEncoder CountEncoder GLMMEncoder GrayEncoder "
            "HashingEncoder HelmertEncoder JamesSteinEncoder LeaveOneOutEncoder MEstimateEncoder OneHotEncoder "
            "OrdinalEncoder PolynomialEncoder QuantileEncoder RankHotEncoder SumEncoder SummaryEncoder TargetEncoder "
            "WOEEncoder").split()  # fmt: skip
SAMPLERS = (
    "over_sampling.RandomOverSampler over_sampling.SMOTE over_sampling.ADASYN "
    "over_sampling.BorderlineSMOTE over_sampling.KMeansSMOTE over_sampling.SVMSMOTE "
    "under_sampling.RandomUnderSampler under_sampling.NearMiss under_sampling.TomekLinks "
    "under_sampling.ClusterCentroids under_sampling.EditedNearestNeighbours "
    "under_sampling.OneSidedSelection combine.SMOTEENN combine.SMOTETomek"
).split()
ENSEMBLES = "BalancedBaggingClassifier BalancedRandomForestClassifier EasyEnsembleClassifier RUSBoostClassifier".split()


def _xgboost():
    import xgboost as xgb

    def booster():
        return xgb.train({"max_depth": 3, "nthread": 1}, xgb.DMatrix(d.X, d.Y), num_boost_round=4)

    plain = [(method, "plain") for method in METHODS]
    asked = [(method, "frame") for method in METHODS]
    yield "classifier", lambda: xgb.XGBClassifier(**FEW).fit(d.X, d.LABELS), plain
    yield "classifier_binary", lambda: xgb.XGBClassifier(**FEW).fit(d.X, (d.LABELS == 1).astype(int)), plain
    yield "classifier_frame", lambda: xgb.XGBClassifier(**FEW).fit(d.frame(), d.LABELS), asked
    yield "regressor", lambda: xgb.XGBRegressor(**FEW).fit(d.X, d.Y), plain
    yield (
        "regressor_linear",
        lambda: xgb.XGBRegressor(booster="gblinear", n_estimators=4, n_jobs=1).fit(d.X, d.Y),
        plain,
    )
    yield "regressor_dart", lambda: xgb.XGBRegressor(booster="dart", **FEW).fit(d.X, d.Y), plain
    yield "forest", lambda: xgb.XGBRFClassifier(**FEW).fit(d.X, d.LABELS), plain
    yield "ranker", lambda: xgb.XGBRanker(**FEW).fit(d.X, d.CODES[:, 0], group=[30, 30]), plain
    yield "pipeline", lambda: make_pipeline(StandardScaler(), xgb.XGBClassifier(**FEW)).fit(d.X, d.LABELS), plain
    yield "booster", booster, [("dmatrix", "plain")]


def _lightgbm():
    import lightgbm as lgb

    def booster():
        return lgb.train(
            {"num_leaves": 4, "min_data_in_leaf": 3, "verbose": -1, "num_threads": 1}, lgb.Dataset(d.X, d.Y), 4
        )

    plain = [(method, "plain") for method in METHODS]
    asked = [(method, "frame") for method in METHODS]
    yield "classifier", lambda: lgb.LGBMClassifier(**LEAVES).fit(d.X, d.LABELS), plain
    yield "classifier_binary", lambda: lgb.LGBMClassifier(**LEAVES).fit(d.X, d.LABELS == 1), plain
    yield "classifier_words_frame", lambda: lgb.LGBMClassifier(**LEAVES).fit(d.frame(), d.WORDS), asked
    yield "regressor", lambda: lgb.LGBMRegressor(**LEAVES).fit(d.X, d.Y), plain
    yield "regressor_dart", lambda: lgb.LGBMRegressor(boosting_type="dart", **LEAVES).fit(d.X, d.Y), plain
    yield "ranker", lambda: lgb.LGBMRanker(**LEAVES).fit(d.X, d.CODES[:, 0], group=[30, 30]), plain
    yield "pipeline", lambda: make_pipeline(StandardScaler(), lgb.LGBMRegressor(**LEAVES)).fit(d.X, d.Y), plain
    yield "booster", booster, [("predict", "plain")]


def _imblearn():
    import importlib

    import imblearn.ensemble
    import imblearn.pipeline
    from imblearn.over_sampling import SMOTE

    plain = [(method, "plain") for method in METHODS]
    skew = np.r_[np.arange(0, d.ROWS, 3), np.arange(1, d.ROWS, 6)]
    x, y = d.X[skew], d.LABELS[skew]

    def sampler(path):
        module, _, name = path.partition(".")
        cls = getattr(importlib.import_module(f"imblearn.{module}"), name)
        one = cls(random_state=0) if "random_state" in cls().get_params() else cls()
        one.fit_resample(x, y)
        return one

    for path in SAMPLERS:
        yield path.rpartition(".")[2], lambda path=path: sampler(path), []
    for name in ENSEMBLES:
        cls = getattr(imblearn.ensemble, name)
        yield name, lambda cls=cls: cls(n_estimators=4, random_state=0).fit(x, y), plain
    steps = [("balance", SMOTE(random_state=0)), ("model", LogisticRegression())]
    yield "pipeline_smote", lambda: imblearn.pipeline.Pipeline(steps).fit(x, y), plain
    tree = [
        ("scale", StandardScaler()),
        ("balance", SMOTE(random_state=0)),
        ("model", DecisionTreeClassifier(max_depth=3)),
    ]
    yield "pipeline_scaled", lambda: imblearn.pipeline.Pipeline(tree).fit(x, y), plain


def _category_encoders():
    import category_encoders

    asked = [("transform", "mixed_filled")]
    for name in ENCODERS:
        cls = getattr(category_encoders, name, None)
        if cls is None:
            continue
        yield name, lambda cls=cls: _encoder(cls, False), asked
        yield f"{name}_pipeline", lambda cls=cls: _encoder(cls, True), [("predict", "city_filled")]


def _encoder(cls, piped):
    frame = d.mixed_frame().fillna({"income": 0.0})
    frame["size"] = frame["size"].astype(str)
    encoder = cls(cols=["city"] if piped else ["city", "size"])
    target = (d.LABELS == 1).astype(int)
    if piped:
        return make_pipeline(encoder, LogisticRegression()).fit(frame.drop(columns="size"), target)
    return encoder.fit(frame, target)


def _statsmodels():
    import statsmodels.api as sm

    x = sm.add_constant(d.X[:, :2])
    asked = [("predict", "constant_column")]
    yield "ols", lambda: sm.OLS(d.Y, x).fit(), asked
    yield "logit", lambda: sm.Logit((d.LABELS == 1).astype(int), x).fit(disp=0), asked
    yield "glm", lambda: sm.GLM(np.abs(d.Y) + 0.1, x, family=sm.families.Poisson()).fit(), asked
    yield "rlm", lambda: sm.RLM(d.Y, x).fit(), asked


LIBRARIES = {"xgboost": _xgboost, "lightgbm": _lightgbm, "imblearn": _imblearn,
             "category_encoders": _category_encoders, "statsmodels": _statsmodels}  # fmt: skip


def items():
    """(name, library, builder) of every object of the other libraries that are installed here."""
    for library, objects in LIBRARIES.items():
        try:
            listed = list(objects())
        except ImportError:
            continue
        for name, build, probes in listed:
            yield f"{library}.{name}", library, _builder(build, probes)


def _builder(build, probes):
    return lambda: (build(), probes)
