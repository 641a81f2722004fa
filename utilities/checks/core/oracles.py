"""The formulas of the course in float64, fed with an implementation's own weights (NumPy only)."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Step = Callable[[np.ndarray], np.ndarray]  # an array in, an array out
Kernel = Callable[[np.ndarray, float], np.ndarray]  # (distance, sigma) → closeness


def gaussian(
    distance: ArrayLike,
    sigma: float = 1.0,
    *,
    power: Step = np.square,
    denominator: Callable[[float], float] = lambda sigma: 2.0 * sigma**2,
    sign: float = -1.0,
    exponential: Step = np.exp,
    afterwards: Callable = lambda value, sigma: value,
) -> np.ndarray:
    """Return exp(−distance²/2σ²), any shape; the settings are its parts, from the inside out."""
    return afterwards(exponential(sign * power(np.asarray(distance)) / denominator(sigma)), sigma)


def exponential(distance: ArrayLike, sigma: float = 1.0) -> np.ndarray:
    """Return the Laplace kernel exp(−distance/σ), any shape; it tells a signed distance."""
    return np.exp(-np.asarray(distance) / sigma)


def cauchy(distance: ArrayLike, sigma: float = 1.0) -> np.ndarray:
    """Return the Cauchy kernel 1/(1 + (distance/σ)²), any shape."""
    return 1.0 / (1.0 + np.square(np.asarray(distance) / sigma))


KERNELS: dict[str, Kernel] = {"gaussian": gaussian, "exponential": exponential, "cauchy": cauchy}


def euclidean(q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Return the distances between queries (n_q, d) and keys (n_k, d); (n_q, n_k)."""
    return np.sqrt(np.square(q[:, None] - k[None]).sum(axis=-1))


def share_of_all_keys(closeness: np.ndarray) -> np.ndarray:
    """Return the closeness (n_q, n_k) with each row brought to sum 1."""
    return closeness / closeness.sum(axis=-1, keepdims=True)


def nadaraya_watson(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    kernel: Kernel,
    sigma: float = 1.0,
    *,
    closeness: Callable = lambda q, k, kernel, sigma: kernel(euclidean(q, k), sigma),
    normalise: Step = share_of_all_keys,
    average: Callable = lambda weights, closeness, k, v: weights @ v,
    returns: Callable = lambda prediction, weights, closeness: (prediction, weights),
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of the values v (n_k, d_v), weighted by the kernel, and the weights.

    q (n_q, d), k (n_k, d). The settings are the four steps: closeness (n_q, n_k), weights, mean,
    result.
    Source: Nadaraya, "On Estimating Regression", 1964; Watson, "Smooth Regression Analysis", 1964.
    """
    near = closeness(q, k, kernel, sigma)  # (n_q, n_k)
    weights = normalise(near)
    return returns(average(weights, near, k, v), weights, near)


def softmax(scores: np.ndarray, axis: int | tuple[int, ...] | None = -1) -> np.ndarray:
    """Return exp(scores) normalised to sum 1 along `axis`, any shape; −inf gives weight 0."""
    exponentials = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return exponentials / exponentials.sum(axis=axis, keepdims=True)


def masked(scores: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the scores with −inf wherever the mask is False or 0."""
    return np.where(mask, scores, -np.inf)


def transposed(x: np.ndarray) -> np.ndarray:
    """Return x with its last two axes swapped."""
    return np.swapaxes(x, -1, -2)


def root_of_width(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> float:
    """Return √d_k, what keeps the variance of the scores at 1."""
    return float(np.sqrt(k.shape[-1]))


def scaled_dot_product_attention(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    roles: Callable = lambda q, k, v: (q, k, v),
    lengths: Step = lambda x: x,
    keys: Step = transposed,
    divisor: Callable = root_of_width,
    hide: Callable[[np.ndarray, np.ndarray], np.ndarray] = masked,
    normalise: Step = softmax,
    afterwards: Callable = lambda weights, mask, k: weights,
    average: Callable = lambda weights, v, k: weights @ v,
    returns: Callable = lambda output, weights, scores: (output, weights),
) -> tuple[np.ndarray, np.ndarray]:
    """Return softmax(qkᵀ/√d_k)v and the weights; q (…, n_q, d_k), k (…, n_k, d_k), v (…, n_k, d_v).

    The settings, in the order in which they act: who plays which role, what is done to queries and
    keys, how the keys are laid for the product, what divides the scores, how the mask hides, what
    makes weights of scores, what happens to these, what they average, and what is returned.
    Source: Vaswani et al., "Attention Is All You Need", 2017, equation 1.
    """
    q, k, v = roles(q, k, v)
    scores = lengths(q) @ keys(lengths(k)) / divisor(q, k, v)  # (…, n_q, n_k)
    mask = None if mask is None else np.asarray(mask, bool)
    weights = normalise(scores if mask is None else hide(scores, mask))
    changed = afterwards(weights, mask, k)
    return returns(average(changed, v, k), changed, scores)


def project(x: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Return x (B, n, d) projected by W (h, d, p) of each head; (B, h, n, p)."""
    return x[:, None] @ W


def merge(heads: np.ndarray) -> np.ndarray:
    """Return the heads (B, h, n, p) side by side; (B, n, h·p)."""
    return np.concatenate(np.moveaxis(heads, 1, 0), axis=-1)


def multi_head_attention(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    W_q: np.ndarray,
    W_k: np.ndarray,
    W_v: np.ndarray,
    W_o: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    project: Callable[[np.ndarray, np.ndarray], np.ndarray] = project,
    merge: Step = merge,
    finish: Callable = lambda output, weights, merged: (output, weights),
    **inside: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Return output (B, n_q, p) and weights (B, h, n_q, n_k) of attention in h heads.

    q (B, n_q, d_q), k (B, n_k, d_k), v (B, n_k, d_v); W_q, W_k, W_v (h, d_…, p), W_o (h·p, p).
    The settings: how inputs are projected, how heads are merged, what is returned, and those of
    `scaled_dot_product_attention` for what happens inside the heads.
    Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2.2, without biases.
    """
    queries, keys, values = (project(x, W) for x, W in ((q, W_q), (k, W_k), (v, W_v)))
    heads, weights = scaled_dot_product_attention(queries, keys, values, mask, **inside)
    merged = merge(heads)  # (B, n_q, h·p)
    return finish(merged @ W_o, weights, merged)


_erf = np.vectorize(math.erf, otypes=[np.float64])


def gelu(x: np.ndarray) -> np.ndarray:
    """Return xΦ(x), any shape, Φ the normal distribution function (Hendrycks and Gimpel, 2016)."""
    return x * (1.0 + _erf(x / np.sqrt(2.0))) / 2.0


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return 1/(1 + exp(−x)), any shape."""
    return 1.0 / (1.0 + np.exp(-x))


def dense(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, activation: Step) -> np.ndarray:
    """Return activation(xW + b), x (…, d_in), W (d_in, d_out), b (d_out,)."""
    return activation(x @ kernel + bias)


def mlp(
    x: np.ndarray,
    kernels: Sequence[np.ndarray],
    biases: Sequence[np.ndarray],
    activations: Sequence[Step],
    *,
    layer: Callable[..., np.ndarray] = dense,
) -> np.ndarray:
    """Return x (…, d) after each layer with its kernel (d_in, d_out), bias and non-linearity."""
    for kernel, bias, activation in zip(kernels, biases, activations, strict=True):
        x = layer(x, kernel, bias, activation)
    return x


def layer_norm(
    x: np.ndarray,
    gamma: np.ndarray | float,
    beta: np.ndarray | float,
    epsilon: float = 1e-6,
    axis: int | tuple[int, ...] = -1,
) -> np.ndarray:
    """Return x with mean 0 and variance 1 along `axis`, times gamma plus beta.

    Source: Ba, Kiros and Hinton, "Layer Normalization", 2016.
    """
    centred = x - x.mean(axis=axis, keepdims=True)
    variance = np.square(centred).mean(axis=axis, keepdims=True)
    return gamma * centred / np.sqrt(variance + epsilon) + beta


def transformer_block(
    x: np.ndarray,
    attend: Step,
    mlp: Step,
    norm_1: Step,
    norm_2: Step,
    *,
    order: Callable = lambda attend, mlp: (attend, mlp),
    place_1: str = "sum",
    place_2: str = "sum",
    add_1: Callable[[np.ndarray, np.ndarray], np.ndarray] = np.add,
    add_2: Callable[[np.ndarray, np.ndarray], np.ndarray] = np.add,
    read: str = "x_1",
    carried: str = "x_1",
    finish: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda x_1, x_2: x_2,
) -> np.ndarray:
    """Return x (B, N, d) after a post-norm block of the four given steps, without dropout.

    The settings: which step comes first; what the normalisations act on (the "sum", the "input" of
    the step, its "update", or "nothing"); how an update is added to what is carried past the step;
    what the second step reads, and what is carried past it ("x", "attended", the "total" before it
    is normalised, "x_1"); what is returned.
    Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.1.
    """
    first, second = order(attend, mlp)
    x_1, attended, total = _part(x, x, first, norm_1, place_1, add_1)
    known = {"x": x, "attended": attended, "total": total, "x_1": x_1}
    x_2, _, _ = _part(known[carried], known[read], second, norm_2, place_2, add_2)
    return finish(x_1, x_2)


def _part(
    carried: np.ndarray, read: np.ndarray, step: Step, norm: Step, place: str, add: Callable
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return one half of a block, its update, and the sum before it is normalised."""
    update = step(norm(read) if place == "input" else read)
    update = norm(update) if place == "update" else update
    total = add(carried, update)
    return norm(total) if place == "sum" else total, update, total


def patches(images: np.ndarray, patch_size: int) -> np.ndarray:
    """Return images (B, H, W, C) cut row by row into patches, (B, N, patch_size²·C).

    Pixels inside a patch go row by row too, and the channels of a pixel stay together.
    """
    batch, height, width, channels = images.shape
    rows, columns = height // patch_size, width // patch_size
    cut = images.reshape(batch, rows, patch_size, columns, patch_size, channels)
    cut = cut.transpose(0, 1, 3, 2, 4, 5)  # (B, rows, columns, patch_size, patch_size, C)
    return cut.reshape(batch, rows * columns, -1)  # (B, N, patch_size²·C)


def encoded_patches(
    patches: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray,
    class_token: np.ndarray,
    positions: np.ndarray | float,
) -> np.ndarray:
    """Return the class token and the projected patches, each with its position; (B, N + 1, d).

    Source: Dosovitskiy et al., "An Image Is Worth 16x16 Words", 2021, equation 1.
    """
    projected = patches @ kernel + bias  # (B, N, d)
    first = np.broadcast_to(class_token, (len(patches), 1, projected.shape[-1]))  # (B, 1, d)
    return np.concatenate([first, projected], axis=1) + positions


def dense_parameter_count(*widths: int) -> int:
    """Return the number of weights of Dense layers with biases, from the first width to the last."""
    return sum((d_in + 1) * d_out for d_in, d_out in zip(widths, widths[1:], strict=False))


def linear_logits(kernel: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Return the flattened images times the kernel; kernel (…, p, C), images (n, …) → (…, n, C)."""
    return images.reshape(len(images), -1).astype(np.float64) @ kernel


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the cross-entropy of each image; logits (…, n, C), labels (n,) → (…, n)."""
    return -np.log(softmax(logits)[..., np.arange(len(labels)), labels])


def scores(
    kernels: np.ndarray, images: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return accuracy and mean cross-entropy of each kernel (e, p, C) on a set, both (e,)."""
    logits = linear_logits(kernels, images)  # (e, n, C)
    right = logits.argmax(-1) == labels.ravel()  # (e, n)
    return right.mean(-1), cross_entropy(logits, labels.ravel()).mean(-1)


def crossentropy_gradient_of(
    images: np.ndarray,
    labels: np.ndarray,
    of_logits: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> Step:
    """Return the function kernel → gradient of the mean cross-entropy of the logits of a batch.

    of_logits: (logits (n, C), one-hot labels (n, C)) → derivative (n, C), for another loss.
    """
    flat = images.reshape(len(images), -1).astype(np.float64)  # (n, p)
    of_logits = of_logits or (lambda logits, one_hot: softmax(logits) - one_hot)

    def gradient(kernel: np.ndarray) -> np.ndarray:
        logits = flat @ kernel  # (n, C)
        one_hot = np.eye(logits.shape[-1])[labels.ravel()]  # (n, C)
        return flat.T @ of_logits(logits, one_hot) / len(flat)  # (p, C)

    return gradient


def adamw(
    kernel: np.ndarray,
    gradients: Sequence[Step],
    learning_rates: ArrayLike,
    weight_decay: ArrayLike = 0.0,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> np.ndarray:
    """Return the weights after each step of AdamW, (steps, *kernel.shape).

    gradients: one function weights → gradient a step; learning_rates: one number a step, and
    weight_decay one for all steps or one a step.
    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2;
    epsilon stands where Keras has it, at the mean square before its correction.
    """
    weights = kernel.astype(np.float64)
    mean, square, steps = np.zeros_like(weights), np.zeros_like(weights), []
    rates = np.asarray(learning_rates)  # (steps,)
    decays = np.broadcast_to(weight_decay, len(gradients))
    for i, (gradient, rate, decay) in enumerate(zip(gradients, rates, decays, strict=True), start=1):
        g = gradient(weights)
        mean = beta_1 * mean + (1 - beta_1) * g
        square = beta_2 * square + (1 - beta_2) * g**2
        correction = np.sqrt(1 - beta_2**i) / (1 - beta_1**i)
        update = correction * mean / (np.sqrt(square) + epsilon)
        weights = weights - rate * (update + decay * weights)
        steps.append(weights)
    return np.array(steps)


def linear_rise(step: np.ndarray, base: float, first: float, warmup_steps: float) -> np.ndarray:
    """Return the rate in the warm-up, from `first` at step 0 to `base` at its end."""
    return first + (base - first) * step / max(warmup_steps, 1)


def share_of_decay(step: np.ndarray, total_steps: float, warmup_steps: float) -> np.ndarray:
    """Return how much of the decay is over, from 0 to 1."""
    return (step - warmup_steps) / max(total_steps - warmup_steps, 1)


def half_cosine(share: np.ndarray) -> np.ndarray:
    """Return the half wave from 1 to 0."""
    return (1 + np.cos(np.pi * share)) / 2


def warm_up_cosine(
    step: ArrayLike,
    base: float,
    total_steps: float,
    first: float,
    warmup_steps: float,
    *,
    rise: Callable[..., np.ndarray] = linear_rise,
    share: Callable[..., np.ndarray] = share_of_decay,
    wave: Step = half_cosine,
    lowest: Callable[[float], float] = lambda first: 0.0,
    after: Callable[..., Any] = lambda base, decayed: 0.0,
    begins: Callable[[float], float] = lambda warmup_steps: warmup_steps,
) -> np.ndarray:
    """Return the learning rate at each step: linear warm-up, then a cosine down to 0, 0 for good.

    The settings: the warm-up, how far the decay is, its curve, where it ends, what comes behind the
    last step, and where the decay takes over from the warm-up.
    Source: Loshchilov and Hutter, "SGDR", 2017, arXiv 1608.03983, for the cosine.
    """
    step, low = np.asarray(step, np.float64), lowest(first)
    decayed = low + (base - low) * wave(share(step, total_steps, warmup_steps))
    rates = np.where(step < begins(warmup_steps), rise(step, base, first, warmup_steps), decayed)
    return np.where(step > total_steps, after(base, decayed), rates)


def unit_length(x: np.ndarray, axis: int | tuple[int, ...] | None = -1) -> np.ndarray:
    """Return x, any shape, divided by its length along `axis`; zeros stay zeros."""
    length = np.sqrt(np.square(x).sum(axis=axis, keepdims=True))
    return x / np.where(length > 0, length, 1.0)
