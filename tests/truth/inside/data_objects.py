"""Runs inside the environments (Python 3.8+): data that is pickled beside models or inside of them."""
# mypy: ignore-errors

from __future__ import annotations

import collections
import datetime
import decimal
import functools

import datasets as d
import numpy as np
import pandas as pd
import scipy.interpolate
import scipy.optimize
import scipy.sparse
import scipy.spatial
import scipy.stats
from numpy import random

GRID = np.linspace(0.0, 9.0, 10)
CURVE = np.sin(GRID)
DAYS = pd.date_range("2021-01-01", periods=6, freq="D")
FRAME = {"a": [1, 2, 3], "b": [0.5, 1.5, 2.5], "c": ["x", "y", "z"]}


def _frame(**extra):
    return pd.DataFrame({**FRAME, **extra})


def _indexed():
    return _frame().set_index("c")


def _rows():
    frame = pd.DataFrame(d.X[:, :2], columns=["a", "b"])
    frame.insert(0, "n", range(len(frame)))
    frame["later"] = frame["a"] * 2
    return frame


def _attributes():
    frame = _frame()
    frame.attrs["source"] = "here"
    return frame


FRAMES = {
    "frame_mixed": _frame,
    "frame_floats": lambda: pd.DataFrame(d.X[:10]),
    "frame_blocks": _rows,
    "frame_text_index": _indexed,
    "frame_categorical": lambda: _frame(k=pd.Categorical(["u", "v", "u"], ordered=True)),
    "frame_datetime": lambda: _frame(t=DAYS[:3]),
    "frame_datetime_zone": lambda: _frame(t=DAYS[:3].tz_localize("UTC")),
    "frame_datetime_paris": lambda: _frame(t=DAYS[:3].tz_localize("Europe/Paris")),
    "frame_timedelta": lambda: _frame(t=pd.to_timedelta([1, 2, 3], unit="D")),
    "frame_nullable_int": lambda: _frame(n=pd.array([1, None, 3], dtype="Int64")),
    "frame_nullable_text": lambda: _frame(n=pd.array(["a", None, "b"], dtype="string")),
    "frame_nullable_bool": lambda: _frame(n=pd.array([True, None, False], dtype="boolean")),
    "frame_nullable_float": lambda: _frame(n=pd.array([1.5, None, 2.5], dtype="Float64")),
    "frame_period": lambda: _frame(p=pd.period_range("2021-01", periods=3, freq="M")),
    "frame_interval": lambda: _frame(p=pd.interval_range(0, 3)),
    "frame_sparse": lambda: _frame(s=pd.arrays.SparseArray([0.0, 0.0, 1.0])),
    "frame_bool": lambda: _frame(z=[True, False, True]),
    "frame_multi_columns": lambda: pd.DataFrame(
        d.X[:3, :2], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")])
    ),
    "frame_multi_index": lambda: _frame().set_index(["a", "c"]),
    "frame_datetime_index": lambda: pd.DataFrame({"v": range(6)}, index=DAYS),
    "frame_empty": lambda: pd.DataFrame(),
    "frame_attrs": _attributes,
    "frame_described": lambda: pd.DataFrame(d.X).describe(),
    "series_floats": lambda: pd.Series([0.5, 1.5], name="v"),
    "series_texts": lambda: pd.Series(["a", "b"], index=["x", "y"]),
    "series_categorical": lambda: pd.Series(["a", "b", "a"], dtype="category"),
    "series_datetime": lambda: pd.Series(DAYS),
    "series_timed": lambda: pd.Series(range(6), index=DAYS),
    "series_nullable": lambda: pd.Series([1, None], dtype="Int64"),
    "series_objects": lambda: pd.Series([1, "a", None, (1, 2)]),
}
INDEXES = {
    "index_text": lambda: pd.Index(["a", "b"]),
    "index_ints": lambda: pd.Index([3, 1, 2]),
    "index_floats": lambda: pd.Index([0.5, 1.5]),
    "index_unsigned": lambda: pd.Index(np.array([1, 2], "uint64")),
    "index_small_ints": lambda: pd.Index(np.array([1, 2], "int32")),
    "index_bool": lambda: pd.Index([True, False]),
    "index_range": lambda: pd.RangeIndex(5),
    "index_multi": lambda: pd.MultiIndex.from_product([["a", "b"], [1, 2]]),
    "index_categorical": lambda: pd.CategoricalIndex(["a", "b", "a"]),
    "index_datetime": lambda: DAYS,
    "index_datetime_plain": lambda: pd.DatetimeIndex(["2021-01-01", "2021-03-04"]),
    "index_datetime_zone": lambda: DAYS.tz_localize("Europe/Paris"),
    "index_timedelta": lambda: pd.timedelta_range("1D", periods=3),
    "index_period": lambda: pd.period_range("2021-01", periods=3, freq="M"),
    "index_interval": lambda: pd.interval_range(0, 3),
    "categorical": lambda: pd.Categorical(["a", "b"], categories=["b", "a"]),
    "dtype_categorical": lambda: pd.CategoricalDtype(["a", "b"]),
    "dtype_zone": lambda: pd.DatetimeTZDtype(tz="UTC"),
}
ONLY_LOADED = {"grouper": lambda: pd.Grouper(key="a", freq="D")}
SCALARS = {
    "timestamp": lambda: pd.Timestamp("2021-02-03 04:05:06.789"),
    "timestamp_zone": lambda: pd.Timestamp("2021-02-03 04:05", tz="UTC"),
    "timestamp_paris": lambda: pd.Timestamp("2021-02-03 04:05", tz="Europe/Paris"),
    "timestamp_freq": lambda: DAYS[2],
    "timedelta": lambda: pd.Timedelta("1 days 02:03:04"),
    "interval": lambda: pd.Interval(0, 1, closed="left"),
    "period": lambda: pd.Period("2021-03", freq="M"),
    "na": lambda: pd.NA,
    "nat": lambda: pd.NaT,
    "offset_month_end": lambda: pd.offsets.MonthEnd(2),
    "offset_business_day": lambda: pd.offsets.BDay(),
    "offset_hour": lambda: pd.offsets.Hour(3),
    "offset_week": lambda: pd.offsets.Week(weekday=2),
    "offset_date": lambda: pd.DateOffset(months=2, days=1),
    "offset_custom": lambda: pd.offsets.CustomBusinessDay(weekmask="Mon Tue"),
    "offset_quarter": lambda: pd.offsets.QuarterEnd(startingMonth=2),
}
ARRAYS = {
    "array_floats": lambda: d.X,
    "array_fortran": lambda: np.asfortranarray(d.X),
    "array_ints": lambda: d.CODES,
    "array_float16": lambda: d.X.astype("float16"),
    "array_bools": lambda: d.X > 0,
    "array_texts": lambda: d.WORDS,
    "array_bytes": lambda: d.WORDS.astype("S"),
    "array_objects": lambda: np.array([1, "a", None], object),
    "array_structured": lambda: np.array([(1, 2.0), (3, 4.0)], [("a", "i4"), ("b", "f8")]),
    "array_record": lambda: np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    "array_datetime": lambda: np.array(["2021-01-01"], "datetime64[ns]"),
    "array_days": lambda: np.array(["2021-01-01"], "datetime64[D]"),
    "array_timedelta": lambda: np.array([1, 2], "timedelta64[s]"),
    "array_complex": lambda: np.array([1 + 2j]),
    "array_masked": lambda: np.ma.masked_array([1.0, 2.0], [False, True]),
    "array_matrix": lambda: np.matrix([[1.0, 2.0]]),
    "array_zero_dim": lambda: np.array(3.0),
    "array_big_endian": lambda: np.array([1.0, 2.0], ">f8"),
    "array_empty": lambda: np.zeros((0, 3)),
    "scalar_float64": lambda: np.float64(1.5),
    "scalar_int32": lambda: np.int32(7),
    "scalar_text": lambda: np.str_("a"),
    "scalar_bool": lambda: np.bool_(True),
    "scalar_datetime": lambda: np.datetime64("2021-01-01"),
    "dtype_float": lambda: np.dtype("float64"),
    "dtype_structured": lambda: np.dtype([("a", "i4")]),
    "polynomial": lambda: np.polynomial.Polynomial([1.0, 2.0]),
    "poly1d": lambda: np.poly1d([1.0, 2.0]),
    "dict_of_arrays": lambda: {"x": d.X[:3], "names": list(d.NAMES), "when": datetime.datetime(2021, 1, 1)},  # noqa: DTZ001
    "ordered_dict": lambda: collections.OrderedDict(a=np.float64(1.0), b=decimal.Decimal("1.5")),
}
GENERATORS = {
    "random_state": (lambda: random.RandomState(3), "random_sample"),
    "random_state_normal": (lambda: _drawn(random.RandomState(3)), "standard_normal"),
    "random_state_pcg": (lambda: random.RandomState(random.PCG64(3)), "random_sample"),
    "generator": (lambda: random.default_rng(3), "random"),
    "generator_mt": (lambda: random.Generator(random.MT19937(3)), "random"),
    "generator_philox": (lambda: random.Generator(random.Philox(3)), "random"),
    "generator_sfc": (lambda: random.Generator(random.SFC64(3)), "random"),
    "generator_dxsm": (lambda: random.Generator(random.PCG64DXSM(3)), "random"),
    "bits_mt": (lambda: random.MT19937(3), "random_raw"),
    "bits_pcg": (lambda: random.PCG64(3), "random_raw"),
    "bits_philox": (lambda: random.Philox(3), "random_raw"),
    "bits_sfc": (lambda: random.SFC64(3), "random_raw"),
    "bits_dxsm": (lambda: random.PCG64DXSM(3), "random_raw"),
}
SPARSE = {
    f"sparse_{form}": (lambda form=form: scipy.sparse.csr_matrix(np.where(d.CODES[:6] > 1, 1.0, 0.0)).asformat(form))
    for form in ("csr", "csc", "coo", "dia", "lil", "dok", "bsr")
}
SPARSE_ARRAYS = {
    f"sparse_array_{form}": (
        lambda form=form: getattr(scipy.sparse, f"{form}_array")(np.where(d.CODES[:6] > 1, 1.0, 0.0))
    )
    for form in ("csr", "csc", "coo", "dia", "lil", "dok", "bsr")
}
INTERPOLATORS = {
    "interp1d_linear": lambda: scipy.interpolate.interp1d(GRID, CURVE),
    "interp1d_cubic": lambda: scipy.interpolate.interp1d(GRID, CURVE, kind="cubic"),
    "interp1d_nearest": lambda: scipy.interpolate.interp1d(GRID, CURVE, kind="nearest", fill_value="extrapolate"),
    "bspline": lambda: scipy.interpolate.make_interp_spline(GRID, CURVE),
    "cubic_spline": lambda: scipy.interpolate.CubicSpline(GRID, CURVE),
    "pchip": lambda: scipy.interpolate.PchipInterpolator(GRID, CURVE),
    "akima": lambda: scipy.interpolate.Akima1DInterpolator(GRID, CURVE),
    "ppoly": lambda: scipy.interpolate.PPoly(np.ones((2, 9)), GRID),
    "barycentric": lambda: scipy.interpolate.BarycentricInterpolator(GRID[:5], CURVE[:5]),
    "univariate_spline": lambda: scipy.interpolate.UnivariateSpline(GRID, CURVE),
    "interpolated_spline": lambda: scipy.interpolate.InterpolatedUnivariateSpline(GRID, CURVE),
    "numpy_sin": lambda: np.sin,
    "partial_clip": lambda: functools.partial(np.clip, a_min=0.0, a_max=1.0),
    "partial_mean": lambda: functools.partial(np.mean, axis=0),
    "vectorized": lambda: np.vectorize(np.sqrt),
}
POINTS = {
    "linear_nd": lambda: scipy.interpolate.LinearNDInterpolator(d.X[:20, :2], d.Y[:20]),
    "nearest_nd": lambda: scipy.interpolate.NearestNDInterpolator(d.X[:20, :2], d.Y[:20]),
    "regular_grid": lambda: scipy.interpolate.RegularGridInterpolator(
        (GRID - 4, GRID - 4), np.outer(CURVE, CURVE), bounds_error=False),
    "rbf_interpolator": lambda: scipy.interpolate.RBFInterpolator(d.X[:20, :2], d.Y[:20]),
}  # fmt: skip
BOUNDS = {"bounds": lambda: scipy.optimize.Bounds([0], [1])}
RESULTS = {
    "optimize_result": lambda: scipy.optimize.OptimizeResult(x=np.ones(2), success=True),
    "hull_points": lambda: scipy.spatial.distance.squareform([1.0, 2.0, 3.0]),
}


def _drawn(generator):
    generator.standard_normal()
    return generator


def items():
    """(name, library, builder) of every data object."""
    for library, group, calls in (
        ("pandas", FRAMES, [("value", None), ("index", None)]),
        ("pandas", INDEXES, [("value", None)]),
        ("pandas", ONLY_LOADED, []),
        ("pandas", {name: build for name, build in SCALARS.items() if "offset" not in name}, [("text", None)]),
        ("pandas", {name: build for name, build in SCALARS.items() if "offset" in name}, [("shift", None)]),
        ("numpy", ARRAYS, [("value", None)]),
        ("numpy", {"seed_sequence": lambda: random.SeedSequence(3)},
         [("generate_state", {"kind": "plain", "data": 3})]),
        ("scipy", SPARSE, [("value", None), ("dot", None)]),
        ("scipy", SPARSE_ARRAYS, [("value", None), ("dot", None)]),
        ("scipy", INTERPOLATORS, [("()", "unit")]),
        ("scipy", POINTS, [("()", "point")]),
        ("scipy", BOUNDS, []),
        ("scipy", RESULTS, [("value", None)]),
        ("scipy", {"ckdtree": lambda: scipy.spatial.cKDTree(d.X[:30, :2])}, [("query", "point")]),
        ("scipy", {"kdtree": lambda: scipy.spatial.KDTree(d.X[:30, :2])}, [("query", "point")]),
        ("scipy", {"delaunay": lambda: scipy.spatial.Delaunay(d.X[:20, :2])}, [("find_simplex", "point")]),
        ("scipy", {"rotation": lambda: scipy.spatial.transform.Rotation.from_rotvec([0, 0, 1])}, [("as_quat", None)]),
        ("scipy", {"kernel_density": lambda: scipy.stats.gaussian_kde(d.Y)}, [("()", "unit")]),
        ("scipy", {"frozen_normal": lambda: scipy.stats.norm(1.0, 2.0),
                   "frozen_poisson": lambda: scipy.stats.poisson(3.0)}, [("cdf", "unit")]),
    ):  # fmt: skip
        for name, build in group.items():
            yield f"data.{name}", library, _builder(build, calls)
    for name, (build, call) in GENERATORS.items():
        yield f"data.{name}", "numpy", _builder(build, [(call, None)])


def _builder(build, calls):
    return lambda: (build(), calls)
