"""Recipes: training in phases with options of their own, each until a rule ends it, resumed in the right phase."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.console import interact
from core.records.file_value import describe, short
from core.records.yaml_file import read_yaml
from models.option_values import checked_options
from models.registry import option_table
from models.training.callbacks import Hook
from models.training.holdout import EXTRA_KEY as SCORES_KEY
from models.training.trainer import STOP

EXTRA_KEY = "recipe"
SECONDS_PER_HOUR = 3600.0
_RECIPE_KEYS = {"name", "model", "options", "phases"}
_RECIPE_FORM = "a recipe holds name, model, options and a list of phases"
_MOST_PHASES, _LONGEST_NAME = 1000, 200
LARGEST_RULE = 1e12
_PHASE_KEYS = {"name", "options", "until"}
_RULE_KEYS = {"iterations", "hours", "plateau"}
_PLATEAU_KEYS = {"saves", "improvement"}


@dataclass(frozen=True)
class Phase:
    """One phase of a recipe.

    Parameters
    ----------
    name : str
    options : dict
        Checked values; they are added to those of the phases before.
    iterations : int or None
        Ends after so many iterations of the phase.
    hours : float or None
        Ends after so many hours of training in the phase.
    plateau_saves : int or None
        Ends when the held-out score has not become better over so many saves.
    plateau_improvement : float
        Share by which the score must fall to count as better.
    """

    name: str
    options: dict = field(default_factory=dict)
    iterations: int | None = None
    hours: float | None = None
    plateau_saves: int | None = None
    plateau_improvement: float = 0.01


@dataclass(frozen=True)
class Recipe:
    """Model options for the first run, then phases; ``name`` tells recipes apart when a run is resumed."""

    name: str
    model_options: dict
    phases: tuple[Phase, ...]

    def options_up_to(self, index: int) -> dict:
        """What the model's part and the phases 0 … index set together."""
        options = dict(self.model_options)
        for phase in self.phases[: index + 1]:
            options.update(phase.options)
        return options


def read_recipe(class_name: str, path: Path) -> Recipe:
    """Read and check a recipe.

    Raises
    ------
    FormatError, UsageError
        When the file is no recipe or an option does not fit.
    """
    root = read_yaml(path, "recipe")
    content = root.mapping(expected=_RECIPE_FORM)
    phases = content.get("phases")
    if set(content) - _RECIPE_KEYS or phases is None or not isinstance(phases.data, list) or not phases.data:
        raise root.error(_RECIPE_FORM)
    if "model" in content and content["model"].data != class_name:
        raise content["model"].error(f"is a recipe for {short(content['model'].data)}, not for {class_name}")
    model_options = checked_options(class_name, content["options"]) if "options" in content else {}
    rows = phases.sequence()
    if len(rows) > _MOST_PHASES:
        raise phases.error(f"{len(rows)} phases; at most {_MOST_PHASES} are allowed")
    read = tuple(_phase(class_name, number, row.called(f"phase {number}")) for number, row in enumerate(rows, 1))
    return Recipe(_name(content, Path(path).stem), model_options, read)


def _phase(class_name, number, row):
    if not row.is_mapping() or set(row.data) - _PHASE_KEYS:
        raise row.error(f"phase {number} may hold {', '.join(sorted(_PHASE_KEYS))}")
    entry = row.mapping()
    options = checked_options(class_name, entry["options"]) if "options" in entry else {}
    for key in options:
        if option_table(class_name)[key].fixed:
            raise entry["options"].error(f"{key} is fixed; put it under the options of the recipe")
    return Phase(_name(entry, f"phase {number}"), options, **_rules(entry.get("until")))


def _rules(until):
    """Arguments of :class:`Phase` that say when it ends."""
    rules = _limited(until, "until", _RULE_KEYS)
    plateau = _limited(rules.get("plateau"), "plateau", _PLATEAU_KEYS)
    limits = {}
    if "iterations" in rules:
        limits["iterations"] = int(_positive(rules["iterations"], whole=True))
    if "hours" in rules:
        limits["hours"] = _positive(rules["hours"])
    if rules.get("plateau") is not None and rules["plateau"].data is not None:
        limits["plateau_saves"] = int(_positive(plateau["saves"], whole=True)) if "saves" in plateau else 5
        limits["plateau_improvement"] = _share(plateau["improvement"]) if "improvement" in plateau else 0.01
    return limits


def _limited(value, name, keys):
    """The mapping of a value, which may hold the keys only."""
    if value is None:
        return {}
    if value.data is not None and (not value.is_mapping() or set(value.data) - keys):
        raise value.error(f"{name} may hold {', '.join(sorted(keys))}")
    return value.mapping()


def _positive(value, whole=False):
    data = value.data
    is_number = isinstance(data, (int, float)) and not isinstance(data, bool)
    if not is_number or not 0 < data < LARGEST_RULE or whole and data != int(data):
        kind = "positive number without a fraction" if whole else "positive number"
        limit = f" below {LARGEST_RULE:g}" if is_number and data >= LARGEST_RULE else ""
        raise value.error(f"must be a {kind}{limit}, not {describe(data)}")
    return data


def _share(value):
    if _positive(value) >= 1:
        raise value.error("must be a share below 1, such as 0.01")
    return float(value.data)


def _name(entry, default):
    return entry["name"].text(_LONGEST_NAME) if "name" in entry and entry["name"].data is not None else default


def resume_phase(recipe: Recipe, state: dict | None) -> int:
    """The phase that a model was in, from what is stored with it; 0 for a new one or another recipe."""
    if not _belongs_to(recipe, state):
        return 0
    return max(0, min(int(_number(state, "phase", 0)), len(recipe.phases) - 1))


def _belongs_to(recipe, state):
    return isinstance(state, dict) and state.get("name") == recipe.name


def _number(state, key, otherwise):
    """A stored number, or another where there is none that can be used."""
    value = state.get(key)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return value if is_number else otherwise


def phase_is_over(phase: Phase, iterations: int, seconds: float, scores: list[float]) -> str | None:
    """Why a phase ends, or None.

    Parameters
    ----------
    phase : Phase
    iterations, seconds : number
        Trained in this phase.
    scores : list of float
        Held-out dissimilarity at each save of this phase; lower is better.
    """
    if phase.iterations is not None and iterations >= phase.iterations:
        return f"{phase.iterations} iterations"
    if phase.hours is not None and seconds >= phase.hours * SECONDS_PER_HOUR:
        return f"{phase.hours:g} hours"
    saves = phase.plateau_saves
    if saves is not None and len(scores) > saves:
        # A score that is not a number is no better than any.
        scores = [score if math.isfinite(score) else math.inf for score in scores]
        before, recent = min(scores[:-saves]), min(scores[-saves:])
        if recent > before * (1.0 - phase.plateau_improvement) or recent == math.inf:
            return f"no better held-out score in {saves} saves"
    return None


class RecipeRunner(Hook):
    """Hook of the trainer: watches the rules and changes the options when a phase is over.

    What phase the model is in is stored with it (``data.extra["recipe"]``), so that a later run goes on there.

    Parameters
    ----------
    recipe : Recipe
    trainer : models.training.trainer.Trainer
    change : callable
        Takes ``(trainer, options)`` and puts changed options into force; False when it could not save before.
    """

    def __init__(self, recipe: Recipe, trainer: Any, change: Callable):
        self._recipe, self._change = recipe, change
        data = trainer.saved.data
        state = data.extra.get(EXTRA_KEY)
        self._phase = resume_phase(recipe, state)
        if not _belongs_to(recipe, state):
            state = {}
        self._state: dict[str, Any] = {
            "name": recipe.name,
            "phase": self._phase,
            "started_at": int(_number(state, "started_at", data.iteration)),
            "seconds": float(_number(state, "seconds", 0.0)),
        }
        self._score_count = int(_number(state, "scores_before", len(data.extra.get(SCORES_KEY, ()))))
        self._clock = time.monotonic()
        self._store(data)
        interact.info(f"Recipe {recipe.name}, phase {self._phase + 1} of {len(recipe.phases)}: {self._current.name}")

    @property
    def _current(self) -> Phase:
        return self._recipe.phases[self._phase]

    def after_iteration(self, trainer: Any, losses: Sequence[float], seconds: float) -> None:
        now = time.monotonic()
        self._state["seconds"] += now - self._clock
        self._clock = now
        data = trainer.saved.data
        trained = data.iteration - self._state["started_at"]
        reason = phase_is_over(self._current, trained, self._state["seconds"], self._scores(data))
        if reason is None or (trainer.watch.is_failing and self._phase + 1 < len(self._recipe.phases)):
            self._store(data)
            return
        interact.info(f"\nPhase {self._current.name} ends: {reason}.")
        if self._phase + 1 == len(self._recipe.phases):
            interact.info("The recipe is finished.")
            trainer.send(STOP)
            return
        before = self._phase, self._score_count, dict(self._state)
        self._phase += 1
        self._score_count = len(data.extra.get(SCORES_KEY, ()))
        self._state.update(phase=self._phase, started_at=data.iteration, seconds=0.0)
        self._store(data)
        interact.info(f"Phase {self._phase + 1} of {len(self._recipe.phases)}: {self._current.name}")
        if self._change(trainer, self._current.options) is False:
            self._phase, self._score_count, self._state = before
            self._store(data)
            interact.warning(f"The phase {self._current.name} goes on until saving works again.")
            return
        self._state["started_at"] = data.iteration
        self._store(data)
        self._clock = time.monotonic()

    def _scores(self, data):
        rows = data.extra.get(SCORES_KEY, ())[self._score_count :]
        return [float(np.mean(row[1:3])) for row in rows]

    def _store(self, data):
        data.extra[EXTRA_KEY] = {**self._state, "scores_before": self._score_count}
