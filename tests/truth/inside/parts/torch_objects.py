"""Runs inside the environments of torch (Python 3.7+): state dicts, checkpoints, whole modules and TorchScript."""
# mypy: ignore-errors

from __future__ import annotations

import argparse
import collections
import copy
import datetime
import decimal
import fractions
import pathlib
import random
import uuid

import numpy as np
import torch
from torch import nn
from torch_maker import Mode, Net, Point

_random = np.random.RandomState(3)


def _floats(*shape):
    return {"kind": "array", "dtype": "float32", "data": np.round(_random.normal(size=shape), 2).tolist()}


INPUTS = {
    "rows": _floats(4, 5),
    "image": _floats(1, 4, 8, 8),
    "line": _floats(2, 4, 8),
    "sequence": _floats(3, 2, 4),
    "codes": {"kind": "array", "dtype": "int64", "data": [[1, 2, 4], [4, 3, 0]]},
}


def _recurrent(cls, **options):
    return lambda: cls(4, 3, **options)


def _stack():
    return nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.1), nn.Linear(4, 2))


def _network():
    return nn.Sequential(
        nn.Conv2d(4, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1)
    )


def _buffered():
    model = nn.Linear(5, 2)
    model.register_buffer("mean", torch.zeros(5))
    return model


def _normed(name):
    return lambda: getattr(nn.utils, name)(nn.Linear(5, 3))


def _parametrized():
    from torch.nn.utils import parametrizations

    return parametrizations.weight_norm(nn.Linear(5, 3))


def _quantized():
    return torch.quantization.quantize_dynamic(_stack(), {nn.Linear}, dtype=torch.qint8)


def _tied():
    model = nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 5))
    model[1].weight = model[0].weight
    return model


# name -> (builder, what its forward pass is asked about)
MODULES = {
    "linear": (lambda: nn.Linear(5, 3), "rows"),
    "linear_plain": (lambda: nn.Linear(5, 3, bias=False), "rows"),
    "stack": (_stack, "rows"),
    "stack_elu": (lambda: nn.Sequential(nn.Linear(5, 4), nn.ELU(), nn.LayerNorm(4), nn.Softmax(dim=1)), "rows"),
    "stack_prelu": (lambda: nn.Sequential(nn.Linear(5, 4), nn.PReLU(), nn.Tanh(), nn.LogSoftmax(dim=1)), "rows"),
    "stack_leaky": (lambda: nn.Sequential(nn.Linear(5, 4), nn.LeakyReLU(), nn.Hardtanh(), nn.Sigmoid()), "rows"),
    "stack_gelu": (lambda: nn.Sequential(nn.Linear(5, 4), nn.GELU()), "rows"),
    "stack_silu": (lambda: nn.Sequential(nn.Linear(5, 4), nn.SiLU()), "rows"),
    "stack_softplus": (lambda: nn.Sequential(nn.Linear(5, 4), nn.Softplus(), nn.SELU(), nn.Softsign()), "rows"),
    "named": (lambda: nn.Sequential(collections.OrderedDict([("one", nn.Linear(5, 4)), ("two", nn.ReLU6())])), "rows"),
    "identity": (lambda: nn.Sequential(nn.Identity(), nn.Linear(5, 2)), "rows"),
    "bilinear": (lambda: nn.Bilinear(5, 5, 2), ""),
    "buffered": (_buffered, "rows"),
    "tied": (_tied, "rows"),
    "double": (lambda: nn.Linear(5, 3).double(), ""),
    "half": (lambda: nn.Linear(5, 3).half(), ""),
    "network": (_network, "image"),
    "conv1d": (lambda: nn.Conv1d(4, 2, 3, padding=1), "line"),
    "conv2d": (lambda: nn.Conv2d(4, 2, 3), "image"),
    "conv2d_circular": (lambda: nn.Conv2d(4, 2, 3, padding=1, padding_mode="circular"), "image"),
    "conv2d_reflect": (lambda: nn.Conv2d(4, 2, 3, padding=1, padding_mode="reflect"), "image"),
    "conv2d_same": (lambda: nn.Conv2d(4, 2, 3, padding="same"), "image"),
    "conv2d_grouped": (lambda: nn.Conv2d(4, 4, 3, stride=2, dilation=2, groups=2), "image"),
    "conv_transpose": (lambda: nn.ConvTranspose2d(4, 2, 3, stride=2), "image"),
    "pools": (lambda: nn.Sequential(nn.AvgPool2d(2), nn.MaxPool2d(2), nn.ReflectionPad2d(1), nn.ZeroPad2d(1)), "image"),
    "lp_pool": (lambda: nn.Sequential(nn.LPPool2d(2, 2), nn.AdaptiveMaxPool2d(2)), "image"),
    "upsample": (lambda: nn.Upsample(scale_factor=2), "image"),
    "upsample_bilinear": (lambda: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False), "image"),
    "pixel_shuffle": (lambda: nn.PixelShuffle(2), "image"),
    "group_norm": (lambda: nn.GroupNorm(2, 4), "image"),
    "instance_norm": (lambda: nn.InstanceNorm2d(4, affine=True), "image"),
    "local_norm": (lambda: nn.LocalResponseNorm(2), "image"),
    "flatten": (lambda: nn.Sequential(nn.Conv2d(4, 1, 8), nn.Flatten(), nn.Linear(1, 2)), "image"),
    "dropout": (lambda: nn.Sequential(nn.Dropout2d(0.2), nn.AlphaDropout(0.1)), "image"),
    "rnn": (_recurrent(nn.RNN), "sequence"),
    "lstm": (_recurrent(nn.LSTM), "sequence"),
    "lstm_two": (_recurrent(nn.LSTM, num_layers=2, bidirectional=True), "sequence"),
    "gru": (_recurrent(nn.GRU, dropout=0.1, num_layers=2), "sequence"),
    "lstm_cell": (lambda: nn.LSTMCell(5, 3), "rows"),
    "embedding": (lambda: nn.Embedding(6, 3), "codes"),
    "embedding_padded": (lambda: nn.Embedding(6, 3, padding_idx=0), "codes"),
    "embedding_bag": (lambda: nn.EmbeddingBag(6, 3), "codes"),
    "attention": (lambda: nn.MultiheadAttention(4, 2), ""),
    "encoder_layer": (lambda: nn.TransformerEncoderLayer(4, 2, 8), "sequence"),
    "encoder": (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 2), "sequence"),
    "decoder_layer": (lambda: nn.TransformerDecoderLayer(4, 2, 8), ""),
    "module_list": (lambda: nn.ModuleList([nn.Linear(5, 2), nn.ReLU()]), ""),
    "module_dict": (lambda: nn.ModuleDict({"one": nn.Linear(5, 2), "two": nn.ReLU()}), ""),
    "parameter_list": (lambda: nn.ParameterList([nn.Parameter(torch.ones(2))]), ""),
    "parameter_dict": (lambda: nn.ParameterDict({"one": nn.Parameter(torch.ones(2))}), ""),
    "weight_norm": (_normed("weight_norm"), "rows"),
    "spectral_norm": (_normed("spectral_norm"), "rows"),
    "parametrized": (_parametrized, "rows"),
    "quantized": (_quantized, ""),
    "data_parallel": (lambda: nn.DataParallel(nn.Linear(5, 2)), "rows"),
    "loss_entropy": (lambda: nn.CrossEntropyLoss(weight=torch.ones(3)), ""),
    "loss_squares": (lambda: nn.MSELoss(), ""),
}

SCRIPTED = ("linear", "stack", "network", "conv2d", "lstm", "gru", "embedding", "group_norm", "upsample", "stack_gelu")


def _optimizer(cls, **options):
    model = nn.Linear(3, 2)
    found = cls(model.parameters(), **options)

    def closure():
        loss = model(torch.ones(4, 3)).pow(2).sum()
        found.zero_grad()
        loss.backward()
        return loss

    found.step(closure)
    return found


OPTIMIZERS = {
    "sgd": lambda: _optimizer(torch.optim.SGD, lr=0.1, momentum=0.9),
    "adam": lambda: _optimizer(torch.optim.Adam),
    "adam_amsgrad": lambda: _optimizer(torch.optim.Adam, amsgrad=True),
    "adamw": lambda: _optimizer(torch.optim.AdamW),
    "adagrad": lambda: _optimizer(torch.optim.Adagrad),
    "adadelta": lambda: _optimizer(torch.optim.Adadelta),
    "rmsprop": lambda: _optimizer(torch.optim.RMSprop, centered=True),
    "rprop": lambda: _optimizer(torch.optim.Rprop),
    "lbfgs": lambda: _optimizer(torch.optim.LBFGS),
}


def _schedule(name, *args, **options):
    return lambda: getattr(torch.optim.lr_scheduler, name)(_optimizer(torch.optim.SGD, lr=0.1), *args, **options)


SCHEDULES = {
    "step": _schedule("StepLR", 2),
    "multi_step": _schedule("MultiStepLR", [2, 4]),
    "exponential": _schedule("ExponentialLR", 0.9),
    "cosine": _schedule("CosineAnnealingLR", 5),
    "plateau": _schedule("ReduceLROnPlateau"),
    "one_cycle": _schedule("OneCycleLR", 0.1, total_steps=10, cycle_momentum=False),
    "cyclic": _schedule("CyclicLR", 0.01, 0.1, cycle_momentum=False),
    "warm": _schedule("CosineAnnealingWarmRestarts", 3),
}

def _tagged():
    found = torch.ones(2, 3)
    found.tag = "seen"
    return found


def _hooked():
    found = nn.Parameter(torch.ones(2))
    found.names_of_rows = ["a", "b"]
    return found


TENSORS = {
    "float32": lambda: torch.arange(6.0).reshape(2, 3),
    "float64": lambda: torch.arange(6.0, dtype=torch.float64),
    "float16": lambda: torch.arange(6.0).half(),
    "bfloat16": lambda: torch.arange(6.0).to(torch.bfloat16),
    "complex64": lambda: torch.ones(3, dtype=torch.complex64),
    "int8": lambda: torch.arange(6, dtype=torch.int8),
    "uint8": lambda: torch.arange(6, dtype=torch.uint8),
    "int16": lambda: torch.arange(6, dtype=torch.int16),
    "int32": lambda: torch.arange(6, dtype=torch.int32),
    "int64": lambda: torch.arange(6),
    "uint16": lambda: torch.arange(6).to(torch.uint16),
    "float8": lambda: torch.ones(3).to(torch.float8_e4m3fn),
    "boolean": lambda: torch.tensor([True, False]),
    "boolean_compared": lambda: torch.arange(6) > 2,  # uint8 before 1.2
    "scalar": lambda: torch.tensor(2.5),
    "empty": lambda: torch.zeros(0, 3),
    "slice": lambda: torch.arange(12.0).reshape(3, 4)[:, 1:3],
    "expanded": lambda: torch.ones(1, 3).expand(4, 3),
    "transposed": lambda: torch.arange(6.0).reshape(2, 3).t(),
    "shared": lambda: (lambda one: [one, one[1:], one.view(2, 3)])(torch.arange(6.0)),
    "sparse": lambda: torch.eye(3).to_sparse(),
    "sparse_rows": lambda: torch.eye(3).to_sparse_csr(),
    "quantized": lambda: torch.quantize_per_tensor(torch.arange(6.0), 0.1, 0, torch.qint8),
    "quantized_rows": lambda: torch.quantize_per_channel(
        torch.ones(2, 3), torch.tensor([0.1, 0.2]), torch.tensor([0, 0]), 0, torch.qint8
    ),
    "parameter": lambda: nn.Parameter(torch.ones(2, 3)),
    "parameter_frozen": lambda: nn.Parameter(torch.ones(2, 3), requires_grad=False),
    "graded": lambda: torch.ones(2, requires_grad=True),
    "conjugate": lambda: torch.ones(2, dtype=torch.complex64).conj(),
    "tagged": _tagged,
    "parameter_tagged": _hooked,
    "meta": lambda: {"kept": torch.ones(2), "shape": torch.ones(2, device="meta").shape},
    "storage": lambda: [torch.ones(3).storage().size()],
    "generator_state": lambda: torch.get_rng_state(),
}


def _checkpoint(**more):
    return lambda: {
        "epoch": 3,
        "model": _stack().eval().state_dict(),
        "optimizer": _optimizer(torch.optim.Adam).state_dict(),
        **{key: make() for key, make in more.items()},
    }


CHECKPOINTS = {
    "plain": _checkpoint(),
    "loss": _checkpoint(loss=lambda: 0.25, history=lambda: [1.0, 0.5], name=lambda: "net", done=lambda: True),
    "schedule": _checkpoint(schedule=lambda: SCHEDULES["step"]().state_dict()),
    "complex": _checkpoint(value=lambda: 1 + 2j),
    "large": _checkpoint(value=lambda: 2**80),
    "bytes": _checkpoint(value=lambda: b"abc"),
    "bytearray": _checkpoint(value=lambda: bytearray(b"abc")),
    "tuple": _checkpoint(value=lambda: (1, (2.0, None))),
    "set": _checkpoint(value=lambda: {1, 2}),
    "frozenset": _checkpoint(value=lambda: frozenset({1})),
    "ordered": _checkpoint(value=lambda: collections.OrderedDict(a=1)),
    "defaultdict": _checkpoint(value=lambda: collections.defaultdict(list, a=[1])),
    "counter": _checkpoint(value=lambda: collections.Counter("aab")),
    "deque": _checkpoint(value=lambda: collections.deque([1, 2])),
    "range": _checkpoint(value=lambda: range(3)),
    "slice": _checkpoint(value=lambda: slice(1, 2)),
    "numpy_float64": _checkpoint(best=lambda: np.float64(0.5)),
    "numpy_float32": _checkpoint(best=lambda: np.float32(0.5)),
    "numpy_int": _checkpoint(best=lambda: np.int64(5)),
    "numpy_bool": _checkpoint(best=lambda: np.bool_(True)),
    "numpy_array": _checkpoint(mean=lambda: np.arange(3.0)),
    "numpy_texts": _checkpoint(labels=lambda: np.array(["a", "b"])),
    "numpy_objects": _checkpoint(labels=lambda: np.array(["a", None], dtype=object)),
    "numpy_dtype": _checkpoint(kind=lambda: np.dtype("float32")),
    "numpy_random": _checkpoint(state=np.random.get_state),
    "numpy_masked": _checkpoint(mean=lambda: np.ma.masked_array([1.0, 2.0], [0, 1])),
    "python_random": _checkpoint(state=lambda: random.Random(0).getstate()),
    "torch_random": _checkpoint(state=torch.get_rng_state),
    "namespace": _checkpoint(args=lambda: argparse.Namespace(layers=2, rate=0.1)),
    "size": _checkpoint(shape=lambda: torch.ones(2, 3).size()),
    "device": _checkpoint(device=lambda: torch.device("cpu")),
    "dtype": _checkpoint(kind=lambda: torch.float32),
    "layout": _checkpoint(kind=lambda: torch.strided),
    "memory_format": _checkpoint(kind=lambda: torch.channels_last),
    "date": _checkpoint(day=lambda: datetime.date(2021, 3, 1)),
    "moment": _checkpoint(day=lambda: datetime.datetime(2021, 3, 1, tzinfo=datetime.timezone.utc)),
    "duration": _checkpoint(took=lambda: datetime.timedelta(seconds=3)),
    "path": _checkpoint(folder=lambda: pathlib.PurePosixPath("a/b")),
    "decimal": _checkpoint(rate=lambda: decimal.Decimal("0.5")),
    "fraction": _checkpoint(rate=lambda: fractions.Fraction(1, 2)),
    "uuid": _checkpoint(run=lambda: uuid.UUID(int=5)),
    "function": _checkpoint(act=lambda: torch.nn.functional.relu),
    "class": _checkpoint(layer=lambda: nn.Linear),
    "module": _checkpoint(layer=lambda: nn.Linear(2, 2)),
    "weights": lambda: list(_stack().state_dict().values()),
    "parameters": lambda: dict(_stack().named_parameters()),
    "deep": lambda: {"a": [{"b": {"c": (torch.ones(1), {"d": torch.zeros(2)})}}]},
}

OBJECTS = {
    "tensor_dataset": lambda: torch.utils.data.TensorDataset(torch.ones(3, 2), torch.zeros(3)),
    "normal": lambda: torch.distributions.Normal(torch.zeros(2), torch.ones(2)),
    "categorical": lambda: torch.distributions.Categorical(torch.tensor([0.2, 0.8])),
    "packed": lambda: nn.utils.rnn.pack_padded_sequence(torch.ones(3, 2, 4), torch.tensor([3, 2])),
    "sampler": lambda: torch.utils.data.SequentialSampler([1, 2]),
}


def items():
    """(name, group, builder, what the forward pass is asked about) of every object."""
    for name, (build, asked) in MODULES.items():
        yield name, "state", (lambda build=build: build().eval().state_dict()), ""
        yield name, "module", (lambda build=build: build().eval()), asked
    for name in SCRIPTED:
        build, asked = MODULES[name]
        yield f"{name}_traced", "script", (lambda build=build, asked=asked: _traced(build().eval(), asked)), asked
        yield f"{name}_scripted", "script", (lambda build=build: torch.jit.script(build().eval())), asked
    for name, build in OPTIMIZERS.items():
        yield f"optimizer_{name}", "state", (lambda build=build: build().state_dict()), ""
        yield f"optimizer_{name}", "module", (lambda build=build: build()), "object"
    for name, build in SCHEDULES.items():
        yield f"schedule_{name}", "state", (lambda build=build: build().state_dict()), ""
    for name, build in TENSORS.items():
        yield f"tensor_{name}", "state", build, ""
    for name, build in CHECKPOINTS.items():
        yield name, "checkpoint", build, ""
    for name, build in OBJECTS.items():
        yield name, "module", build, "object"
    yield "net", "main", lambda: Net().eval(), "rows"
    yield "net_state", "state", lambda: Net().eval().state_dict(), ""
    yield "net_checkpoint", "main", lambda: {"model": Net().eval()}, ""
    yield "choice", "main", _checkpoint(mode=lambda: Mode.FAST), ""
    yield "named_tuple", "main", _checkpoint(point=lambda: Point(1, 2)), ""
    yield "deep_copied", "state", lambda: copy.deepcopy(_stack().state_dict()), ""


def _traced(model, asked):
    return torch.jit.trace(model, torch.from_numpy(np.array(INPUTS[asked]["data"], INPUTS[asked]["dtype"])))
