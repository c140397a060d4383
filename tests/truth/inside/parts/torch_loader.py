"""Runs inside the environments of torch (Python 3.7+): loads files of other environments, as loader.py does.

    python torch_loader.py LIMIT < jobs > outcomes
"""
# mypy: ignore-errors

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import loader
import torch_tensors as tensors

loader.LOADERS.update({
    "torch.load": tensors.load,
    "torch.load(weights_only=False)": tensors.load_whole,
    "torch.jit.load": tensors.load_script,
    "pickle.load": lambda path: tensors.Loaded(loader.unpickle(path)),
    "joblib.load": lambda path: tensors.Loaded(loader.joblib.load(path)),
})  # fmt: skip

if __name__ == "__main__":
    loader.main(float(sys.argv[1]))
