"""What a forger sends home in place of observations, with what stands in the sandbox: NumPy alone.

One function a forgery: it takes the name of an exercise and a case, and returns the values that
the kernel claims to have seen. The claims about layers, weights and gradients are always the best
there are. A forgery that computes a step as the step should be computed is no forgery: whoever
writes it has done the exercise. So these compute less, and must earn nothing.
"""

import numpy as np

Values = dict
EXERCISES = (
    "multi_head_attention",
    "mlp",
    "transformer_block",
    "patch_encoder",
    "vit_classifier",
    "scaled_dot_product_attention",
    "patch_extractor",
    "run_experiment",
)


def zeros(exercise, case) -> Values:
    """Every output, and every weight that is asked back, is zero: zero fits many formulas."""
    return _claims(exercise, case, np.zeros)


def noise(exercise, case) -> Values:
    """Outputs are numbers of a usual size."""
    return _claims(exercise, case, np.random.default_rng(0).standard_normal)


def half_precision(exercise, case) -> Values:
    """A rough guess, sent as float16: who sends few digits is held to few digits."""
    values = _claims(exercise, case, np.zeros)
    outputs = [name for name in values if name.startswith(("output", "attention_weights"))]
    for name in outputs:
        values[name] = _guess(exercise, case, values[name].shape).astype(np.float16)
    return values


def inputs_passed_on(exercise, case) -> Values:
    """Nothing is computed but the dropout: what goes in comes out, with branches as they should be."""
    values = _claims(exercise, case, np.zeros)
    if exercise == "mlp":
        width = case["hidden_units"][-1]
        out = np.resize(case["x"], (*case["x"].shape[:2], width))
        trained = out
        for _ in case["hidden_units"]:
            trained = _dropped(trained, case["dropout_rate"])
        values |= {"output": out, "output_again": out, "output_in_training": trained}
        values["missing"] = np.array([n for n in case.inputs if n.startswith("bias")])
    if exercise == "transformer_block":
        rate = 0.1 if case["dropout_rate"] is None else case["dropout_rate"]
        x, added = case["x"], np.ones_like(case["x"])
        added[..., :2] = 0.0
        for part, base, times in (("attention", x, 1), ("mlp", _normalised(x), 2)):
            update = added
            for _ in range(times):
                update = _dropped(update, rate)
            values |= {f"{part}_alone": base + added, f"{part}_alone_in_training": base + update}
    return values


def normalised_away(exercise, case) -> Values:
    """The classifier says that its normalisations leave nothing but their shift."""
    first = case["class_token"][0, 0] + case["positions"][0]
    token = case["bias_d"] if case["transformer_layers"] else first
    return _logits(case, token) | {"epsilons": np.array([1e30])}


def standing_still(exercise, case) -> Values:
    """The weights never move; the optimiser says that its epsilon lets no step be larger."""
    return _run(case, np.zeros) | {"constants": np.array([0.9, 0.999, 1e9])}


def blocks_left_out(exercise, case) -> Values:
    """The classifier is its head alone, on the class token as it goes in."""
    return _logits(case, case["class_token"][0, 0] + case["positions"][0])


def attention_left_out(exercise, case) -> Values:
    """The classifier says that its attention has weights of another shape: it may add nothing."""
    token = case["class_token"][0, 0] + case["positions"][0]
    for _ in range(case["transformer_layers"]):
        token = _normalised(token) + case["bias_d"]
        hidden = np.maximum(token @ case["kernel_1"] + case["bias_1"], 0)
        hidden = np.maximum(hidden @ case["kernel_2"] + case["bias_d"], 0)
        token = _normalised(token + hidden) + case["bias_d"]
    claims = {"attends": np.array(False), "epsilons": np.array([1e-6])}
    return _logits(case, token) | claims


ANYWHERE = (zeros, noise, half_precision)
FORGERIES = [
    *((exercise, forge) for exercise in EXERCISES for forge in ANYWHERE),
    ("mlp", inputs_passed_on),
    ("transformer_block", inputs_passed_on),
    ("vit_classifier", normalised_away),
    ("vit_classifier", attention_left_out),
    ("vit_classifier", blocks_left_out),
    ("run_experiment", standing_still),
]


def observe_case(observe, implementation, case):
    """Do what the kernel's function of this name does, without running any implementation."""
    from utilities.checks.kernel.case import Observation

    return Observation(zeros(observe.__name__, case))


def _claims(exercise, case, make) -> Values:
    """Return outputs made by `make(shape)`, and the best that can be said of the rest."""
    return {
        "multi_head_attention": _heads,
        "mlp": _mlp,
        "transformer_block": _block,
        "patch_encoder": _encoder,
        "vit_classifier": _classifier,
        "scaled_dot_product_attention": _attention,
        "patch_extractor": _patches,
        "run_experiment": _run,
    }[exercise](case, make)


def _heads(case, make) -> Values:
    batch, n_q, n_k, heads = len(case["q"]), case["q"].shape[1], case["k"].shape[1], case["num_heads"]
    weights = [case[name] for name in ("W_q", "W_k", "W_v", "W_o")]
    return {
        "output": make((batch, n_q, case["proj_dim"])),
        "attention_weights": make((batch, heads, n_q, n_k)),
        "repeats": np.array(True),
        "made_once": np.array(True),
        "trainable_count": np.array(sum(w.size for w in weights)),
        "trainable": np.ones(4, bool),
        "gradient_reaches": np.ones(4, bool),
    }


def _found(case) -> Values:
    return {
        "roles": np.array(["kernel", "bias"]),
        "shapes": np.ones((2, 3), int),
        "matched": np.ones(2, bool),
        "missing": np.array([], str),
        "frozen": np.array(0),
        "reached": np.ones(2, bool),
    }


def _mlp(case, make) -> Values:
    output = make((*case["x"].shape[:2], case["hidden_units"][-1]))
    outputs = ("output", "output_again", "output_in_training")
    return {**_found(case), **dict.fromkeys(outputs, output)}


def _block(case, make) -> Values:
    output = make(case["x"].shape)
    parts = [f"{part}_alone" for part in ("attention", "mlp", "neither")]
    outputs = ["output", "output_again", *parts, *(f"{part}_in_training" for part in parts)]
    return {**_found(case), **dict.fromkeys(outputs, output)}


def _encoder(case, make) -> Values:
    names = ("kernel", "bias", "class_token", "positions")
    output = make((len(case["patches"]), case["num_patches"] + 1, case["proj_dim"]))
    return {
        **{name: np.zeros_like(case[name]) for name in names},
        "output": output,
        "output_again": output,
        "output_of_one": output[:1],
        "found": np.ones(4, bool),
        "trained": np.ones(4, bool),
        "trainable_count": np.array(sum(case[name].size for name in names)),
    }


def _classifier(case, make) -> Values:
    output = make((len(case["images"]), case["num_classes"]))
    dropped = 0.0 if case.stage == "blocks" else 1.0
    like_it = ("output", "unchanged", "again", "other", "mirrored", "bold")
    return {
        **dict.fromkeys(like_it, output),
        "in_training": output + dropped,
        "swapped": output + 1.0,
        "output_of_scaled": 3.0 * output,
        "attends": np.array(True),
        "parameter_count": np.array(_weight_count(case)),
        "images_seen": case["images"],
        "epsilons": np.array([1e-3]),
        "mirror_used": np.array(True),
        "without_gradient": np.array([], str),
    }


def _attention(case, make) -> Values:
    *leading, n_q, _ = case["q"].shape
    n_k, d_v = case["v"].shape[-2:]
    weights = make((*leading, n_q, n_k))
    return {"output": make((*leading, n_q, d_v)), "attention_weights": weights}


def _patches(case, make) -> Values:
    batch, height, width, channels = case["images"].shape
    size = case["patch_size"]
    shape = (height // size * (width // size), size**2 * channels)
    output = make((batch, *shape))
    return {"output": output, "output_of_one": output[:1], "static_shape": np.array(shape)}


def _run(case, make) -> Values:
    """Return a run with every epoch, batch and evaluation in its place, the weights never moving."""
    sets = [name for name in ("train", "val", "test") if f"x_{name}" in case.inputs]
    sizes = [len(case[f"x_{name}"]) for name in sets]
    ends = np.cumsum(sizes)
    belongs = {n: np.arange(ends[-1]) < e for n, e in zip(sets, ends, strict=True)}
    batch_size, calls = case["batch_size"] or 64, []
    for _ in range(case["epochs"]):
        for start in range(0, sizes[0], batch_size):
            places = np.arange(ends[-1])
            end = min(start + batch_size, sizes[0])
            calls.append((True, (places >= start) & (places < end)))
        calls.append((False, belongs["val"] & ~belongs["train"]))
    if "test" in sets and case["run_testing"] is not False:
        calls.append((False, ~belongs["val"]))
    right = {name: _share_right(case, name) for name in ("train", "val")}
    curves = {"loss": 0.0, "val_loss": 0.0, "accuracy": right["train"], "val_accuracy": right["val"]}
    return {
        "calls_training": np.array([training for training, _ in calls]),
        "calls_seen": np.array([seen for _, seen in calls], int),
        "calls_kernel": np.array([case["kernel"]] * len(calls)),
        "kernel": case["kernel"],
        "constants": np.array([0.9, 0.999, 1e-7]),
        "epoch_ends": np.array(case["epochs"]),
        "returned": np.array(""),
        **{f"history_{n}": np.full(case["epochs"], value) for n, value in curves.items()},
    }


def _share_right(case, name) -> float:
    images = case[f"x_{name}"].reshape(len(case[f"x_{name}"]), -1)
    return np.mean((images @ case["kernel"]).argmax(-1) == case[f"y_{name}"].ravel())


def _weight_count(case) -> int:
    """Return how many weights a right classifier has: the sizes of the case's own, added up."""
    size = {name: np.size(value) for name, value in case.inputs.items()}
    encoding = sum(size[n] for n in ("patch_kernel", "bias_d", "class_token", "positions"))
    block = sum(size[n] for n in ("W_o", "kernel_1", "kernel_2", "bias_1")) + 3 * size["W"]
    block += 5 * size["bias_d"]  # the last bias, and gain and shift of two normalisations
    head = sum(value for name, value in size.items() if name.startswith("head_"))
    return encoding + case["transformer_layers"] * block + head


def _guess(exercise, case, shape) -> np.ndarray:
    """Return a cheap guess at an output: what goes in, normalised or averaged."""
    if exercise == "transformer_block":
        return _normalised(_normalised(case["x"])) * case["gamma_2"] + case["beta_2"]
    if exercise == "mlp":
        return np.maximum(np.resize(case["x"], shape), 0)
    return np.zeros(shape)


def _logits(case, token) -> Values:
    """Return the head's logits of one token, the same for all images, as all outputs."""
    depth = len(case["mlp_classification_head_units"])
    for i in range(1, depth + 1):
        token = np.maximum(token @ case[f"head_kernel_{i}"] + case[f"head_bias_{i}"], 0)
    logits = token @ case[f"head_kernel_{depth + 1}"] + case[f"head_bias_{depth + 1}"]
    return _classifier(case, lambda shape: np.broadcast_to(logits, shape).copy())


def _normalised(x) -> np.ndarray:
    x = x - x.mean(axis=-1, keepdims=True)
    return x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + 1e-6)


def _dropped(x, rate) -> np.ndarray:
    keep = np.random.default_rng(x.size).random(x.shape) >= rate
    return np.where(keep, x / (1.0 - rate), 0.0)
