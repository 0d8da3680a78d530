"""Names: a way from one word to another through a code, and a model that does without its code."""

from __future__ import annotations

import streamlit as st

from ui import controls, frame
from ui.figures import PLOT
from ui.figures.names import kl_history, name_plane
from ui.lessons import names as lesson
from ui.lessons.names import CURES, OFFERED, PLAIN, READ_BY, START
from ui.small_table import small_table
from ui.text import plain
from ui.word_ladder import Column, word_ladder, word_rows
from vae_core.data.names import LONGEST, is_held_out, read_word
from vae_core.errors import InvalidInput
from vae_core.latent.spelling import beam, greedy
from vae_core.models import NameVAE

FIRST, LAST = "emma", "oliver"
MOST_TYPED, MOST_SEEDS = 60, 1_000_000
TEMPERATURES = ("0.3", "0.5", "0.7", "1", "1.3")
TERMS = {"KL": "kl", "reconstruction": "recon"}
LINES = 40  # refused lines of a list that are told


def typed(label: str, start: str, key: str) -> str:
    """A name from a field, kept in the link; where it is none, a sentence, and the name that stands in for it."""
    given = st.text_input(label, start, key=key, max_chars=MOST_TYPED, bind="query-params") or ""
    try:
        return read_word(given)
    except InvalidInput as error:
        st.session_state.setdefault("complaints", []).append(f"{plain(str(error))} Shown meanwhile: {start}.")
        return start


def model_words(title: str) -> str:
    """What a column says of its model."""
    return f"KL {lesson.scores(OFFERED[title], 'kl')['kl']:.2f} nats per name"


@frame.part
def explore() -> None:
    """Two typed names, the words between them by two models, and their way through the codes of known names."""
    st.session_state["complaints"] = []
    with st.container(key="controls"):
        left, middle, right = st.columns([5, 5, 16], vertical_alignment="top")
        with left:
            a = typed("From", FIRST, "from")
        with middle:
            b = typed("To", LAST, "to")
        with right:
            cure = controls.choose("Beside the plain VAE, one trained with", CURES, key="model", default=START)
    for complaint in st.session_state["complaints"]:
        st.warning(complaint)
    words, map_of_names = st.columns([6, 7], gap="medium")
    with words, st.container(key="figure"):
        place = st.container()
        read_by = controls.choose("A code is read by", READ_BY, key="read")
    ladders = {title: lesson.ladder(title, a, b, read_by) for title in (PLAIN, cure)}
    with place:
        places = [f"{step}/{lesson.RUNGS - 1}" for step in range(lesson.RUNGS)]
        places[0], places[-1] = "from", "to"
        word_ladder(places, [column(title, ladders[title]) for title in (PLAIN, cure)])
    with map_of_names, st.container(key="beside"):
        known, way = lesson.plane(cure), ladders[cure]
        figure = name_plane(
            known.points, lesson.KNOWN, known.place(way.codes), way.words, (a, b), lesson.COLOURS[cure], known.shares
        )
        st.plotly_chart(figure, config=PLOT, key="plane")
    measured = lesson.results()
    seen = " and ".join(f"{word}: {'held-out' if is_held_out(word) else 'not held-out'}" for word in (a, b))
    st.caption(
        f"VAEs with {lesson.model(cure).config.latent} latents, trained on {measured['training']:,} given names "
        f"(plain: {lesson.trained(PLAIN)}; {cure}: {lesson.trained(cure)}); {measured['held_out']:,} others are "
        f"held-out, chosen by a hash of the letters ({seen}). Codes are posterior means, "
        f"{lesson.RUNGS} in equal steps. Percentages: p(word | code). The plane: {len(lesson.KNOWN)} names that we "
        f"wrote down, {measured['known_in_training']} of them trained on."
    )
    st.divider()
    make_up(a, cure)


def column(title: str, found: lesson.Ladder) -> Column:
    """One model's rungs."""
    told = [f"{chance:.0%}" if chance >= 0.01 else "< 1%" for chance in found.chances]
    rungs = list(zip(found.words, told, strict=True))
    return Column(f"VAE, {title}", model_words(title), rungs, lesson.COLOURS[title])


def make_up(word: str, cure: str) -> None:
    """Draws around one code, and from the prior."""
    st.subheader("The plain model makes up good names. What is its code for, then?", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        temperature = float(
            controls.choose(
                "Temperature of the letters", TEMPERATURES, key="temperature", default="0.7", style="slider"
            )
        )
        seed = controls.index_from_link("seed", MOST_SEEDS, 0, "draw")
        controls.another("Other draws", "seed", seed, MOST_SEEDS)
    rows = []
    for title in (PLAIN, cure):
        rows.append((f"{title}", "a new code for each, from the prior", lesson.from_prior(title, temperature, seed)))
        told = f"all from the code of {word}"
        rows.append((f"{title}", told, lesson.from_one_code(title, word, temperature, seed)))
    word_rows(rows, strong=word)
    measured = lesson.results()
    shares = "; ".join(
        f"{title}: {measured['models'][OFFERED[title]]['in_training']:.0%} stand in the training list, "
        f"{measured['models'][OFFERED[title]]['in_held_out']:.1%} among the held-out names, the others in neither"
        for title in (PLAIN, cure)
    )
    st.caption(
        f"Letters drawn one by one, their log-probabilities divided by the temperature. Of {measured['samples']:,} "
        f"names made up at temperature 1, {shares}."
    )


@frame.part
def collapse() -> None:
    """The KL over the training, and what each cure gains and costs."""
    st.subheader("Where did the code go? The KL over the training", anchor=False)
    measured = lesson.results()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        term = controls.choose("Held-out, after each epoch", list(TERMS), key="term")
    unit = {"KL": "KL to the prior, nats per name", "reconstruction": "reconstruction, nats per name"}[term]
    figure = kl_history(lesson.curves(TERMS[term]), list(lesson.COLOURS.values()), START, unit)
    st.plotly_chart(figure, config=PLOT, key="curves")
    small_table(list(OFFERED), lesson.compared())
    st.caption(
        f"Nats per name over all {measured['held_out']:,} held-out names, one draw of the code each; the likelihood of "
        f"letters and end is exact. \u2212bound: the tighter bound of importance weighting, {measured['draws']} draws, "
        f"over {measured['bounded']:,} of them alone, so compare it down its column. Active: latents whose mean has a "
        "variance above 0.01 over the names; some stir a little even where the KL is next to nothing. Come back: "
        "held-out names that are spelled exactly from the mean of their posterior. Listed: names made up at "
        "temperature 1 that were trained on; new: neither trained on nor held out. One training each, one seed."
    )
    st.latex(
        r"\mathrm{ELBO} = \mathbb{E}_{q(z \mid x)}\Big[\sum_{t=1}^{T} \log p(x_t \mid x_1, \dots, x_{t-1}, z)\Big]"
        r" - {\sum_{j=1}^{Z} \mathrm{KL}_j},\quad\allowbreak "
        r"{\mathcal{L} = \text{reconstruction}}\allowbreak {{} + w(s) \sum_{j} \max(\lambda, \mathrm{KL}_j)}"
    )
    st.caption(
        r"$x_t$: letter $t$ of the name, the last one its end. $z$: the code. $\mathrm{KL}_j$: what latent $j$ costs, "
        r"the mean over a batch. $\mathcal{L}$: what is minimised. $w(s)$: the weight at step $s$; annealing lets it "
        r"rise from 0 to 1. $\lambda$: free bits, nats that a latent may use for nothing."
    )


@frame.part
def own_words() -> None:
    """A list of somebody's own, by way of the code."""
    st.subheader("Your own words", anchor=False)
    file = st.file_uploader(
        f"A text file, a word on each line: 1 to {LONGEST} letters from a to z", key="file", max_upload_size=1
    )
    if file is None:
        st.info("What you upload stays in memory, and nothing is trained on it. Words of any language will do: how "
                "many nats does one cost that is no name?")  # fmt: skip
        return
    try:
        found = lesson.own_list(file.getvalue())
    except InvalidInput as error:  # it quotes the file
        st.error(plain(str(error)))
        return
    title = controls.choose("Read and written by the VAE trained with", list(OFFERED), key="own", default=START)
    rows = lesson.looked_at(title, tuple(found.words))
    same = sum(row["word"] == row["comes back as"] for row in rows)
    mean = sum(row["-ELBO, nats"] for row in rows) / len(rows)
    st.markdown(
        f"**{same:,} of {len(rows):,}** words come back letter for letter; a word costs **{mean:.1f} nats** on "
        f"average, a held-out name {-lesson.scores(OFFERED[title], 'elbo')['elbo']:.1f}."
    )
    st.dataframe(rows, hide_index=True, height=320,
                 column_config={"-ELBO, nats": st.column_config.NumberColumn(format="%.1f")})  # fmt: skip
    told = f"{plain(file.name)}: {len(rows):,} different words"
    told += f", {lines(found.repeated)} repeated, left out" if found.repeated else ""
    told += f", {lines(len(found.refused))} of no use" if found.refused else ""
    st.caption(f"{told}. A model trained on given names; one draw of the code for each word.")
    if found.refused:
        with st.expander("The lines that cannot be used"):
            st.markdown("\n".join(f"- {plain(each)}" for each in found.refused[:LINES]))
            if len(found.refused) > LINES:
                st.caption(f"The first {LINES} of {len(found.refused):,}.")


def lines(count: int) -> str:
    return f"{count:,} {'line' if count == 1 else 'lines'}"


SEEN = """
- **A decoder that sees its own letters can do without a code.** Each letter follows from those before it well enough,
  so the plain VAE pays no KL, and its posterior is the prior for every name: posterior collapse. Whatever the code, it
  says the same name.
- **Its loss does not show it.** Its -ELBO is the lowest here, and its made-up names are as good as any. The KL
  shows it, and the ladder does.
- **Annealing** lets the code cost nothing at first. **Free bits** let each latent use some nats for nothing to the end.
  **Word dropout** hides letters from the decoder, so that it must ask the code. The curves show which of them last.
- **A code costs.** The cured models spell names back and have words in between, and their -ELBO is worse: nats were
  forced into the code that a free choice would not have put there. How much of that is the ELBO's own slack, the column
  of the tighter bound shows.
- **In between lie words**, most of them made up: neighbours of both names, not mixtures of their letters.
"""
LECTURE = """
**7.11 Limitations and Challenges**, posterior collapse: the model may ignore its latent variables. Its list of future
directions ends with variants for one kind of data, text among them; for these see also **7.10 Variants**.

Bowman, Vilnis, Vinyals, Dai, Jozefowicz and Bengio (2016), *Generating sentences from a continuous space*: annealing
and word dropout. Kingma, Salimans, Jozefowicz, Chen, Sutskever and Welling (2016), *Improved variational inference
with inverse autoregressive flow*: free bits.
"""

frame.opening(
    "What lies between two names?",
    "Type two names and read down: each row is a code between theirs, spelled by two models. One ignores its code.",
)
explore()
st.divider()
collapse()
st.divider()
own_words()
frame.closing(SEEN, [NameVAE, greedy, beam], LECTURE)
