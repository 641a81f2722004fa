"""The written questions of `attention_variants`."""

from tests.notebooks.questions import Answer, Question

QUESTIONS = {
    1: Question(
        (("section-1", "sharpness"), ("section-1", "dot-product-attention-text"), ("section-1",)),
        (
            Answer(
                "Each of the d terms has variance 1, so q·k has d: standard 1, linear 1/d. The lengths "
                "are near √d, so the cosine has 1/d too. One line stays because its scores spread as "
                "much at every d; the other two sink to 1/64, since all scores become 0. For linear, "
                "longer queries and keys do it, and W can grow. No training makes a cosine exceed 1: "
                "ratio e², at most e²/(e²+n−1). τ = 0.01 gives scores up to 100, so a weight can be "
                "nearly 1. How long a query or key is still plays no part.",
                4,
            ),
            Answer(
                "1, 1/d, about 1/d. So softmax of standard looks alike for all widths, and the others "
                "end with equal weights. Linear needs projections that are larger by d^(1/4) each; a "
                "normalised vector forgets such a factor. 7.4 times; with 64 keys 0.105. The "
                "temperature lifts the bound on the ratio. A key cannot become important by being "
                "long.",
                4,
            ),
            Answer(
                "1, 1/d and 1/d, hence one line is level and two fall. Linear can learn larger "
                "weights, cosine is bounded by 1. The temperature makes the weights sharp again, and "
                "the cosine stays between −1 and 1.",
                3,
                "no ratio and no largest weight; the property of a single query or key is missing",
            ),
        ),
        scheme=(1, 1, 2, 3),
    ),
    2: Question(
        (
            ("section-2", "section-1"),
            ("section-2",),
            ("section-2", "cosine-attention-text"),
        ),
        (
            Answer(
                "Weights can be below 0, so a value may be taken away and the result may leave the "
                "range of the values. They do not sum to 1, so many similar tokens make the output "
                "large. Random: the variances add up, √N. Alike: N times one value. Cottention divides "
                "by a learned power of N; LN normalises what comes in, the sum is made after it. "
                "Symmetric: i looks at j as j at i. In the report keys are not queries, so it need not "
                "be.",
                4,
            ),
            Answer(
                "No competition: to attend to one key takes nothing from another. Signs: the output "
                "is no average any more. √N since signs cancel at random, N since every cosine is 1. "
                "A learned scalar, by which power of the length one divides; the norm is in front of "
                "the projections, and behind the sum nothing scales. The matrix equals its transpose, "
                "so a part cannot look for its whole while the whole ignores it; x̂ᵢᵀWx̂ⱼ has no such "
                "rule.",
                4,
            ),
            Answer(
                "Weights may be negative and do not sum to 1. Alike tokens give N times a value, and "
                "independent ones grow like N as well. Cottention divides by a learned power of N; LN "
                "acts before the sum. The matrix is symmetric, in the report's layer as well.",
                1.5,
                "no consequences; √N; what symmetry forbids, and the report's keys are no queries",
            ),
        ),
        scheme=(1, 2, 2, 3),
    ),
    3: Question(
        (
            ("linear-attention-formula", "linear-attention-text", "question-3-linear-cost"),
            ("section-2", "linear-attention-formula", "section-3", "tiled-attention-text"),
            ("linear-attention-text", "approximation", "approximation-after"),
        ),
        (
            Answer(
                "N²p twice against Np² twice, so from N = p on. 144 is 2.25 times 64: a factor of two "
                "in a small part. 512×512 in patches of 4 are 16,384 tokens: 256 times fewer. Q̂(K̂ᵀV). "
                "Softmax needs q·k before exp, row by row, so Q cannot be pulled out; in blocks one "
                "forgets each part again, which saves memory, but one computes them all. One p × p "
                "table has to serve all queries, whatever N is, so tokens blur.",
                4,
            ),
            Answer(
                "2N²p and 2Np²; cheaper beyond p tokens. Hardly worth it for 144 and 64; 1,024 pixels "
                "a side with patches of 16 give 4,096, 64 times. Products may be bracketed as one "
                "likes: first K̂ᵀV. exp(q·k) is no product of a term of q and a term of k; tiling makes "
                "the memory linear and leaves the time as it is. The weights "
                "rise only linearly with the features, so no key can win clearly.",
                4,
            ),
            Answer(
                "N²p against Np², cheaper for N > p. With 144 it saves half. Q̂(K̂ᵀV); standard "
                "attention cannot, because it is divided by √d; tiles make it linear. The price is "
                "accuracy.",
                2,
                "the large image; √d is not the reason, and tiles save no time; the price has none",
            ),
        ),
        scheme=(1, 1, 2, 3),
    ),
    4: Question(
        (
            ("section-4", "singular-values-text", "singular-values"),
            ("singular-values-text", "question-4-orthonormal"),
            ("section-4", "orthonormal-text"),
        ),
        (
            Answer(
                "WWᵀ = UΣ²Uᵀ, times W gives UΣ³Vᵀ, so each s becomes (1+β)s − βs³. Fixed: 0 and 1. "
                "A small s grows by 1+β, so 0 pushes away; near 1 the slope is 1 − 2β, so it pulls in. "
                "|1+β−βs²| > 1 needs s² > (2+β)/β = 201, s > 14.2. The line prints at most 2: no "
                "danger. Lengths and angles stay; with one matrix q·k is x·x. But no direction of x "
                "can be made to count more.",
                4,
            ),
            Answer(
                "U and V are orthogonal and cancel. s = 1 and s = 0; the figure shows all lines "
                "running to 1, away from 0, since s grows where 0 < s < 1 and shrinks above. Larger "
                "in size from √201 on; Glorot is far below. Nothing is stretched; the scores are the "
                "tokens' own dot products. The softmax can then not be sharpened by the projections.",
                4,
            ),
            Answer(
                "With the SVD, WWᵀW = UΣ³Vᵀ. 0 and 1 stay, 1 attracts. Beyond √((1+β)/β) = 10 it "
                "becomes negative, so from there on it grows. Keras starts below 2. Lengths are kept. "
                "The model has fewer free parameters.",
                2,
                "no reason why 1 attracts; at 10 the sign changes and the size does not grow yet; "
                "nothing on W_q = W_k; the weights are as many, and the price is another",
            ),
        ),
        scheme=(1, 1, 2, 3),
    ),
    5: Question(
        (("accuracies", "training", "section-7"), ("published",), ("cost", "section-6", "accuracies")),
        (
            Answer(
                "(with the student's numbers) linear scaling −1.9 ± 0.6 and the report's layer −6.0 ± "
                "0.7 differ; cosine scaling −0.5 ± 0.6 does not. One seed, so start and order are luck "
                "too. About softmax the rows say nothing: A and B are the same and 24 points apart, C "
                "lies between. Train both in one program, five seeds each, compare means with their "
                "error. Up to 1,000 tokens the best; beyond, tiles, whose memory grows like N; above "
                "10,000 linear attention, for time.",
                4,
            ),
            Answer(
                "(with the student's numbers) Only those more than twice the last column away from 0: "
                "two of nine. The augmentation is drawn anew, too. No conclusion, since an unknown "
                "difference between A and B is larger than that to C. First repeat A and B until they "
                "agree, then both attentions with equal everything and several seeds. My curves of "
                "time cross at 2,048; below I would take standard, in tiles if memory is short.",
                4,
            ),
            Answer(
                "(with the student's numbers) The best is Keras' layer, the worst the report's. One "
                "cannot say anything about softmax, as the versions differ. More seeds would help. "
                "For many tokens linear attention, it is faster and needs less memory than softmax.",
                1,
                "no standard errors, no chance; A against B; all else equal; softmax in tiles needs "
                "little memory too",
            ),
        ),
        scheme=(1, 2, 2, 3),
    ),
}
