/* Marks of the scheme by click and key, over formgrader's own models: it saves them by its own API. */
(function () {
  "use strict";

  const KEPT = "attention-lab-marks/", SENTENCES = "attention-lab-sentences";
  const FIELDS = "input, textarea, select, [contenteditable], dialog *";
  const PRESSABLE = "button, a, summary";

  /* The marks of one question: which share of each, 0, ½ or 1, this student has. */
  class Question {
    constructor(element) {
      this.element = element;
      this.panel = element.querySelector(".marking");
      this.sum = this.panel.querySelector(".marking-sum");
      this.figures = element.querySelector(".marking-figures");
      this.rows = [...this.panel.querySelectorAll("[data-points]")];
      this.worth = this.rows.map((row) => Number(row.dataset.points));
      const name = this.panel.dataset.question;
      this.score = document.getElementById(name);
      this.words = document.getElementById(`${name}-comment`);
      this.grade = formgrader.grades.findWhere({ name });
      this.comment = formgrader.comments.findWhere({ name });
      this.rows.forEach((row, index) => this.listen(row, index));
      this.saved = Promise.resolve(); // all that was given so far; one request after the other
      this.waiting = 0;
      this.grade.on("sync", () => this.restore());
      this.restore();
    }

    listen(row, index) {
      const press = (share) => (event) => {
        this.give(index, share);
        if (event.detail) this.panel.focus({ preventScroll: true }); // by mouse: keys go on from here
      };
      row.querySelector(".marking-whole").addEventListener("click", press(1));
      row.querySelector(".marking-half").addEventListener("click", press(0.5));
    }

    /* Give a share of a mark; given already, take it back. */
    give(index, share) {
      if (index >= this.rows.length) return;
      this.shares[index] = this.shares[index] === share ? 0 : share;
      this.save();
    }

    giveAll(share) {
      this.shares.fill(share);
      this.save();
    }

    save() {
      const shares = [...this.shares], inWords = sentencesWanted();
      localStorage.setItem(KEPT + this.grade.id, JSON.stringify(shares));
      this.waiting += 1;
      this.show(this.points(shares), true);
      this.saved = this.saved.then(() => this.store(shares, inWords)).then(
        () => { this.failed = false; },
        () => { this.failed = true; }
      ).then(() => {
        this.waiting -= 1;
        this.restore();
      });
    }

    async store(shares, inWords) {
      const words = this.withSentences(shares, inWords);
      await this.grade.save({ manual_score: this.points(shares) });
      if (!this.comment || words === (this.comment.get("manual_comment") || "")) return;
      await this.comment.save({ manual_comment: words });
      autosize.update(this.words);
    }

    points(shares) {
      return Math.min(sumOf(this.worth, shares), this.grade.get("max_score"));
    }

    /* Return the comment with the sentences of the marks that are given, below the marker's words. */
    withSentences(shares, inWords) {
      const lines = this.lines();
      const known = this.rows.map((_, index) => [0.5, 1].map((share) => this.sentence(index, share)));
      const others = lines.filter((line) => !known.flat().includes(line));
      const added = this.rows.flatMap((_, index) => {
        const wanted = inWords || known[index].some((line) => lines.includes(line));
        return shares[index] && wanted ? [this.sentence(index, shares[index])] : [];
      });
      return [...others, ...added].join("\n").trim();
    }

    lines() {
      return (this.comment?.get("manual_comment") || "").split("\n");
    }

    sentence(index, share) {
      const worth = this.worth[index];
      return `- ${worth * share} of ${worth}: ${this.rows[index].dataset.sentence}`;
    }

    /* Show which marks make up the points: this browser knows, or the comment says so. */
    restore() {
      if (this.waiting) return;
      const score = this.grade.get("manual_score"), lines = this.lines();
      const none = this.rows.map(() => 0), all = this.rows.map(() => 1);
      const said = none.map((_, index) => [1, 0.5].find((share) => lines.includes(this.sentence(index, share))) || 0);
      const kept = JSON.parse(localStorage.getItem(KEPT + this.grade.id)) || [];
      const fitting = [kept, said, none, all].find(
        (shares) => shares.length === none.length && this.points(shares) === score
      );
      this.shares = [...(fitting || none)];
      this.show(score ?? this.grade.get("auto_score"), score === null || fitting);
    }

    show(given, byMarks) {
      this.rows.forEach((row, index) => {
        row.querySelector(".marking-whole").setAttribute("aria-pressed", this.shares[index] === 1);
        row.querySelector(".marking-half").setAttribute("aria-pressed", this.shares[index] === 0.5);
      });
      const points = `${given} of ${this.grade.get("max_score")} points`;
      const unmarked = this.grade.get("needs_manual_grade") && !this.waiting;
      this.sum.textContent = this.failed ? "not saved: is the server running?"
        : unmarked ? "not marked yet"
        : byMarks ? points : `${points}, typed: the next mark starts anew`;
      this.sum.classList.toggle("failed", Boolean(this.failed));
    }

    /* Take the keyboard: number keys are marks, not digits in the field for points. */
    select(scroll) {
      formgrader.last_selected = $(this.score);
      formgrader.setCurrentIndex();
      history.replaceState(history.state, "", formgrader.navigateTo(""));
      questions.forEach((other) => other.element.classList.toggle("current", other === this));
      this.showFigures();
      if (!scroll) return;
      $("body, html").stop(); // formgrader's own way there
      this.panel.focus({ preventScroll: true });
      this.element.scrollIntoView();
    }

    /* Show what ungraded cells above the question have put out, the nearest first. */
    showFigures() {
      if (this.figures.childElementCount) return;
      const above = [...document.querySelectorAll(".code_cell")].filter(
        (cell) =>
          cell.compareDocumentPosition(this.element) & Node.DOCUMENT_POSITION_FOLLOWING &&
          !cell.querySelector(".nbgrader_cell") &&
          cell.querySelector(".output_area")
      );
      this.figures.append(...above.reverse().map(figure));
    }
  }

  function sumOf(worth, shares) {
    return worth.reduce((sum, points, index) => sum + points * shares[index], 0);
  }

  function sentencesWanted() {
    return localStorage.getItem(SENTENCES) === "yes";
  }

  function wantSentences(wanted) {
    localStorage.setItem(SENTENCES, wanted ? "yes" : "no");
    document.querySelectorAll(".marking-sentences input").forEach((box) => (box.checked = wanted));
  }

  function figure(cell) {
    const made = document.createElement("figure"), caption = document.createElement("figcaption");
    const output = cell.querySelector(".output").cloneNode(true);
    output.querySelectorAll("[id]").forEach((element) => element.removeAttribute("id"));
    output.addEventListener("click", () => enlarge(output));
    caption.textContent = cell.id.replace("cell-id=", "");
    made.append(output, caption);
    return made;
  }

  function enlarge(output) {
    const dialog = document.querySelector(".marking-large");
    dialog.replaceChildren(output.cloneNode(true));
    dialog.onclick = () => dialog.close();
    dialog.showModal();
  }

  let questions = [];

  function current() {
    const element = formgrader.last_selected.closest(".marking-question")[0];
    return questions.find((question) => question.element === element);
  }

  /* Go to the next or previous question, from wherever the page is. */
  function step(direction) {
    const here = formgrader.last_selected[0];
    const wanted = direction > 0 ? Node.DOCUMENT_POSITION_FOLLOWING : Node.DOCUMENT_POSITION_PRECEDING;
    const ahead = questions.filter(
      (question) => question !== current() && here.compareDocumentPosition(question.element) & wanted
    );
    ahead.at(direction > 0 ? 0 : -1)?.select(true);
  }

  /* Go to the same question of another student, once everything is saved. */
  async function leave(way) {
    await Promise.all(questions.map((question) => question.saved));
    if (!questions.some((question) => question.failed)) formgrader[way]();
  }

  const always = {
    n: () => step(1),
    p: () => step(-1),
    s: () => wantSentences(!sentencesWanted()),
    Enter: () => leave("nextAssignment"),
    ArrowRight: () => leave("nextAssignment"),
    ArrowLeft: () => leave("prevAssignment"),
  };
  const ofQuestion = {
    a: (question) => question.giveAll(1),
    c: (question) => question.words?.focus(),
    0: (question) => question.giveAll(0),
  };

  function pressed(event) {
    const elsewhere = event.target.matches(FIELDS) || document.querySelector(".modal.in, dialog[open]");
    if (elsewhere || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Enter" && event.target.matches(PRESSABLE)) return;
    const question = current(), digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
    const act = digit && question
      ? () => question.give(Number(digit[1]) - 1, event.shiftKey ? 0.5 : 1)
      : always[event.key] || (question && ofQuestion[event.key]);
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act(question);
  }

  function start() {
    questions = [...document.querySelectorAll(".marking-question")].map((element) => new Question(element));
    if (!questions.length) return;
    questions.forEach((question) => {
      question.element.addEventListener("pointerdown", () => current() !== question && question.select(false));
      question.words?.addEventListener("keydown", (event) => event.key === "Escape" && question.panel.focus());
    });
    document.querySelectorAll(".marking-sentences input").forEach((box) => {
      box.addEventListener("change", () => wantSentences(box.checked));
    });
    wantSentences(sentencesWanted());
    document.querySelector(".marking-legend").hidden = false;
    document.addEventListener("keydown", pressed, true);
    MathJax.Hub.Startup.signal.Interest((message) => {
      if (message === "End") current()?.select(true); // formgrader has just gone into the field for points
    });
  }

  function loaded(collection) {
    return new Promise((done) => (collection.loaded ? done() : collection.once("sync", done)));
  }

  $(window).on("load", () => {
    Promise.all([loaded(formgrader.grades), loaded(formgrader.comments)]).then(start);
  });
})();
