"""The written questions of `vision_transformer`."""

from tests.notebooks.questions import Answer, Question

QUESTIONS = {
    1: Question(
        (("section-1", "slider"), ("slider-text", "slider", "kernels"), ("nadaraya-watson-text",)),
        (
            Answer(
                "It needs no fitting, because the data themselves are the model. But I have to "
                "find sigma by trial, since nothing in the method sets it, and near x = 0 and x = "
                "5 the curve is pulled inwards because there are neighbours on one side only. "
                "Learned matrices would set the scale of the distances, so sigma would no longer "
                "be mine to choose.",
                3,
            ),
            Answer(
                "The weights are readable: each says how much an observation counts, since they "
                "are positive and sum to 1. Prediction is slow with much data, because every query "
                "meets every key; and all input dimensions count alike, because the distance is "
                "fixed. Projections repair the second, since they can shrink a useless dimension.",
                3,
            ),
            Answer(
                "No training is needed since the stored points are the model. Sigma must be chosen "
                "by hand, because the method does not say how wide to look. It is also inaccurate. "
                "Learned projections would be better.",
                1.5,
                "the second drawback has no cause; the last sentence says neither how nor of what",
            ),
        ),
    ),
    2: Question(
        (
            ("question-02-rnn-attention", "mask-text"),
            ("question-02-rnn-attention", "mask-text"),
            ("permutation",),
        ),
        (
            Answer(
                "1 The decoder's last state asks, the encoder's states are keys and values; in a "
                "ViT all three are made from the patches. 2 States follow one another, so "
                "translation goes word by word; a ViT does one big product per layer. 3 Reading in "
                "order gives order; a ViT would not notice a shuffle, so something that marks the "
                "position must be added.",
                3,
            ),
            Answer(
                "1 RNN: two sequences, query from the target side, keys and values from the source "
                "side. ViT: one set of tokens plays all parts. 2 RNN: recurrence is sequential, "
                "one query a step; ViT: all queries at once. 3 RNN: through the recurrence; ViT: "
                "only through position embeddings, since permuted rows give permuted outputs.",
                3,
            ),
            Answer(
                "1 In the RNN the decoder attends to the encoder, in the ViT tokens attend to each "
                "other. 2 The ViT is parallel, the RNN sequential. 3 The ViT numbers its patches "
                "and so knows their order.",
                2,
                "the third: numbering alone gives attention nothing",
            ),
        ),
    ),
    3: Question(
        (
            ("section-3", "heads-drawn", "multi-head-attention"),
            ("question-03-cost",),
            ("question-03-cost",),
            ("heads-drawn",),
        ),
        (
            Answer(
                "(a) 4nd², (b) 2n²d; here both times h. n = 65: 153 M and 6.5 M, here 1.84 G and "
                "78 M; n = 197: 465 M and 60 M, here 5.6 G and 715 M; images of 32 with patches of "
                "4, of 224 with patches of 16. (b) is larger from n = 2d = 1,536 on in both. Bhn² "
                "weights, 16 times.",
                4,
            ),
            Answer(
                "With two operations per multiply-add: 8nd² and 4n²d, or h times that. 307 and 13 "
                "million, 930 and 119 million; h times these here. 65 = 8·8 + 1 (32×32, patch 4), "
                "197 = 14·14 + 1 (224×224, patch 16). Crossing at 1,536 for both, as h cancels. "
                "B·h·n²; about 16-fold.",
                4,
            ),
            Answer(
                "(a) 4nd², (b) 2n²d, for the lab h times as much. 153 M, 6.5 M; 465 M, 60 M; 32×32 "
                "with patch 4 and 224×224 with patch 16. Full-width heads cross h times earlier. "
                "The weights grow by 4, since there are four times as many tokens.",
                2,
                "the crossing is the same for both heads; the weights grow with n², by 16",
            ),
        ),
    ),
    4: Question(
        (("question-04-computational-advantages", "question-03-cost"),),
        (
            Answer(
                "An RNN must wait for h_{t-1}, so n steps; attention compares all tokens in one "
                "product. And a gradient from the last to the first token passes n steps there, "
                "one layer here.",
                2,
            ),
            Answer(
                "Convolutions need many layers until two distant tokens meet, attention needs one. "
                "Its work is a few big matrix products, which a GPU does well, where a recurrent "
                "layer does many small ones, one after the other.",
                2,
            ),
            Answer(
                "All tokens are processed in parallel, unlike in a recurrent layer, where each "
                "state needs the one before. It also has fewer parameters than a convolution.",
                1,
                "fewer parameters is not true in general",
            ),
        ),
        scheme=(1, 1),
    ),
    5: Question(
        (("section-3", "heads", "section-2"),),
        (
            Answer(
                "Both come in numbers, each with weights of its own, and what they find is joined "
                "and mixed. A kernel's weights are the same for all images; a head works its "
                "weights out from the image. A kernel sees its window, a head every token.",
                3,
            ),
            Answer(
                "Alike: several side by side, each can look for another thing. Different: after "
                "training a kernel is constant, attention changes with the content; and a kernel "
                "has locality built in, a head has to learn who is near.",
                3,
            ),
            Answer(
                "Both have several copies that learn different patterns. A kernel is local, a head "
                "is global. Heads have more parameters.",
                2,
                "says nothing of fixed weights against computed ones",
            ),
        ),
        scheme=(1, 1, 1),
    ),
    6: Question(
        (("section-4", "blocks-drawn"), ("section-2", "mask-text")),
        (
            Answer(
                "dy/dx = 1 + F'(x): even if F' is tiny, the 1 lets the gradient reach the first "
                "blocks. Without the addition a token would be only an average of the others' "
                "values, and what it was itself would be lost.",
                2,
            ),
            Answer(
                "The derivative is the identity plus that of F, so each block learns a correction "
                "and starts near doing nothing. Attention alone mixes; the position added to a "
                "token would be blurred with those of all others.",
                2,
            ),
            Answer(
                "The derivative is I + F', so gradients do not vanish. Without it the network "
                "would be linear.",
                1,
                "what a token loses",
            ),
        ),
    ),
    7: Question(
        (("section-4",), ("section-4", "section-2")),
        (
            Answer(
                "Over d, so one mean for each of the B·n tokens, and 2d parameters. Tokens keep "
                "one scale through the stack, so the softmax does not saturate; and nothing "
                "depends on what else is in the batch, unlike batch norm.",
                2,
            ),
            Answer(
                "The last axis; Bn means; gamma and beta, 2d. It keeps activations of similar size "
                "from block to block. Batch norm would need running averages for inference.",
                2,
            ),
            Answer(
                "Over the last axis, B·n means, 2d parameters. It makes training faster.",
                1,
                "no effect is explained, and no reason against batch normalisation",
            ),
        ),
    ),
    8: Question(
        (("2010.11929", "2112.13492", "2106.14881"), ("patch-encoder-text", "2010.11929")),
        (
            Answer(
                "Overlapping patches: an edge is not cut, but there are more tokens. Sine and "
                "cosine positions: no parameters and any length, but they cannot adapt.",
                2,
            ),
            Answer(
                "A few convolutions first: local features come for free, it learns better from few "
                "images, but it is no longer a pure transformer. Separate embeddings of row and "
                "column: the grid is built in with fewer parameters, but row and column cannot "
                "interact.",
                2,
            ),
            Answer(
                "Smaller patches: finer, but more tokens. Sinusoids: no parameters, but fixed.",
                1,
                "another patch size is excluded by the question",
            ),
        ),
    ),
    9: Question(
        (
            ("question-05-heads-and-kernels", "section-5", "patch-encoder-text"),
            ("2010.11929",),
            ("2010.11929", "question-08-patch-encoding"),
        ),
        (
            Answer(
                "Neighbours belong together, and an object is the same wherever it is: both are "
                "built into convolutions. With few images a ViT learns neither and overfits; with "
                "very many it is not held back by them. Pre-train it on a large set first.",
                3,
            ),
            Answer(
                "Locality and translation equivariance. Little data: worse generalisation than a "
                "CNN. Much data: a higher ceiling, and global context from the first layer. A "
                "convolutional stem helps.",
                3,
            ),
            Answer(
                "Locality and weight sharing between pixels. A ViT needs more data. Use strong "
                "augmentation.",
                2,
                "the gain with plentiful data",
            ),
        ),
    ),
    10: Question(
        (
            ("multi-head-attention-text", "patch-encoder", "vit-classifier", "model-summary"),
            ("question-10-parameter-count",),
            ("section-3", "multi-head-attention-text"),
            ("question-10-parameter-count",),
        ),
        (
            Answer(
                "Encoding 0.6 M; a block 28.3 M attention, 2.4 M MLP, 3 k norms; head 2.4 M. "
                "Attention has 12·28.3 = 340 of 371 M, 92 %. 4.3 times ViT-Base, between Large and "
                "Huge. Every head is 768 wide and not 64: attention is 12 times as large and grows "
                "with h, in the paper not. The MLP is half as wide: fewer.",
                4,
            ),
            Answer(
                "595,200 + 12·(28,311,552 + 2,361,600 + 3,072) + 2,394,656; attention is 91.5 %. "
                "371/86 = 4.3, larger than Large, smaller than Huge. 4hd² for 4d², so times h = "
                "12. Ours has five positions, ViT-Base 197: fewer.",
                4,
            ),
            Answer(
                "Attention dominates with about 340 M of 371 M, the rest is MLP (28 M), head and "
                "encoding (3 M). 4.3 times ViT-Base, between Large and Huge. The reason is the 12 "
                "heads. The head for 10 classes is smaller.",
                2.5,
                "12 heads alone: ViT-Base has them too; the hidden layer makes the head larger",
            ),
        ),
    ),
    11: Question(
        (
            ("question-11-vit-against-cnn", "comparison", "load-data"),
            ("question-05-heads-and-kernels", "cnn-text", "comparison"),
            ("question-10-parameter-count", "2010.11929"),
        ),
        (
            Answer(
                "(with the student's numbers) ViT 58.0 %, wide CNN 66.5 %, 7,500 images, 2,000 "
                "tests, 40 epochs. The errors are 1.1 points each, 1.5 for the difference, so 8.5 "
                "is no chance. Convolutions know that neighbours matter, the ViT learns it from "
                "7,500 images; even the small CNN is level. With JFT-300M the ViT overtook ResNets "
                "(Dosovitskiy et al.).",
                3,
            ),
            Answer(
                "(with the student's numbers) 61 % against 62 %, the same data; the standard error "
                "of the difference is 1.5 points, so they are not clearly different. Schedule and "
                "augmentation were chosen for the ViT, which may hide the CNN's lead. With 300 "
                "million images I expect the ViT ahead, as in figure 3 of the ViT paper.",
                3,
            ),
            Answer(
                "(with the student's numbers) 58 % and 66 %: the CNN is better because it has "
                "locality. With more data the ViT wins (Dosovitskiy et al. 2021).",
                2,
                "neither the conditions nor the standard error",
            ),
        ),
    ),
    12: Question(
        (
            ("settings", "training", "run-experiment-text"),
            ("2012.12877", "2106.10270"),
            ("training", "curves"),
        ),
        (
            Answer(
                "Crops and flips, weight decay 0.01, and the best weights are kept; no dropout. "
                "Left out: mixup (blends two images and labels), label smoothing (never fully "
                "sure), stochastic depth (skips blocks at random). Mixup first: at the end my "
                "training accuracy is far above the validation accuracy.",
                3,
            ),
            Answer(
                "Augmentation, AdamW's decay, best checkpoint. Not used: dropout (zeroes "
                "activations), CutMix (pastes a piece of another image), RandAugment (random "
                "colour and shape changes). None yet: my two curves are together and still rising, "
                "so I would train longer first.",
                3,
            ),
            Answer(
                "Crop and flip, weight decay, best weights. Missing: dropout (zeroes activations), "
                "warm-up (small steps first), mixup (blends images). I would add mixup, it is used "
                "everywhere.",
                1,
                "warm-up is no regularisation and is used; the choice ignores the curves",
            ),
        ),
    ),
    13: Question(
        (
            ("vit-drawn", "patch-extractor-text"),
            ("2105.05633", "2012.15840"),
            ("patch-extractor-text", "patch-encoder-text"),
        ),
        (
            Answer(
                "Drop the class token, put the N patch tokens back on the grid: (B, H/P, W/P, d). "
                "A linear layer to K scores, bilinear upsampling by P, cross-entropy for each "
                "pixel: Segmenter's linear decoder. Borders are blocky; smaller patches help and "
                "cost.",
                3,
            ),
            Answer(
                "Patch tokens reshaped to H/P × W/P × d, class token unused. Convolutions and "
                "stepwise upsampling to H × W × K, pixel-wise cross-entropy, as in SETR. At "
                "another resolution the positions do not fit; interpolate them on the grid.",
                3,
            ),
            Answer(
                "Keep the patch tokens as an H/P × W/P map without the class token and classify "
                "each patch. Small objects get lost; use smaller patches.",
                2,
                "no scores for pixels, no loss, no model",
            ),
        ),
    ),
    14: Question(
        (
            ("comparison", "section-8"),
            ("section-8", "comparison-text", "comparison"),
            ("comparison", "comparison-text"),
        ),
        (
            Answer(
                "(with the student's numbers) Both estimated. More epochs or images would be more "
                "work, so they must agree. As an estimate takes a constant power, the ratio is "
                "that of the times; multiply-adds are equal, so the rest is how well they run. "
                "Intensity scales both. The CNN needs less per correct point; tuning is not "
                "counted.",
                3,
            ),
            Answer(
                "(with the student's numbers) Measured by NVML: … The settings decide the work, so "
                "only equal ones compare models. The ViT takes longer at equal operations, since "
                "softmax and normalisation keep the units waiting, and at a lower power. Grams "
                "depend on the country, the ratio does not. Per correct point the ViT costs twice "
                "as much. Making the GPU is left out.",
                3,
            ),
            Answer(
                "(with the student's numbers) The energies, measured by carbontracker from the "
                "nominal power. Equal settings for fairness. The ViT has more operations. "
                "Intensity changes the grams. The CNN gives more per point; hardware is left out.",
                1,
                "an estimate is called measured; operations are equal for these two",
            ),
        ),
    ),
}
