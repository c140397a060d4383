"""Runs inside the environments (Python 3.8+): pipelines as people build them."""
# mypy: ignore-errors

from __future__ import annotations

import datasets as d
import numpy as np
from estimators import METHODS
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectFromModel, SelectKBest, f_classif
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    DotProduct,
    ExpSineSquared,
    Matern,
    RationalQuadratic,
    WhiteKernel,
)
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import (
    ElasticNetCV,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestNeighbors
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier

NUMBERS = ["age", "income", "height", "weight", "score"]
KINDS = ["city", "size"]
TEXT_LABELS = [0, 0, 0, 1, 1, 1]


def columns(scaler=StandardScaler, encoder=None, remainder="drop"):
    """The preprocessing of a table with numbers, holes and categories."""
    numbers = Pipeline([("fill", SimpleImputer(strategy="median")), ("scale", scaler())])
    encoder = encoder or OneHotEncoder(handle_unknown="ignore")
    return ColumnTransformer([("numbers", numbers, NUMBERS), ("kinds", encoder, KINDS)], remainder=remainder)


def table(model, **given):
    """A model on a mixed DataFrame, with text labels where it classifies."""
    pipeline = Pipeline([("columns", columns(**given)), ("model", model)])
    target = d.Y if getattr(model, "_estimator_type", "") == "regressor" or hasattr(model, "dual_coef") else d.WORDS
    try:
        return pipeline.fit(d.mixed_frame(), target)
    except ValueError:
        return pipeline.fit(d.mixed_frame(), d.Y)


def forest():
    """A small forest."""
    return RandomForestClassifier(5, random_state=0)


def text(vectorizer, model):
    """A text classifier."""
    return make_pipeline(vectorizer, model).fit(list(d.TEXTS), TEXT_LABELS)


def _categorical_boosting():
    import contextlib
    import importlib

    with contextlib.suppress(ImportError):
        importlib.import_module("sklearn.experimental.enable_hist_gradient_boosting")
    from sklearn.ensemble import HistGradientBoostingClassifier

    x = np.column_stack([d.X[:, :2], d.CODES[:, 0]])
    return HistGradientBoostingClassifier(max_iter=5, categorical_features=[2], random_state=0).fit(x, d.LABELS)


def _set_output():
    pipeline = make_pipeline(StandardScaler(), PCA(2)).set_output(transform="pandas")
    return pipeline.fit(d.frame())


def _selected_columns():
    from sklearn.compose import make_column_selector

    steps = [("numbers", StandardScaler(), make_column_selector(dtype_include=np.number)),
             ("kinds", OrdinalEncoder(), ["city"])]  # fmt: skip
    frame = d.mixed_frame().fillna({"income": 0.0})
    return make_pipeline(ColumnTransformer(steps), forest()).fit(frame, d.LABELS)


def _sparse(model):
    import scipy.sparse

    return model.fit(scipy.sparse.csr_matrix(np.abs(d.X)), d.LABELS)


def _random_instance():
    return RandomForestClassifier(5, random_state=np.random.RandomState(3)).fit(d.X, d.LABELS)


y = d.LABELS
KINDS_ARRAY = np.column_stack([d.CITIES, d.SIZES]).astype(object)
GRID = {"C": [0.1, 1.0]}
ONE_TWO = [("one", LogisticRegression()), ("two", GaussianNB())]
# name: (build, what it is asked about)
PIPELINES = {
    "table_logistic": (lambda: table(LogisticRegression(max_iter=500)), "mixed"),
    "table_forest": (lambda: table(forest()), "mixed"),
    "table_boosting": (lambda: table(GradientBoostingClassifier(n_estimators=5, random_state=0)), "mixed"),
    "table_svc": (lambda: table(SVC(probability=True, random_state=0)), "mixed"),
    "table_ridge": (lambda: table(Ridge()), "mixed"),
    "table_forest_regressor": (lambda: table(RandomForestRegressor(5, random_state=0)), "mixed"),
    "table_robust_ordinal": (
        lambda: table(
            DecisionTreeClassifier(max_depth=3, random_state=0), scaler=RobustScaler, encoder=OrdinalEncoder()
        ),
        "mixed",
    ),
    "table_minmax_knn": (lambda: table(KNeighborsClassifier(), scaler=MinMaxScaler), "mixed"),
    "table_power_mlp": (
        lambda: table(MLPClassifier((6,), max_iter=50, random_state=0), scaler=PowerTransformer),
        "mixed",
    ),
    "table_only_columns": (lambda: columns().fit(d.mixed_frame()), "mixed"),
    "table_passthrough": (
        lambda: ColumnTransformer([("kinds", OneHotEncoder(), KINDS)], remainder="passthrough").fit(
            d.mixed_frame().fillna({"income": 0.0})
        ),
        "mixed_filled",
    ),
    "table_remainder_estimator": (
        lambda: ColumnTransformer([("one", MinMaxScaler(), ["age"])], remainder=StandardScaler()).fit(d.frame()),
        "frame",
    ),
    "table_drop_columns": (
        lambda: ColumnTransformer([("one", MinMaxScaler(), ["age"]), ("two", "drop", ["score"])]).fit(d.frame()),
        "frame",
    ),
    "table_function": (
        lambda: ColumnTransformer([("log", FunctionTransformer(np.exp), ["age", "score"])]).fit(d.frame()),
        "frame",
    ),
    "table_selector": (_selected_columns, "mixed_filled"),
    "table_grid": (
        lambda: GridSearchCV(
            Pipeline([("columns", columns()), ("model", LogisticRegression(max_iter=500))]),
            {"model__C": [0.1, 1.0]},
            cv=2,
        ).fit(d.mixed_frame(), d.WORDS),
        "mixed",
    ),
    "set_output_pandas": (_set_output, "frame"),
    "text_sgd": (lambda: text(TfidfVectorizer(), SGDClassifier(random_state=0)), "texts"),
    "text_logistic": (
        lambda: text(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression()),
        "texts",
    ),
    "text_bayes": (lambda: text(CountVectorizer(stop_words="english"), MultinomialNB()), "texts"),
    "text_hashing": (lambda: text(HashingVectorizer(n_features=64), SGDClassifier(random_state=0)), "texts"),
    "text_svd": (
        lambda: make_pipeline(TfidfVectorizer(), TruncatedSVD(2, random_state=0), SVC()).fit(
            list(d.TEXTS), TEXT_LABELS
        ),
        "texts",
    ),
    "text_chars_svc": (
        lambda: text(
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3), max_features=50), LinearSVC(random_state=0)
        ),
        "texts",
    ),
    "text_union": (
        lambda: make_pipeline(
            make_union(TfidfVectorizer(), CountVectorizer(analyzer="char", max_features=20)), LogisticRegression()
        ).fit(list(d.TEXTS), TEXT_LABELS),
        "texts",
    ),
    "grid_svc": (lambda: GridSearchCV(SVC(), GRID, cv=2).fit(d.X, y), "plain"),
    "grid_pipeline": (
        lambda: GridSearchCV(
            make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1.0]}, cv=2
        ).fit(d.X, y),
        "plain",
    ),
    "random_search_forest": (
        lambda: RandomizedSearchCV(forest(), {"max_depth": [2, 3]}, n_iter=2, cv=2, random_state=0).fit(d.X, y),
        "plain",
    ),
    "stacking": (lambda: StackingClassifier(ONE_TWO, cv=2).fit(d.X, y), "plain"),
    "stacking_regressor": (
        lambda: StackingRegressor([("one", LinearRegression()), ("two", SVR())], cv=2).fit(d.X, d.Y),
        "plain",
    ),
    "voting_soft": (lambda: VotingClassifier(ONE_TWO, voting="soft").fit(d.X, d.WORDS), "plain"),
    "union": (lambda: FeatureUnion([("pca", PCA(2)), ("best", SelectKBest(f_classif, k=2))]).fit(d.X, y), "plain"),
    "calibrated_isotonic": (
        lambda: CalibratedClassifierCV(LinearSVC(random_state=0), method="isotonic", cv=3).fit(d.X, y),
        "plain",
    ),
    "calibrated_sigmoid": (lambda: CalibratedClassifierCV(GaussianNB(), cv=3).fit(d.X, y), "plain"),
    "one_vs_rest_svc": (lambda: OneVsRestClassifier(LinearSVC(random_state=0)).fit(d.X, y), "plain"),
    "multi_output_forest": (lambda: MultiOutputClassifier(forest()).fit(d.X, np.column_stack([y, y == 1])), "plain"),
    "multi_output_ridge": (lambda: MultiOutputRegressor(Ridge()).fit(d.X, d.YY), "plain"),
    "isolation_forest": (lambda: IsolationForest(n_estimators=5, contamination=0.1, random_state=0).fit(d.X), "plain"),
    "isolation_forest_frame": (lambda: IsolationForest(n_estimators=5, random_state=0).fit(d.frame()), "frame"),
    "pca_svc": (
        lambda: make_pipeline(StandardScaler(), PCA(3, random_state=0), SVC(kernel="rbf")).fit(d.X, y),
        "plain",
    ),
    "knn_kd_tree": (lambda: KNeighborsClassifier(algorithm="kd_tree").fit(d.X, y), "plain"),
    "knn_ball_tree": (lambda: KNeighborsRegressor(algorithm="ball_tree", weights="distance").fit(d.X, d.Y), "plain"),
    "knn_brute": (lambda: KNeighborsClassifier(algorithm="brute", metric="cosine").fit(d.X, y), "plain"),
    "knn_minkowski": (
        lambda: KNeighborsClassifier(algorithm="ball_tree", metric="minkowski", p=3).fit(d.X, y),
        "plain",
    ),
    "neighbors_manhattan": (
        lambda: NearestNeighbors(n_neighbors=3, metric="manhattan", algorithm="kd_tree").fit(d.X),
        "plain",
    ),
    "boosting_categorical": (
        _categorical_boosting,
        {"kind": "array", "dtype": "float64", "data": np.column_stack([d.X[:8, :2], d.CODES[:8, 0]]).tolist()},
    ),
    "gaussian_process_rbf": (
        lambda: GaussianProcessRegressor(ConstantKernel() * RBF() + WhiteKernel(), random_state=0).fit(
            d.X[:30], d.Y[:30]
        ),
        "plain",
    ),
    "gaussian_process_matern": (
        lambda: GaussianProcessRegressor(Matern(nu=1.5) + DotProduct(), optimizer=None).fit(d.X[:30], d.Y[:30]),
        "plain",
    ),
    "gaussian_process_periodic": (
        lambda: GaussianProcessRegressor(ExpSineSquared() * RationalQuadratic(), optimizer=None).fit(
            d.X[:30], d.Y[:30]
        ),
        "plain",
    ),
    "gaussian_process_classes": (
        lambda: GaussianProcessClassifier(1.0 * RBF(), optimizer=None).fit(d.X[:30], y[:30]),
        "plain",
    ),
    "function_numpy": (lambda: make_pipeline(FunctionTransformer(np.exp), Ridge()).fit(d.X, d.Y), "plain"),
    "function_pair": (lambda: FunctionTransformer(np.log1p, inverse_func=np.expm1).fit(np.abs(d.X)), "positive"),
    "polynomial_elastic": (
        lambda: make_pipeline(PolynomialFeatures(2), StandardScaler(), ElasticNetCV(cv=2, random_state=0)).fit(
            d.X, d.Y
        ),
        "plain",
    ),
    "binned_bayes": (lambda: make_pipeline(KBinsDiscretizer(3), MultinomialNB()).fit(d.X, y), "plain"),
    "quantile_logistic_cv": (
        lambda: make_pipeline(QuantileTransformer(n_quantiles=10), LogisticRegressionCV(Cs=2, cv=2)).fit(d.X, y),
        "plain",
    ),
    "target_log": (
        lambda: TransformedTargetRegressor(LinearRegression(), func=np.log1p, inverse_func=np.expm1).fit(
            d.X, np.abs(d.Y)
        ),
        "plain",
    ),
    "selected_forest": (lambda: make_pipeline(SelectFromModel(forest()), LogisticRegression()).fit(d.X, y), "plain"),
    "imputed_knn": (lambda: make_pipeline(KNNImputer(), forest()).fit(d.HOLED, y), "holed"),
    "imputed_indicator": (lambda: make_pipeline(SimpleImputer(add_indicator=True), Ridge()).fit(d.HOLED, d.Y), "holed"),
    "imputed_words": (lambda: SimpleImputer(strategy="most_frequent").fit(KINDS_ARRAY), "strings2d"),
    "bagged_trees": (
        lambda: BaggingClassifier(DecisionTreeClassifier(max_depth=2), n_estimators=4, random_state=0).fit(d.X, y),
        "plain",
    ),
    "onehot_drop": (lambda: OneHotEncoder(drop="first").fit(KINDS_ARRAY), "strings2d"),
    "logistic_words": (lambda: LogisticRegression().fit(d.X, d.WORDS), "plain"),
    "logistic_binary": (lambda: LogisticRegression(solver="liblinear").fit(d.X, y == 1), "plain"),
    "logistic_l1_saga": (lambda: LogisticRegression(penalty="l1", solver="saga", max_iter=500).fit(d.X, y), "plain"),
    "logistic_multinomial": (lambda: LogisticRegression(multi_class="multinomial").fit(d.X, y), "plain"),
    "sgd_log": (lambda: SGDClassifier(loss="modified_huber", random_state=0, early_stopping=True).fit(d.X, y), "plain"),
    "svc_sparse": (lambda: _sparse(SVC(random_state=0)), "sparse"),
    "forest_sparse": (lambda: _sparse(forest()), "sparse"),
    "forest_random_instance": (_random_instance, "plain"),
    "forest_words_weights": (
        lambda: RandomForestClassifier(5, class_weight="balanced", random_state=0).fit(d.X, d.WORDS),
        "plain",
    ),
    "forest_binary": (lambda: forest().fit(d.X, y == 1), "plain"),
    "forest_float32": (lambda: RandomForestRegressor(5, random_state=0).fit(d.X.astype("float32"), d.Y), "float32"),
    "forest_oob": (lambda: RandomForestClassifier(15, oob_score=True, random_state=0).fit(d.X, y), "plain"),
    "forest_multi_target": (lambda: RandomForestRegressor(5, random_state=0).fit(d.X, d.YY), "plain"),
}


def items():
    """(name, library, builder) of every pipeline."""
    for name, (build, asked) in PIPELINES.items():
        yield f"pipeline.{name}", "sklearn", _builder(build, asked)


def _builder(build, asked):
    return lambda: (build(), [(method, asked) for method in METHODS])
