"""Runs inside the environments (Python 3.8+): every estimator of scikit-learn, fitted on arrays and on DataFrames."""
# mypy: ignore-errors

from __future__ import annotations

import contextlib
import importlib
import inspect

import datasets as d
import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "score_samples", "transform",
           "inverse_transform", "kneighbors", "apply", "mahalanobis")  # fmt: skip

# What a constructor must or should be given; everything else by the names of its parameters (SMALL).
ARGUMENTS = {
    "ClassifierChain": lambda: {"base_estimator": LogisticRegression()},
    "RegressorChain": lambda: {"base_estimator": LinearRegression()},
    "MultiOutputClassifier": lambda: {"estimator": DecisionTreeClassifier(max_depth=3)},
    "MultiOutputRegressor": lambda: {"estimator": DecisionTreeRegressor(max_depth=3)},
    "OneVsOneClassifier": lambda: {"estimator": LogisticRegression()},
    "OneVsRestClassifier": lambda: {"estimator": LogisticRegression()},
    "OutputCodeClassifier": lambda: {"estimator": LogisticRegression()},
    "CalibratedClassifierCV": lambda: {"cv": 3},
    "SelfTrainingClassifier": lambda: {"estimator": LogisticRegression()},
    "VotingClassifier": lambda: {"estimators": [("one", LogisticRegression()), ("two", DecisionTreeClassifier())]},
    "VotingRegressor": lambda: {"estimators": [("one", LinearRegression()), ("two", DecisionTreeRegressor())]},
    "StackingClassifier": lambda: {"estimators": [("one", LogisticRegression()), ("two", DecisionTreeClassifier())]},
    "StackingRegressor": lambda: {"estimators": [("one", LinearRegression()), ("two", DecisionTreeRegressor())]},
    "GridSearchCV": lambda: {"estimator": LogisticRegression(), "param_grid": {"C": [0.1, 1.0]}, "cv": 2},
    "HalvingGridSearchCV": lambda: {"estimator": LogisticRegression(), "param_grid": {"C": [0.1, 1.0]}, "cv": 2},
    "RandomizedSearchCV": lambda: {
        "estimator": LogisticRegression(), "param_distributions": {"C": [0.1, 1.0]}, "cv": 2, "n_iter": 2},
    "HalvingRandomSearchCV": lambda: {
        "estimator": LogisticRegression(), "param_distributions": {"C": [0.1, 1.0]}, "cv": 2},
    "RFE": lambda: {"estimator": LogisticRegression()},
    "RFECV": lambda: {"estimator": LogisticRegression(), "cv": 2},
    "SelectFromModel": lambda: {"estimator": LogisticRegression()},
    "SequentialFeatureSelector": lambda: {"estimator": LogisticRegression(), "cv": 2, "n_features_to_select": 2},
    "FixedThresholdClassifier": lambda: {"estimator": LogisticRegression()},
    "TunedThresholdClassifierCV": lambda: {"estimator": LogisticRegression(), "cv": 2},
    "FrozenEstimator": lambda: {"estimator": LogisticRegression().fit(d.X, d.LABELS)},
    "Pipeline": lambda: {"steps": [("scale", StandardScaler()), ("model", LogisticRegression())]},
    "FeatureUnion": lambda: {"transformer_list": [("scale", StandardScaler())]},
    "ColumnTransformer": lambda: {"transformers": [("scale", StandardScaler(), [0, 1])], "remainder": "passthrough"},
    "SparseCoder": lambda: {"dictionary": np.eye(5)[:3]},
    "RadiusNeighborsClassifier": lambda: {"radius": 50.0},
    "RadiusNeighborsRegressor": lambda: {"radius": 50.0},
    "RadiusNeighborsTransformer": lambda: {"radius": 50.0},
    "GaussianRandomProjection": lambda: {"n_components": 2},
    "SparseRandomProjection": lambda: {"n_components": 2},
    "HashingVectorizer": lambda: {"n_features": 16},
    "FeatureHasher": lambda: {"n_features": 16},
    "PatchExtractor": lambda: {"patch_size": (2, 2)},
    "HDBSCAN": dict,
    "ColumnSelector": dict,
}  # fmt: skip
SMALL = {
    "random_state": 0, "n_estimators": 5, "n_clusters": 3, "hidden_layer_sizes": (6,), "perplexity": 5.0,
    "min_cluster_size": 5, "n_quantiles": 10, "max_leaf_nodes": 8, "n_resampling": 5, "max_trials": 20,
}  # fmt: skip
SMALL_OF = {
    "HistGradientBoostingClassifier": {"max_iter": 5, "max_leaf_nodes": 8, "min_samples_leaf": 5},
    "HistGradientBoostingRegressor": {"max_iter": 5, "max_leaf_nodes": 8, "min_samples_leaf": 5},
    "DictionaryLearning": {"max_iter": 10, "n_components": 3},
    "MiniBatchDictionaryLearning": {"n_components": 3},
    "SparsePCA": {"n_components": 3, "max_iter": 20},
    "MiniBatchSparsePCA": {"n_components": 3},
    "MLPClassifier": {"max_iter": 40},
    "MLPRegressor": {"max_iter": 40},
    "LatentDirichletAllocation": {"n_components": 3},
    "NMF": {"n_components": 3},
    "MiniBatchNMF": {"n_components": 3},
    "SelectKBest": {"k": 2},
    "TSNE": {"n_iter": 250},
}

POSITIVE = {"MultinomialNB", "ComplementNB", "AdditiveChi2Sampler", "SkewedChi2Sampler", "NMF", "MiniBatchNMF",
            "LatentDirichletAllocation"}  # fmt: skip
# What fit is given, and what the calls are asked about; these are fitted on arrays only.
SPECIAL = {
    "CategoricalNB": ((d.CODES, d.LABELS), "codes"),
    "GammaRegressor": ((d.X, np.abs(d.Y) + 0.1), "plain"),
    "PoissonRegressor": ((d.X, np.abs(d.Y) + 0.1), "plain"),
    "TweedieRegressor": ((d.X, np.abs(d.Y) + 0.1), "plain"),
    "IsotonicRegression": ((d.X[:, 0], d.Y), "column"),
    "KernelCenterer": ((d.X[:8, :1] @ d.X[:8, :1].T,), "square"),
    "LabelEncoder": ((d.WORDS,), "words"),
    "LabelBinarizer": ((d.WORDS,), "words"),
    "MultiLabelBinarizer": (([["a"], ["a", "b"], ["c"]],), "sets"),
    "DictVectorizer": ((d.INPUTS["dicts"]["data"],), "dicts"),
    "FeatureHasher": ((d.INPUTS["dicts"]["data"],), "dicts"),
    "CountVectorizer": ((list(d.TEXTS),), "texts"),
    "TfidfVectorizer": ((list(d.TEXTS),), "texts"),
    "HashingVectorizer": ((list(d.TEXTS),), "texts"),
    "TfidfTransformer": ((d.COUNTS,), "counts"),
    "PatchExtractor": ((d.X[:32].reshape(2, 8, 10),), "images"),
    "OneHotEncoder": ((np.column_stack([d.CITIES, d.SIZES]).astype(object),), "strings2d"),
    "OrdinalEncoder": ((np.column_stack([d.CITIES, d.SIZES]).astype(object),), "strings2d"),
    "TargetEncoder": ((np.column_stack([d.CITIES, d.SIZES]).astype(object), d.Y), "strings2d"),
    "SimpleImputer": ((d.HOLED,), "holed"),
    "KNNImputer": ((d.HOLED,), "holed"),
    "IterativeImputer": ((d.HOLED,), "holed"),
    "MissingIndicator": ((d.HOLED,), "holed"),
    "MultiOutputClassifier": ((d.X, np.column_stack([d.LABELS, d.LABELS == 1])), "plain"),
    "ClassifierChain": ((d.X, np.column_stack([d.LABELS == 0, d.LABELS == 1]).astype(int)), "plain"),
    "FixedThresholdClassifier": ((d.X, (d.LABELS == 1).astype(int)), "plain"),
    "TunedThresholdClassifierCV": ((d.X, (d.LABELS == 1).astype(int)), "plain"),
    "SelfTrainingClassifier": ((d.X, np.where(np.arange(d.ROWS) % 5, d.LABELS, -1)), "plain"),
    "LabelPropagation": ((d.X, np.where(np.arange(d.ROWS) % 5, d.LABELS, -1)), "plain"),
    "LabelSpreading": ((d.X, np.where(np.arange(d.ROWS) % 5, d.LABELS, -1)), "plain"),
}
EXPERIMENTAL = ("enable_hist_gradient_boosting", "enable_iterative_imputer", "enable_halving_search_cv")


def classes():
    """Every estimator class that this scikit-learn offers, by name."""
    for name in EXPERIMENTAL:
        with contextlib.suppress(ImportError):
            importlib.import_module("sklearn.experimental." + name)
    for module in ("sklearn.utils", "sklearn.utils._testing", "sklearn.utils.testing"):
        with contextlib.suppress(ImportError, AttributeError):
            return importlib.import_module(module).all_estimators()
    raise RuntimeError("this scikit-learn has no all_estimators")


def arguments(name, cls):
    """Small and meaningful constructor arguments of a class."""
    given = ARGUMENTS.get(name, dict)()
    parameters = inspect.signature(cls.__init__).parameters
    for key, value in {**SMALL, **SMALL_OF.get(name, {})}.items():
        if key in parameters and key not in given and (key != "max_leaf_nodes" or name.startswith("Hist")):
            given[key] = value
    return {_renamed(key, parameters): value for key, value in given.items()}


def _renamed(key, parameters):
    """base_estimator became estimator and back, by class and release."""
    if key in parameters or key not in ("estimator", "base_estimator"):
        return key
    other = "base_estimator" if key == "estimator" else "estimator"
    return other if other in parameters else key


def build(name, cls, style):
    """A fitted estimator and the name of the input to ask it about; `style` is "array" or "frame"."""
    if name in SPECIAL:
        if style == "frame":
            raise LookupError("fitted on arrays only")
        given, asked = SPECIAL[name]
        return cls(**arguments(name, cls)).fit(*given), asked
    x, asked = (np.abs(d.X), "positive") if name in POSITIVE else (d.X, "plain")
    labels = d.LABELS
    if style == "frame":
        import pandas as pd

        x, asked = pd.DataFrame(x, columns=list(d.NAMES)), "positive_frame" if name in POSITIVE else "frame"
        labels = pd.Series(d.WORDS, name="grade")
    regression = getattr(cls, "_estimator_type", "") == "regressor" or "Regressor" in name or _is_regressor(cls)
    targets = [d.Y, d.YY] if regression else [labels, d.Y, None]
    if name.startswith(("CCA", "PLS", "MultiTask", "RegressorChain", "MultiOutputRegressor")):
        targets = [d.YY]
    failure = None
    for target in targets:
        try:
            model = cls(**arguments(name, cls))
            return (model.fit(x) if target is None else model.fit(x, target)), asked
        except Exception as error:  # noqa: PERF203
            failure = failure or error
    raise failure


def _is_regressor(cls):
    from sklearn.base import RegressorMixin

    return issubclass(cls, RegressorMixin)


def items():
    """(name, library, builder) of every estimator in both styles; a builder returns the object and its probes."""
    for name, cls in classes():
        for style in ("array", "frame"):
            yield f"{name}.{style}", "sklearn", _builder(name, cls, style)


def _builder(name, cls, style):
    def made():
        model, asked = build(name, cls, style)
        return model, [(method, asked) for method in METHODS]

    return made
