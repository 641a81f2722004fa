"""The written questions of `inductive_bias`."""

from tests.notebooks.questions import Answer, Question

QUESTIONS = {
    1: Question(
        (
            ("section-2", "build-vit-text"),
            ("position-embedding-2d-text", "relative-position-bias-text", "section-2"),
            ("section-2", "relative-position-bias-text", "build-vit-text"),
        ),
        (
            Answer(
                "The Dense layer behind Flatten has its own weights for each place, so it can learn "
                "'sky above'. The blocks see a bag of patches: no head can look to the left. 1-D and "
                "2-D no, the added vectors are others after the move; relative yes, since the offsets "
                "are the same. Relative: keep the table and interpolate offsets that are new.",
                4,
            ),
            Answer(
                "The head reads place by place, attention does not know places. Relative scores "
                "stay, 1-D scores do not; 2-D not either, although the row's half stays. 2-D: two "
                "short tables that can be stretched by interpolation, and an unknown row still "
                "shares its column.",
                4,
            ),
            Answer(
                "Nothing, as without positions it is a set. 1-D no, 2-D yes as only the column "
                "changes, relative yes. Relative, because offsets do not depend on the image's size.",
                2,
                "Flatten is overlooked; with 2-D the column's half does change the scores; nothing on "
                "the tables",
            ),
        ),
    ),
    2: Question(
        (
            ("title", "section-3", "resnet-classifier-text"),
            ("title", "patch-tokens", "build-vit"),
            ("title", "question-02-two-biases"),
        ),
        (
            Answer(
                "Neighbours belong together: 3×3 filters. The same everywhere: one filter for all "
                "places. The ViT cuts squares of neighbouring pixels and projects all alike. In a "
                "chest X-ray left and right mean different things, so sharing over places is wrong.",
                4,
            ),
            Answer(
                "It does not matter where the object is: averaging over height and width. Small "
                "things make up large ones: strides. In the ViT each patch goes through one "
                "projection. On a chessboard a queen's place is all that matters; the average would "
                "drop it.",
                4,
            ),
            Answer(
                "Locality by the filters, and residual connections. The ViT assumes nothing. Too much "
                "bias hurts with much data.",
                1,
                "residual connections are no assumption about images; patches; no example",
            ),
        ),
    ),
    3: Question(
        (
            ("attempts", "measured-attempts"),
            ("attempts", "measured-attempts", "attempts-text"),
            ("section-4", "mechanism", "signal"),
        ),
        (
            Answer(
                "(with the student's numbers) Dead: ×5 and ×20, spread 0.0000, one class. Dropout 0.5: "
                "0.011 and 6 classes, so not dead. Shuffled 0.002, 4 classes: ln K, but alive. Pixels, "
                "SGD: slow. from_logits forgotten: 41, far off. ×5 and shuffled have one curve; the "
                "spread tells, or learning one batch by heart. One ranking for all images; I would "
                "look at the classes predicted, then lower the rate, as 18,432 inputs each move by "
                "it. It may be that, but the dropout is unknown and another run learned at this rate.",
                4,
            ),
            Answer(
                "(with the student's numbers) Same answer: high rates and the report's settings here. "
                "Not the same answer: the rest, of which shuffled is at 4.6 as well. Softmax twice "
                "also stays near 4.6 in its panel; its own loss in the table is 60. Exactly 1 and 5 % "
                "is what a fixed order of classes hits. First the spread by layer; then warm-up, "
                "since Adam's first steps are as large as the rate. Not proven: a small model shows "
                "that it can happen, not that it did.",
                4,
            ),
            Answer(
                "(with the student's numbers) Failed are all with a loss near 4.6. Shuffled labels and "
                "×5 look alike in the panel; the spread differs. It guesses. I would lower the "
                "learning rate, which was too high.",
                1,
                "no sorting by signature; guessing at random would not be so exact, and the change "
                "has no reason; nothing is left open",
            ),
        ),
        scheme=(1, 2, 3, 3),
    ),
    4: Question(
        (
            ("sample-efficiency", "question-04-sample-efficiency", "title"),
            ("sample-text", "sample-efficiency"),
            ("augmentation-off", "augmentation-off-text"),
        ),
        (
            Answer(
                "(with the student's numbers) 200 images: 4.1 and 4.6 %, 0.5 points, 1.1 times, error "
                "0.3; 20,000: 17 and 24 %, 7 points, 1.4 times. With so few nobody can learn the "
                "classes; later the filters save steps that the ViT spends on neighbourhoods. Equal "
                "epochs: 200 images would give 8 steps, so that shows more work, ours more images. "
                "Without augmentation training 98, test 7; with it 60 and 9: two points, both models.",
                4,
            ),
            Answer(
                "(with the student's numbers) The ratio falls from 1.6 to 1.2, the difference grows "
                "from 2 to 4 points, both beyond twice the error: so what is built in counts most, "
                "relatively, where images are few. Equal steps compare images at the same work; equal "
                "epochs would mix both. ViT: 99 against 71 on training images, 6.0 and 7.2 on test; "
                "ResNet: 100 and 88, 9.1 and 10.4.",
                4,
            ),
            Answer(
                "(with the student's numbers) The ResNet is better everywhere, most with few images, "
                "since it has inductive bias. With equal epochs it would take longer. Augmentation "
                "made both better by 1 point on test images.",
                0.5,
                "no difference, ratio or error; what the two ask; the training accuracy",
            ),
        ),
        scheme=(1, 1, 2, 3),
    ),
    5: Question(
        (
            ("all-results", "results", "section-4"),
            ("counts-text", "counts", "results"),
            ("results", "sample-text", "positions-text"),
        ),
        (
            Answer(
                "(with the student's numbers) My ViT has 24 % after 6 epochs, so a ViT learns without "
                "that bias; and Gosthipaty's reaches 53 % in 50 epochs, above the ResNet. No: most of "
                "its weights are in the head and are used once. Equal operations: the cheaper may be "
                "larger. Equal tuning: each gets its best rate. Take a working ViT, give it shifted "
                "patches, then relative positions, nothing else; at 1, 10 and 100 % of the images.",
                4,
            ),
            Answer(
                "(with the student's numbers) 'Learning rate ×5' gives exactly the same 1 %, with the "
                "same model that else learns. Published: 53.1 % for the same family. Parameters say "
                "little on work. Equal time: more epochs for one. Equal augmentation: the report's "
                "ResNet had another. Add a convolutional stem only, five seeds with and without, and "
                "the ResNet as reference; the part of the gap that closes is the cost.",
                4,
            ),
            Answer(
                "(with the student's numbers) My ViT reached 24 %. It was trained for too short. Equal "
                "parameters are fair. Time and epochs could be equal as well. Train both on all of "
                "CIFAR-100 with many seeds and compare.",
                1.5,
                "no published figure; no reason why parameters do not settle it; nothing is changed "
                "one at a time",
            ),
        ),
        scheme=(1, 2, 3),
    ),
}
