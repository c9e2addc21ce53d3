"""Entries that nodes of several kinds of results share: attributes, coordinates and variables."""

import dataclasses

from .schema import FORMAT, Entry

HEAD = (
    Entry("format", "text", f"`{FORMAT}`"),
    Entry("verb", "text", "which verb made it"),
    Entry("thalweg", "text", "version of thalweg", False),
    Entry("jax", "text", "version of jax", False),
    Entry("precision", "text", "type of the numbers computed with", False),
    Entry("command", "text", "the command that made it, where it was one", False),
    Entry("preset", "text", "the preset that the command named", False),
    Entry("data_file", "text", "the table that the command named", False),
    Entry("target", "text", "the column that the command named", False),
)
PROBLEM = (
    Entry("problem", "module", "class and fields of the problem"),
    Entry("remarks", "texts", "sentences that belong beside the result", False),
)
GIVEN = (Entry("given", "texts", 'what the user gave: "data", "start"', False),)
SEEDS = (Entry("seeds", "seeds", "the seeds that were trained"),)
THEORY = (
    Entry("theory", "text", "class of the theory"),
    Entry("theory_json", "module", "class and fields of the theory"),
    Entry("strains", "strains", "how hard the problem presses on each assumption", False),
    Entry("source", "texts", "sources of the theory: a key of references.bib and a place", False),
)
VERDICT = (
    Entry("verdict", "text", "the verdict in a word"),
    Entry("sentence", "text", "the verdict with both of its numbers"),
    Entry("agreement", "number", "worst gap, as a share of its scale"),
    Entry("sensitivity", "number", "worst allowance and error, as a share of its scale"),
)
TIME = (
    Entry("time", "float or whole", "the rule's clock", True, ("time",)),
    Entry("flow_time", "float", "sum of learning rates; NaN where it has no meaning", False, ("time",)),
)
# points of a sweep over rules have a flow time each
SWEPT_TIME = (TIME[0], dataclasses.replace(TIME[1], dims=None))
SEED = (Entry("seed", "whole", "seed of each run", True, ("seed",)),)
SEED_IF = (Entry("seed", "whole", "seed of each run, where the theory speaks of single runs", False, ("seed",)),)
OUTCOME = (Entry("outcome", "text", "how each run ended, in a sentence", False, ("seed",)),)
EACH_OUTCOME = (dataclasses.replace(OUTCOME[0], needed=True),)
OPTIONAL_SEEDS = (dataclasses.replace(SEEDS[0], needed=False),)
OPTIONAL_THEORY = tuple(dataclasses.replace(one, needed=False) for one in THEORY)
BUDGET = (
    *(Entry(n, "text", w, True, ("functional",)) for n, w in (
        ("variable", "the curve or event"), ("measure", "what is read from it"), ("claim", "how it is meant"),
    )),
    *(Entry(n, "float", w, True, ("functional",)) for n, w in (
        ("predicted", "by the theory"), ("measured", "in training"), ("gap", "their difference"),
        ("finite_size", "what the limit leaves out"), ("tolerance", "what the integrators leave open"),
        ("margin", "granted beforehand"), ("error", "what chance leaves open"), ("allowance", "sum of the three"),
        ("scale", "what percentages refer to"),
    )),
    *(Entry(n, "whole", w, True, ("functional",)) for n, w in (
        ("agrees", "1 where the gap lies within allowance and error"), ("resolved", "1 where seen as sharply as asked"),
    )),
)  # fmt: skip
STUDY = (
    Entry("rule", "module", "class and fields of the rule"),
    Entry("title", "text", "a line about the network"),
    Entry("order", "text", "order of the minibatches"),
    *(Entry(n, "number", w) for n, w in (("cost", "gradients of a minibatch"), ("steps", "of a short run"),
                                         ("then", "steps of the second part"))),
)  # fmt: skip
