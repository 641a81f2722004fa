"""The written questions of `small_datasets`."""

from tests.notebooks.questions import Answer, Question

QUESTIONS = {
    1: Question(
        (
            ("section-2", "token-fields"),
            ("section-2", "shifted-patch-tokenization-text"),
            ("section-2", "token-fields-text"),
        ),
        (
            Answer(
                "6 by 6; with SPT 12 by 12, three pixels further on each side. What the cut divides "
                "lies whole in the view of both patches. 2·540 + 540·64 + 64 = 35,704 against "
                "108·64 + 64 = 6,976. The rest costs the same: as many tokens, as wide. Same view of "
                "2P; but SPT has the middle twice, 5P² numbers for 4P² pixels.",
                4,
            ),
            Answer(
                "Side P = 6 becomes 2P = 12. A token at the border sees half of its neighbour, so an "
                "edge there is not lost. LayerNorm 1,080 and Dense 34,624; 6,976. Later layers see "
                "only N × 64, unchanged. Both give the same number of tokens; the overlapping one is a "
                "single convolution without five copies.",
                4,
            ),
            Answer(
                "12×12 in place of 6×6, so a border is less hard. 34,624 weights and 6,976; later "
                "layers cost the same, as N and d stay. Both see 2P; SPT is translation invariant.",
                2,
                "why a border matters less; the LayerNorm's 1,080; 'invariant' is not true",
            ),
        ),
        scheme=(1, 1, 2, 3),
    ),
    2: Question(
        (
            ("section-3", "question-02-temperature-and-mask"),
            ("question-02-temperature-and-mask", "section-3"),
            ("section-3",),
        ),
        (
            Answer(
                "τ → 0: one key takes everything; τ → ∞: all others alike. Neither is local: the one "
                "key may lie anywhere, as τ and mask know no places. Yes, W_q twice as large halves τ. "
                "7.37 to 8.63; with ln, 8·e^∓0.63, 4.3 to 15. x is added after attention, so the token "
                "keeps itself; without this it would consist of the others.",
                4,
            ),
            Answer(
                "Hard maximum and plain mean. Sharp counts how many are looked at, local asks where "
                "they are, and nothing in the formula asks where. The projections can be scaled, so it "
                "is only another way to the same scores. At most 0.63 up or down, or a factor of 1.9. "
                "The skip connection still has it; else its content is gone after a layer.",
                4,
            ),
            Answer(
                "τ → 0 gives the maximum, τ → ∞ the mean. Small τ is local, because few patches count. "
                "The projections could do it too; τ moves by 0.63. The residual connection keeps the "
                "own value, otherwise it is lost.",
                2.5,
                "few is not near; the range in the logarithm",
            ),
        ),
        scheme=(1, 1, 2, 3),
    ),
    3: Question(
        (
            ("make-optimizer-text", "question-03-published-schedule"),
            ("section-4", "question-03-published-schedule"),
            ("make-optimizer-text",),
        ),
        (
            Answer(
                "0.001 from the first step to the last. Both models had it, so they can be compared, "
                "but only for this rate. (8800−976)/(9765−976) = 0.89; 0.0005·(1+cos 0.89π) = "
                "0.0000294. Print optimizer.learning_rate after each step; a linter tells that the "
                "variable is never used.",
                4,
            ),
            Answer(
                "Constantly the base rate, 1e-3. Not worthless: the same mistake on both sides; with a "
                "schedule the gain may be another. 89 %, 2.9e-5. Give it a schedule of zeros and see "
                "whether weights move; assert isinstance of the optimiser's rate.",
                4,
            ),
            Answer(
                "Constantly 1e-3. The comparison is worthless, as the schedule was not used. 8800/9765 "
                "= 90 %, 2.4e-5. Plot the schedule; log the rate in each step.",
                2,
                "worthless, though equal for both; warm-up forgotten; the plot shows nothing here",
            ),
        ),
        scheme=(1, 1, 2, 3),
    ),
    4: Question(
        (
            ("results", "question-04-comparison"),
            ("training-text", "training", "published"),
            ("training-text", "results", "parameters"),
        ),
        (
            Answer(
                "(with the student's numbers) 0.57 and 0.58 points, 0.81 for the difference; mine is "
                "2.3, almost three of them: hardly the test images. Weights at the start: several "
                "seeds and their spread. The 10,000 images: other subsets. Equal are images, steps, "
                "schedule; not the seconds, see the table. With equal seconds plain could do one more "
                "epoch and catch up.",
                4,
            ),
            Answer(
                "(with the student's numbers) √(0.2·0.8/5000) = 0.0057 each, together 0.008; 1.1 "
                "points are less than two of these, so I conclude nothing. Order of batches, random "
                "augmentation: repeat with other seeds and report mean and deviation. Equal: epochs, "
                "batch size, augmentation; unequal: parameters. Until nothing improves any more: then "
                "a model that is merely quick loses its lead.",
                4,
            ),
            Answer(
                "(with the student's numbers) 0.57, 0.58 and 0.81, so both is better by 1.1 points. "
                "The seed and the order. All is equal, since the epochs are. One could take equal "
                "time.",
                1,
                "1.1 is below twice 0.81; no remedy; what is not equal; how equal time could matter",
            ),
        ),
        scheme=(1, 2, 3, 3),
    ),
    5: Question(
        (
            ("attention-distance", "attention-distance-text"),
            ("section-2", "section-3"),
            ("2103.14030", "2012.12877"),
        ),
        (
            Answer(
                "(with the student's numbers) Before: all at 16.7, the dashed line; after: block 1 "
                "from 14.9 to 16.5, block 3 still 16.5. Both starts 0.3 higher, which is the mask. "
                "SPT: the shift by P/2 brings in what is next door. LSA: permute tokens, and the "
                "output is permuted, so it knows no places; it only sharpens. Windows: attend only to "
                "the own 7×7 patches. Teacher: learn a CNN's answers too.",
                4,
            ),
            Answer(
                "(with the student's numbers) Hardly any change: 16.6 became 16.2 on average, one head "
                "13. Shifted patches, since pixels beside the patch are in its formula. Not LSA: "
                "softmax(QKᵀ/τ) contains only contents. It keeps a token from looking at itself. A "
                "bias that falls with the distance; random erasing, so that no one patch decides.",
                4,
            ),
            Answer(
                "Heads become local in the first block and global in the last. SPT has the "
                "neighbours in it; LSA masks what is far. Swin; more epochs.",
                1,
                "theory, not the own figure; LSA masks the token itself; no sentence on how, and more "
                "epochs do not lower the need for images",
            ),
        ),
        scheme=(1, 2, 2, 3),
    ),
}
