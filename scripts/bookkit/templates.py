"""The skeletons of new pages: chapter-guide.md's anatomy, in the flavour of each part.

A skeleton is a list of (slot, Markdown). The slot names the cell; with the page it gives the cell's id.
"""

from __future__ import annotations

Skeleton = list[tuple[str, str]]

NOTICE = (
    "```{warning}\nThis page is a stub: it says what to write, not yet anything to learn. "
    "Delete this box when you fill the page in.\n```"
)


def _section(title: str, hint: str) -> str:
    return f"## {title}\n\n*{hint}*"


def _chapter(question: str, data: str, idea: str, experiment: str, limits: str, pretrained: str) -> Skeleton:
    return [
        ("question", _section("The question", question)),
        ("goals", "**You will learn** to …\n\n**You need** …\n\n**It runs in** … (see the table of times)."),
        ("data", _section("Look at the data first", data)),
        ("idea", _section("The idea", idea)),
        (
            "baselines",
            _section(
                "Honest baselines",
                "Chance or majority; each modality alone with the same head; the shuffled-modality control; parameter counts.",
            ),
        ),
        ("experiment", _section("The experiment", experiment)),
        ("limits", _section("Why it works, and when it doesn't", limits)),
        ("pretrained", _section("With a pretrained model", pretrained)),
        (
            "claims",
            _section("Claims", "Two to five sentences this page teaches, each as a `claim`; the unwelcome one too."),
        ),
        (
            "exercises",
            _section(
                "Exercises",
                "Three to five, from changing a dial to building it; each with a `solution` cell that asserts.",
            ),
        ),
        ("summary", _section("Summary", "What to remember, in three to five lines.")),
        ("reading", _section("Further reading", "Citations that stand in references.bib and were checked.")),
    ]


_DATA = "Samples of each modality, sizes, classes, split, source, licence; assert that nothing leaks."
_RUN = "At least five seeds, the same splits for every arm, paired differences with 95 % intervals, one figure."
_LIMITS = "A dial (noise, sample size, dimension), and at least one honest failure or 'no difference'."
_MODEL = "The real loading code of the famous model of this idea, if there is one."

SKELETONS: dict[str, Skeleton] = {
    "chapter": _chapter(
        "Two or three sentences that a newcomer understands, and a figure that makes them concrete.",
        _DATA,
        "Intuition; mathematics with every symbol defined and shaped; code that mirrors it line by line.",
        _RUN,
        _LIMITS,
        _MODEL,
    ),
    "foundations": _chapter(
        "What should a newcomer see differently after this page? One figure.",
        "Each modality from real data, with its shape from raw bytes to (batch, tokens, dim).",
        "The definition, in words, in symbols with shapes, and in the few lines of code that compute it.",
        _RUN,
        _LIMITS,
        _MODEL,
    ),
    "fusion": _chapter(
        "Which decision needs both modalities, and where do they meet? Draw it by code.",
        _DATA,
        "The operator: what goes in, what comes out, which interactions it can express; then its code.",
        "Against each modality alone and the operators taught before, at equal parameters and tuning. " + _RUN,
        "What the operator can't express, what it costs in parameters and time, a missing modality at test time.",
        _MODEL,
    ),
    "applications": _chapter(
        "Who needs this task solved, what goes in, what comes out, and what does a mistake cost?",
        _DATA,
        "The smallest model that solves the task: encode, fuse, predict; each step with its shapes.",
        "The metric the field uses, against the strongest simple baseline. " + _RUN,
        "Where it fails, shown on real examples; what would go wrong in use.",
        _MODEL,
    ),
    "challenges": _chapter(
        "What breaks? Show the failure first, in one figure.",
        _DATA + " State the dial that makes the problem worse.",
        "Why it breaks, in symbols; then each remedy and the code of it.",
        "The failure and every remedy over the whole dial, baselines tuned as hard as the remedies. " + _RUN,
        "What the remedies cost when nothing is broken, and where none helps.",
        _MODEL,
    ),
    "contrastive": _chapter(
        "What should lie close together, what far apart, and what can one do with such a space?",
        _DATA + " Say what counts as a false negative.",
        "The loss, term by term, with shapes; its value at initialisation, computed by hand and asserted.",
        "Retrieval recall@k both ways with chance beside it, on unseen concepts. " + _RUN,
        _LIMITS,
        _MODEL,
    ),
    "large-models": _chapter(
        "What did this model make possible, and which one idea carries it?",
        _DATA,
        "The idea alone, from scratch and small; which published numbers it explains (cited).",
        "The idea switched on and off, at equal parameters and steps. " + _RUN,
        "What the small version can't show, and what the authors report as limits.",
        "Load the real weights, check their SHA-256, reproduce one behaviour.",
    ),
    "practice": _chapter(
        "Which job does a practitioner have to get done, and how is 'done' measured?",
        _DATA,
        "The procedure, step by step, each step checked by code.",
        "Measure time, memory and accuracy before and after. " + _RUN,
        _LIMITS,
        _MODEL,
    ),
    "reference": [("content", "*What a reader comes here to look up.*")],
}


def template_for(docname: str, wanted: object = None) -> str:
    """The template's name: ``meta.template`` if given, else the innermost folder that has one.

    Raises:
        ValueError: there is no template of the wanted name.
    """
    if wanted is not None:
        if not isinstance(wanted, str) or wanted not in SKELETONS:
            raise ValueError(f"no template {wanted!r}; there are {', '.join(sorted(SKELETONS))}")
        return str(wanted)
    folders = docname.split("/")[:-1]
    return next((f for f in reversed(folders) if f in SKELETONS), "chapter")
