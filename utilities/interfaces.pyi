"""What students write: the signature of every exercise, with the shapes of arrays as annotations.

A test holds the solutions, and with them the release, to this page: names, arguments, defaults, base
classes and docstrings. `make interfaces` writes `docs/interfaces.md` and the notebooks' docstrings.
B batch, N patches (in the extension labs also tokens), n tokens or examples, d width of a token,
h heads, p width of a head, K classes.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

Array = np.ndarray
Data = tuple[Annotated[Array, "(n, …)"], Annotated[Array, "(n, 1)"]]

# notebook: vision_transformer/vision_transformer

def gaussian(
    distance: Annotated[Array, "any shape"], sigma: float = 1.0
) -> Annotated[Array, "of the same shape"]:
    """Gaussian kernel: the similarity of two points at a given distance.

    Args:
        distance: array of any shape, or a number.
        sigma: bandwidth, a positive number.

    Returns:
        exp(-distance² / (2 sigma²)), of the same shape.
    """

def nadaraya_watson(
    q: Annotated[Array, "(n_q, d)"],
    k: Annotated[Array, "(n_k, d)"],
    v: Annotated[Array, "(n_k, d_v)"],
    kernel: Callable[[Array, float], Array],
    sigma: float = 1.0,
) -> tuple[Annotated[Array, "(n_q, d_v)"], Annotated[Array, "(n_q, n_k)"]]:
    """Kernel regression: average the values, weighted by the similarity of query and key.

    Args:
        q: queries (n_q, d).
        k: keys (n_k, d).
        v: values (n_k, d_v).
        kernel: a function (distance, sigma) -> similarity, for arrays of any shape.
        sigma: bandwidth.

    Returns:
        prediction (n_q, d_v) and attention weights (n_q, n_k), each row of which sums to 1.
    """

def scaled_dot_product_attention(
    q: Annotated[tf.Tensor, "(..., n_q, d_k)"],
    k: Annotated[tf.Tensor, "(..., n_k, d_k)"],
    v: Annotated[tf.Tensor, "(..., n_k, d_v)"],
    mask: Annotated[tf.Tensor, "(..., n_q, n_k)"] | None = None,
) -> tuple[Annotated[tf.Tensor, "(..., n_q, d_v)"], Annotated[tf.Tensor, "(..., n_q, n_k)"]]:
    """Attention: average the values, weighted by the softmax of scaled dot products.

    Args:
        q: queries (..., n_q, d_k).
        k: keys (..., n_k, d_k).
        v: values (..., n_k, d_v).
        mask: broadcastable to (..., n_q, n_k); True or 1 where a query may attend to a key.

    Returns:
        output (..., n_q, d_v) and attention weights (..., n_q, n_k).
    """

class MultiHeadAttention(layers.Layer):
    """Several attentions side by side, each on its own projections, mixed by W_o.

    Args:
        num_heads: number of heads h.
        proj_dim: width of each head and of the output.
        return_attention_weights: whether to return the attention weights beside the output.
    """

    def __init__(
        self, num_heads: int, proj_dim: int, return_attention_weights: bool = False, **kwargs: Any
    ) -> None: ...
    def create_weights(self, d_q: int, d_k: int, d_v: int) -> None:
        """Add the trainable weights W_q, W_k, W_v and W_o, once the widths of the inputs are known."""
    def project(
        self, x: Annotated[tf.Tensor, "(B, n, d)"], W: Annotated[tf.Tensor, "(h, d, p)"]
    ) -> Annotated[tf.Tensor, "(B, h, n, p)"]:
        """Return tokens x (B, n, d) times the matrix W (h, d, p) of each head, (B, h, n, p)."""
    def merge(self, heads: Annotated[tf.Tensor, "(B, h, n, p)"]) -> Annotated[tf.Tensor, "(B, n, h·p)"]:
        """Return heads (B, h, n, p) side by side, token by token, (B, n, h·p)."""
    def call(
        self,
        q: Annotated[tf.Tensor, "(B, n_q, d_q)"],
        k: Annotated[tf.Tensor, "(B, n_k, d_k)"],
        v: Annotated[tf.Tensor, "(B, n_k, d_v)"],
        mask: Annotated[tf.Tensor, "(B, h, n_q, n_k)"] | None = None,
    ) -> (
        Annotated[tf.Tensor, "(B, n_q, proj_dim)"]
        | tuple[Annotated[tf.Tensor, "(B, n_q, proj_dim)"], Annotated[tf.Tensor, "(B, h, n_q, n_k)"]]
    ):
        """Attend from queries to keys.

        Args:
            q: queries (B, n_q, d_q).
            k: keys (B, n_k, d_k).
            v: values (B, n_k, d_v).
            mask: broadcastable to (B, h, n_q, n_k), for instance (n_q, n_k).

        Returns:
            output (B, n_q, proj_dim); with `return_attention_weights` the pair of output and
            attention weights (B, h, n_q, n_k).
        """
    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this layer again, so that Keras can save it."""

def mlp(
    x: Annotated[tf.Tensor, "(..., d)"], hidden_units: Sequence[int], dropout_rate: float
) -> Annotated[tf.Tensor, "(..., hidden_units[-1])"]:
    """Multilayer perceptron, applied to each token by itself.

    Args:
        x: tokens (..., d).
        hidden_units: the width of each Dense layer, in order.
        dropout_rate: share of the activations that dropout sets to 0 during training.

    Returns:
        A tensor (..., hidden_units[-1]).
    """

def transformer_block(
    x: Annotated[tf.Tensor, "(B, n, d)"],
    num_heads: int,
    proj_dim: int,
    mlp_units: Sequence[int],
    dropout_rate: float = 0.1,
) -> Annotated[tf.Tensor, "(B, n, d)"]:
    """Transformer block, post-norm: self-attention, then an MLP, each with its residual connection.

    Args:
        x: tokens (B, n, d).
        num_heads: number of heads of the attention.
        proj_dim: width of each head and of the attention's output, equal to d.
        mlp_units: the widths of the MLP's layers, the last one equal to d.
        dropout_rate: of the dropout after the attention, inside the MLP and after it.

    Returns:
        Tokens (B, n, d).
    """

class PatchExtractor(layers.Layer):
    """Cut images into square patches, row by row.

    Args:
        patch_size: side P of a patch in pixels.
    """

    def __init__(self, patch_size: int, **kwargs: Any) -> None: ...
    def call(
        self, images: Annotated[tf.Tensor, "(B, H, W, C)"]
    ) -> Annotated[tf.Tensor, "(B, N, P²·C)"]:
        """Return the patches (B, N, P²·C) of images (B, H, W, C), flattened row by row."""
    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this layer again, so that Keras can save it."""

class PatchEncoder(layers.Layer):
    """Turn patches into tokens: project them, put the class token in front, add positions.

    Args:
        num_patches: number of patches N.
        proj_dim: width d of a token.
    """

    def __init__(self, num_patches: int, proj_dim: int, **kwargs: Any) -> None: ...
    def call(
        self, patches: Annotated[tf.Tensor, "(B, N, P²·C)"]
    ) -> Annotated[tf.Tensor, "(B, N + 1, d)"]:
        """Return the tokens (B, N + 1, d) of patches (B, N, P²·C)."""
    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this layer again, so that Keras can save it."""

def create_vit_classifier(
    input_shape: tuple[int, int, int],
    num_classes: int,
    patch_size: int,
    embedding_proj_dim: int,
    num_heads: int,
    msa_proj_dim: int,
    transformer_layers: int,
    msa_dropout_rate: float,
    mlp_classification_head_units: Sequence[int],
    mlp_classification_head_dropout_rate: float,
    data_augmentation: layers.Layer | None = None,
) -> tf_keras.Model:
    """Build a Vision Transformer that classifies images by its class token.

    Args:
        input_shape: (H, W, C), H and W multiples of the patch size.
        num_classes: number of logits.
        patch_size: side of a patch in pixels.
        embedding_proj_dim: width d of a token.
        num_heads: number of heads of each attention.
        msa_proj_dim: width of each head and of the attention's output, equal to d.
        transformer_layers: number of transformer blocks.
        msa_dropout_rate: dropout rate of the blocks.
        mlp_classification_head_units: widths of the hidden layers of the head.
        mlp_classification_head_dropout_rate: dropout rate of the head.
        data_augmentation: a layer applied to the images first, or None.

    Returns:
        A tf_keras.Model from images (B, H, W, C) to logits (B, num_classes).
    """

def run_experiment(
    model: tf_keras.Model,
    training_data: Data,
    validation_data: Data,
    test_data: Data | None = None,
    epochs: int = 30,
    batch_size: int = 64,
    learning_rate: float | tf_keras.optimizers.schedules.LearningRateSchedule = 1e-4,
    weight_decay: float = 0.0,
    callbacks: Sequence[tf_keras.callbacks.Callback] = (),
    ckpt_path: str = "checkpoints/best.weights.h5",
    run_testing: bool = True,
) -> tf_keras.callbacks.History:
    """Train a classifier, restore the weights that were best on the validation data, and test it.

    Args:
        model: a tf_keras.Model that returns logits.
        training_data, validation_data, test_data: pairs (images, labels); test_data may be None.
        epochs: number of passes over the training data.
        batch_size: number of images in a step.
        learning_rate: a number or a Keras learning-rate schedule.
        weight_decay: of AdamW; 0 makes it plain Adam.
        callbacks: further Keras callbacks.
        ckpt_path: file for the best weights.
        run_testing: whether to test at the end.

    Returns:
        The Keras History of the training.
    """

class CarbonTrackerCallback(tf_keras.callbacks.Callback):
    """Tell a carbontracker when epochs start and end, and when training is over.

    Args:
        tracker: has the methods epoch_start(), epoch_end() and stop().
    """

    def __init__(self, tracker: Any) -> None: ...

# notebook: vision_transformer/pretrained_models

def top_classes(
    logits: Annotated[tf.Tensor, "(B, K)"], k: int = 5
) -> tuple[Annotated[Array, "(B, k)"], Annotated[Array, "(B, k)"]]:
    """The most probable classes of each image.

    Args:
        logits: (B, K), a TensorFlow tensor.
        k: number of classes to return, at most K.

    Returns:
        classes (B, k), whole numbers, most probable first, and their probabilities (B, k).
    """

def attention_rollout(
    attentions: Sequence[Annotated[tf.Tensor, "(B, h, n, n)"]],
) -> Annotated[Array, "(B, n, n)"]:
    """How much of each token has reached each token after all layers.

    Args:
        attentions: one tensor (B, h, n, n) a layer, the first layer first; rows sum to 1.

    Returns:
        (B, n, n): row i holds the shares of token i after the last layer; rows sum to 1.
    """

def fit_linear_probe(
    features: Annotated[Array, "(n, d)"],
    labels: Annotated[Array, "(n,)"] | Annotated[Array, "(n, 1)"],
    num_classes: int,
    penalty: float = 1.0,
) -> tuple[Annotated[Array, "(d, K)"], Annotated[Array, "(K,)"]]:
    """Fit scores of classes as a linear function of features, by ridge regression.

    Args:
        features: (n, d), a NumPy array.
        labels: (n,) or (n, 1), whole numbers from 0 to num_classes - 1.
        num_classes: the number of classes K.
        penalty: factor of the squared weights; the bias is not penalised.

    Returns:
        weights (d, K) and bias (K,).
    """

def beam_search(
    log_probabilities: Callable[[list[int]], Array],
    num_beams: int,
    max_length: int,
    end_token: int,
) -> tuple[list[int], float]:
    """Search for the most probable sequence of tokens.

    Args:
        log_probabilities: takes the list of tokens so far, which may be empty, and returns an
            array with the logarithm of the probability of each next token.
        num_beams: number of sequences to keep.
        max_length: largest number of tokens, the end token included.
        end_token: the token that finishes a sequence.

    Returns:
        the tokens of the best sequence, a list, and its score, the sum of the logarithms.
    """

# notebook: attention_variants/attention_variants

class DotProductAttention(layers.Layer):
    """Attention whose scores are scaled in one of three ways, then softmax.

    Args:
        normalization: "standard" (divided by √d), "linear" (divided by d) or "cosine" (queries
            and keys divided by their lengths).

    call(q, k, v): q (…, n_q, d), k (…, n_k, d), v (…, n_k, d_v) -> output (…, n_q, d_v) and
    attention weights (…, n_q, n_k).

    Raises:
        ValueError: for any other normalization.
    """

    def __init__(
        self, normalization: Literal["standard", "linear", "cosine"] = "standard", **kwargs: Any
    ) -> None: ...
    def call(
        self,
        q: Annotated[tf.Tensor, "(…, n_q, d)"],
        k: Annotated[tf.Tensor, "(…, n_k, d)"],
        v: Annotated[tf.Tensor, "(…, n_k, d_v)"],
    ) -> tuple[Annotated[tf.Tensor, "(…, n_q, d_v)"], Annotated[tf.Tensor, "(…, n_q, n_k)"]]:
        """Return output (…, n_q, d_v) and attention weights (…, n_q, n_k)."""
    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this layer again, so that Keras can save it."""

class CosineAttention(layers.Layer):
    """Self-attention with cosines for weights, no softmax; queries and keys are the same.

    Args:
        num_heads: number of heads h.
        key_dim: width p of queries and values in a head.

    call(x): tokens (B, N, d) -> (B, N, d).
    """

    def __init__(self, num_heads: int, key_dim: int, **kwargs: Any) -> None: ...
    def build(self, input_shape: tf.TensorShape) -> None:
        """Make the projections, now that the width input_shape[-1] of the tokens is known."""
    def call(self, x: Annotated[tf.Tensor, "(B, N, d)"]) -> Annotated[tf.Tensor, "(B, N, d)"]:
        """Return what tokens (B, N, d) become, (B, N, d)."""
    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this layer again, so that Keras can save it."""

def tiled_attention(
    q: Annotated[tf.Tensor, "(…, n_q, d)"],
    k: Annotated[tf.Tensor, "(…, n_k, d)"],
    v: Annotated[tf.Tensor, "(…, n_k, d_v)"],
    block_size: int,
) -> Annotated[tf.Tensor, "(…, n_q, d_v)"]:
    """Scaled dot-product attention, exact, that takes the keys and values a block at a time.

    Args:
        q: queries (…, n_q, d).
        k: keys (…, n_k, d).
        v: values (…, n_k, d_v).
        block_size: number of keys in a block; the last block may hold fewer.

    Returns:
        the output softmax(q kᵀ / √d) v, (…, n_q, d_v), without the attention weights.

    Source: Milakov and Gimelshein 2018, arXiv 1805.02867, algorithm 3; Rabe and Staats 2021,
    arXiv 2112.05682.
    """

class LinearAttention(layers.Layer):
    """Self-attention with the weights φ(q)·φ(k), φ(x) = elu(x) + 1, at a cost linear in N.

    Args:
        num_heads: number of heads h.
        key_dim: width p of queries, keys and values in a head.

    call(x): tokens (B, N, d) -> (B, N, d).

    Source: Katharopoulos et al. 2020, arXiv 2006.16236, equations 4 to 7.
    """

    def __init__(self, num_heads: int, key_dim: int, **kwargs: Any) -> None: ...
    def build(self, input_shape: tf.TensorShape) -> None:
        """Make the projections, now that the width input_shape[-1] of the tokens is known."""
    def call(self, x: Annotated[tf.Tensor, "(B, N, d)"]) -> Annotated[tf.Tensor, "(B, N, d)"]:
        """Return what tokens (B, N, d) become, (B, N, d)."""
    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this layer again, so that Keras can save it."""

class Orthonormal(tf_keras.constraints.Constraint):
    """Moves a matrix a step towards orthonormal rows (wide) or columns (tall).

    Args:
        beta: size of the step.

    __call__(w): matrix (m, n) -> matrix (m, n).

    Source: Conneau et al. 2018, arXiv 1710.04087, equation 7.
    """

    def __init__(self, beta: float = 0.01) -> None: ...
    def __call__(self, w: Annotated[tf.Tensor, "(m, n)"]) -> Annotated[tf.Tensor, "(m, n)"]:
        """Return the new value of a matrix (m, n)."""
    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this constraint again, so that Keras can save it."""

def create_attention_vit(
    input_shape: tuple[int, int, int],
    num_classes: int,
    size: Any,
    make_attention: Callable[[], layers.Layer],
    data_augmentation: layers.Layer | None = None,
) -> tf_keras.Model:
    """Vision Transformer with pre-norm blocks around any attention.

    Args:
        input_shape: (H, W, C) of an image.
        num_classes: number of classes.
        size: with the attributes patch_size, embedding_proj_dim (d), transformer_layers,
            mlp_units (of a block, the last is d), head_units, dropout_rate (in the blocks' MLPs),
            head_dropout_rate.
        make_attention: function without arguments -> a new layer, tokens (B, N, d) -> (B, N, d).
        data_augmentation: a layer for the images, or None.

    Returns:
        a tf_keras.Model, images (B, H, W, C) -> logits (B, num_classes).
    """

# notebook: small_datasets/small_datasets

class ShiftedPatchTokenization(layers.Layer):
    """Tokens from patches of the image and of its four diagonally shifted copies.

    Args:
        patch_size: side P of a patch in pixels; the copies are shifted by P // 2.
        proj_dim: width d of a token.
    """

    def __init__(self, patch_size: int, proj_dim: int, **kwargs: Any) -> None: ...
    def call(self, images: Annotated[tf.Tensor, "(B, H, W, C)"]) -> Annotated[tf.Tensor, "(B, N, d)"]:
        """Return the tokens (B, N, d) of images (B, H, W, C)."""
    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this layer again, so that Keras can save it."""

class MultiHeadAttentionLSA(layers.MultiHeadAttention):
    """Multi-head self-attention with a learned temperature, where no token attends to itself.

    Args:
        num_heads: number of heads h.
        key_dim: width of a head.
        kwargs: further arguments of Keras' layer, such as dropout.
    """

    def __init__(self, num_heads: int, key_dim: int, **kwargs: Any) -> None: ...
    def _compute_attention(
        self,
        query: Annotated[tf.Tensor, "(B, N, h, key_dim)"],
        key: Annotated[tf.Tensor, "(B, N, h, key_dim)"],
        value: Annotated[tf.Tensor, "(B, N, h, key_dim)"],
        attention_mask: tf.Tensor | None = None,
        training: bool | None = None,
    ) -> tuple[Annotated[tf.Tensor, "(B, N, h, key_dim)"], Annotated[tf.Tensor, "(B, h, N, N)"]]:
        """Attend in all heads; Keras calls it with what it has projected.

        Args:
            query, key, value: (B, N, h, key_dim).
            attention_mask: not used.
            training: whether dropout is active.

        Returns:
            The heads' outputs (B, N, h, key_dim) and the attention weights (B, h, N, N).
        """

class WarmUpCosine(tf_keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then half a cosine wave down to 0, and 0 for good.

    Args:
        learning_rate_base: the highest rate, at the end of the warm-up.
        total_steps: where the rate has come down to 0, warm-up included.
        warmup_learning_rate: the rate at step 0, if there is a warm-up.
        warmup_steps: length of the warm-up; 0 for none.

    Raises:
        ValueError: total_steps is smaller than warmup_steps.
    """

    def __init__(
        self,
        learning_rate_base: float,
        total_steps: int,
        warmup_learning_rate: float,
        warmup_steps: int,
    ) -> None: ...
    def __call__(self, step: int | tf.Tensor) -> tf.Tensor:
        """Return the learning rate at a step, a number or a tensor."""
    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this schedule again, so that Keras can save it."""

def make_optimizer(
    num_samples: int,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    warmup_epochs: float,
) -> tf_keras.optimizers.AdamW:
    """Return an AdamW whose learning rate warms up and then falls to 0 by the end of the run.

    Args:
        num_samples: number of training images.
        epochs: number of passes over them.
        batch_size: number of images in a step; the last batch of an epoch may hold fewer.
        learning_rate: the highest rate.
        weight_decay: of AdamW.
        warmup_epochs: length of the warm-up, part of `epochs`.

    Returns:
        A tf_keras.optimizers.AdamW.
    """

# notebook: inductive_bias/inductive_bias

class PositionEmbedding2D(layers.Layer):
    """Adds a trainable position to each token: one half says the column, the other the row.

    Args:
        rows, columns: grid of patches; N = rows * columns.
        proj_dim: width d of the tokens, even.

    Tokens (B, N, d) in, row by row, and (B, N, d) out. Trainable weights: a table of shape
    (columns, proj_dim / 2) for the first half, one of shape (rows, proj_dim / 2) for the second.
    """

    def __init__(self, rows: int, columns: int, proj_dim: int, **kwargs: Any) -> None: ...

class RelativePositionBias(layers.Layer):
    """Adds to the scores a trainable number that depends on head and offset of the patches.

    Args:
        num_heads: number h of heads.
        rows, columns: grid of patches; N = rows * columns.

    Scores (B, h, N, N) in and out, queries before keys. Trainable numbers:
    (2 * rows - 1) * (2 * columns - 1) for each head.
    """

    def __init__(self, num_heads: int, rows: int, columns: int, **kwargs: Any) -> None: ...

def create_resnet_classifier(
    input_shape: tuple[int, int, int],
    num_classes: int,
    make_backbone: Callable[..., tf_keras.Model],
    head_units: Sequence[int] = (512, 1024),
    data_augmentation: layers.Layer | None = None,
) -> tf_keras.Model:
    """A residual network with a classifier on top.

    Args:
        input_shape: (H, W, C) of an image before augmentation.
        num_classes: number of logits.
        make_backbone: called with include_top, weights and input_shape; returns a network from
            images to feature maps (B, h, w, f).
        head_units: widths of the hidden Dense layers.
        data_augmentation: layers put first, or None.

    Returns:
        A tf_keras.Model from images (B, H, W, C) to logits (B, num_classes).
    """

def vital_signs(
    model: tf_keras.Model,
    images: Annotated[Array, "(n, H, W, C)"],
    labels: Annotated[Array, "(n,)"] | Annotated[Array, "(n, 1)"],
) -> tuple[float, float, float]:
    """Three numbers that tell a model that learns from one that cannot.

    Args:
        model: a tf_keras.Model from images to logits (n, K).
        images: (n, H, W, C).
        labels: (n,) or (n, 1).

    Returns:
        loss, spread and gradient norm: three numbers.
    """

def distillation_loss(
    labels: Annotated[tf.Tensor, "(B,)"] | Annotated[tf.Tensor, "(B, 1)"],
    student_logits: Annotated[tf.Tensor, "(B, K)"],
    teacher_logits: Annotated[tf.Tensor, "(B, K)"],
    temperature: float = 2.0,
    teacher_share: float = 0.7,
) -> Annotated[tf.Tensor, "(B,)"]:
    """What a student pays for each image: to the labels, and to its teacher.

    Args:
        labels: the class of each image, whole numbers, (B,) or (B, 1).
        student_logits: (B, K).
        teacher_logits: (B, K); no gradient flows into them.
        temperature: softens both answers in the teacher's part, above 0.
        teacher_share: weight of the teacher's part, 0 to 1; the labels' part has the rest.

    Returns:
        The loss of each image, (B,).
    """
