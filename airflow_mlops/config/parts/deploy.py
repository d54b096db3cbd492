"""How a challenger becomes the champion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, GetJsonSchemaHandler, field_validator, model_validator
from pydantic_core import CoreSchema

from airflow_mlops.config.parts.asking import Approval
from airflow_mlops.config.parts.base import ExactPeriodText, Mistakes, Part, PeriodText, Share
from airflow_mlops.config.parts.deploy_analysis import Analysis
from airflow_mlops.config.parts.deploy_target_sagemaker import SageMakerTargetConfig
from airflow_mlops.config.parts.deploy_targets import EmbeddedTargetConfig, Target
from airflow_mlops.config.parts.target_modes import TargetMode
from airflow_mlops.core.waiting import OnInconclusive
from airflow_mlops.core.windows import Period

_SHORTEST_MONTH_SECONDS = 28 * 86_400

Strategy = Literal["shadow", "canary", "blue_green", "ab", "direct"]

_WEIGHTS: dict[Strategy, tuple[float, ...]] = {
    "shadow": (),
    "canary": (0.1, 0.5),
    "blue_green": (1.0,),
    "ab": (0.5,),
    "direct": (),
}


class Shadow(Part):
    """The challenger answers copies of the requests; nobody sees its answers."""

    enabled: bool = Field(True, description="Whether the rollout begins with it; a direct one never does.")
    minimum_requests: int = Field(200, ge=1, description="Rows to see before a verdict.")
    minimum_duration: ExactPeriodText | None = Field(
        None,
        description="No verdict sooner, however many rows were seen; only proven errors end it at once.",
    )
    max_disagreement: Share = Field(
        0.5,
        description="Share of rows on which champion and challenger may differ. More is a verdict once it is "
        "proven.",
    )


class Deploy(Part):
    """How a challenger becomes the champion. Presets of the level fill in what is left out."""

    target: Target = Field(default_factory=lambda: EmbeddedTargetConfig(type="embedded"))
    strategy: Strategy = Field(
        "canary",
        description="Whom the challenger answers before it is promoted: shadow, nobody; canary, a growing "
        "share of the rows; blue_green, everybody, while the champion is held ready for the way back; ab, a "
        "share that stays with it, and a report at the end; direct, nobody, and no verdict either.",
    )
    automatic: bool | None = Field(
        None, description="Start when a challenger is registered (levels 2 and 3), or by hand (1)."
    )
    approval: Approval | None = Field(
        None,
        description="A person must approve in Airflow before traffic moves (level 1): true, false, or who is "
        "asked and how.",
    )
    approval_timeout: PeriodText = Field(
        "7 days",
        description="No answer for so long is a rejection; approval.timeout goes before it.",
    )
    shadow: Shadow = Field(default_factory=Shadow)
    steps: tuple[Annotated[float, Field(gt=0, lt=1)], ...] | None = Field(
        None,
        min_length=1,
        strict=False,
        description="Shares of the rows, rising: by default 0.1 and 0.5 of a canary, and 0.5 of an ab.",
    )
    analysis: Analysis = Field(default_factory=Analysis)
    poll_interval_seconds: float = Field(
        10.0, gt=0, description="How often a stage of the rollout is looked at."
    )
    deadline: PeriodText = Field("1 day", description="How long shadow and each step may take.")
    on_inconclusive: OnInconclusive = Field(
        "roll_back",
        description="A stage without a verdict by its deadline: roll back, hold (go on waiting with the "
        "traffic as it is, and tell alerts.on_failure once), or go on unless harm is proven.",
    )

    @model_validator(mode="before")
    @classmethod
    def _no_canary_without_requests(cls, value: Any) -> Any:
        """A batch model answers no requests that could be split: its rollout is the shadow alone."""
        if isinstance(value, dict) and "strategy" not in value:
            target = value.get("target")
            kind = target.get("type") if isinstance(target, dict) else getattr(target, "type", None)
            if kind == "batch":
                return {**value, "strategy": "shadow"}
        return value

    @field_validator("steps")
    @classmethod
    def _rising(cls, steps: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if steps is None:
            return None
        if list(steps) != sorted(set(steps)):
            raise ValueError("steps must rise, as in [0.1, 0.5]")
        if len({f"{100 * step:g}" for step in steps}) < len(steps):
            raise ValueError("two steps are as good as equal, and would be one task")
        return steps

    @model_validator(mode="after")
    def _strategy_fits(self) -> Self:
        found = [*_strategy_problems(self), *_too_late(self)]
        if found:
            raise Mistakes(*found)
        return self

    @property
    def weights(self) -> tuple[float, ...]:
        """The challenger's share of the rows at each step, 0 to 1; none for shadow and direct."""
        return self.steps or _WEIGHTS[self.strategy]

    @property
    def shadows(self) -> bool:
        """Whether the rollout has a shadow stage."""
        return self.strategy != "direct" and self.shadow.enabled

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """As the file may spell it: ``approval`` may be a bare true or false."""
        schema = handler.resolve_ref_schema(handler(core))
        schema["properties"]["approval"]["anyOf"].insert(0, {"type": "boolean"})
        return schema


_Problem = tuple[tuple[str | int, ...], str]


def _strategy_problems(deploy: Deploy) -> Iterator[_Problem]:
    strategy, steps = deploy.strategy, deploy.steps
    if steps is not None and strategy not in ("canary", "ab"):
        yield ("steps",), f"strategy {strategy} has no steps; leave them out, or set strategy: canary"
    if steps is not None and strategy == "ab" and len(steps) != 1:
        yield ("steps",), "strategy ab has one step, the challenger's share for as long as it lasts: [0.5]"
    if strategy == "shadow" and not deploy.shadow.enabled:
        yield ("shadow", "enabled"), "strategy shadow is nothing without its shadow; or set strategy: direct"
    if strategy == "ab":
        yield from _ab_problems(deploy)
    needed: set[TargetMode] = set()
    if deploy.shadows:
        needed.add("shadow")
    if deploy.weights:
        needed.add("blue_green" if strategy == "blue_green" else "canary")
    modes = deploy.target.modes
    if "canary" in modes:
        modes |= {"blue_green"}
    for mode in sorted(needed - modes):
        yield _cannot(deploy, mode, modes)


def _cannot(deploy: Deploy, mode: TargetMode, modes: frozenset[TargetMode]) -> _Problem:
    if isinstance(deploy.target, SageMakerTargetConfig) and deploy.target.guardrails is not None:
        way_out = "set shadow: {enabled: false}" if mode == "shadow" else "set strategy: blue_green or direct"
        return (
            ("target", "guardrails"),
            f"with guardrails SageMaker moves the traffic itself, and there is no {mode}; {way_out}, or "
            "leave guardrails out",
        )
    others = "shadow, blue_green or direct" if "blue_green" in modes else "shadow or direct"
    way_out = "set shadow: {enabled: false}" if mode == "shadow" else f"set strategy: {others}"
    return ("target", "type"), f"a target of type {deploy.target.type} has no {mode}; {way_out}"


def _ab_problems(deploy: Deploy) -> Iterator[_Problem]:
    analysis = deploy.analysis
    if analysis.minimum_duration is None:
        yield (
            ("strategy",),
            "strategy ab lasts for analysis.minimum_duration, which must be given (14 days, say), and "
            "deadline must be longer",
        )
    if analysis.quality is None and not analysis.metrics:
        yield (
            ("strategy",),
            "strategy ab decides by what the two versions are worth: give analysis.quality or "
            "analysis.metrics, or set strategy: canary",
        )
    if "sticky" not in deploy.target.modes:
        yield (
            ("target", "type"),
            f"a target of type {deploy.target.type} may answer one data.key now by one version and now by "
            "the other, and strategy ab needs it held to one: use type embedded, whose server is started "
            "with --key-column, or set strategy: canary",
        )


def _too_late(deploy: Deploy) -> Iterator[_Problem]:
    deadline = Period.parse(deploy.deadline)
    shortest = deadline.seconds + deadline.months * _SHORTEST_MONTH_SECONDS
    for name, minimum in (
        ("shadow", deploy.shadow.minimum_duration),
        ("analysis", deploy.analysis.minimum_duration),
    ):
        if minimum is not None and Period.parse(minimum).seconds >= shortest:
            yield (
                (name, "minimum_duration"),
                f"minimum_duration ({minimum}) must be shorter than deploy.deadline ({deadline}), or no "
                "stage could end by a verdict; set a longer deadline",
            )
