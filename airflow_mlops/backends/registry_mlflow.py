"""Registered models in MLflow: versions, aliases and tags, over REST (5 to 50 ms a call)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from airflow_mlops.backends.artifacts_mlflow import ArtifactFolder
from airflow_mlops.backends.mlflow_rest import MlflowAnswer, MlflowRest, version_page
from airflow_mlops.core.values import ModelRef, RunRef
from airflow_mlops.exceptions import ModelRefused, TrackingRefused

_LOGGED = "models:/m-"
LONGEST_DESCRIPTION = 5_000  # what MLflow's database has room for


class MlflowRegistry:
    """Names, versions and aliases. Does nothing until the first call."""

    def __init__(self, uri: str, token: str | None = None) -> None:
        self._uri = uri
        self._token = token

    def register(self, name: str, run: RunRef, tags: Mapping[str, str]) -> ModelRef:
        """A version for this run; the same version when called again for the same run.

        Raises ``ModelRefused`` where the run has no finished model.
        """
        if (earlier := self._version_of_run(name, run.run_id)) is not None:
            return earlier
        model_id = self.logged_model_id(run)
        try:
            self._rest.send("POST", "registered-models/create", {"name": name})
        except MlflowAnswer as error:
            if error.code != "RESOURCE_ALREADY_EXISTS":
                raise
        body = {
            "name": name,
            "source": f"models:/{model_id}",
            "run_id": run.run_id,
            "model_id": model_id,
            "tags": pairs(tags),
        }
        return self._ref(self._rest.send("POST", "model-versions/create", body)["model_version"])

    def alias(self, name: str, alias: str) -> ModelRef | None:
        """The version an alias points to, or None if there is no such alias or model."""
        try:
            return self._ref(
                self._rest.get("registered-models/alias", name=name, alias=alias)["model_version"]
            )
        except MlflowAnswer as error:
            # An alias that is not set is answered as an invalid value, not as missing.
            unset = error.code == "INVALID_PARAMETER_VALUE" and "not found" in error.detail
            if error.is_missing or unset:
                return None
            raise

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Point an alias at a version, and read it back. A blind write: the caller makes sure that nobody
        else moves the alias. Raises ``TrackingRefused`` where somebody did, or if there is no such version.
        """
        body = {"name": name, "alias": alias, "version": version}
        try:
            self._rest.send("POST", "registered-models/alias", body)
        except MlflowAnswer as error:
            # Of two first settings at once, MLflow lets one trip over the database's unique key.
            if error.code != "BAD_REQUEST" or "IntegrityError" not in error.detail:
                raise
            self._rest.send("POST", "registered-models/alias", body)
        found = self.alias(name, alias)
        if found is None or found.version != version:
            raise TrackingRefused(
                f"alias {alias} of {name} was set to version {version} but reads back as "
                f"{found.version if found else 'not set'}: something else moves it too. "
                "Let only one deployment of a model run at a time."
            )

    def drop_alias(self, name: str, alias: str) -> None:
        """Remove an alias; nothing happens if there is none."""
        try:
            self._rest.send("DELETE", "registered-models/alias", {"name": name, "alias": alias})
        except MlflowAnswer as error:
            if not error.is_missing:
                raise

    def set_tags(self, model: ModelRef, tags: Mapping[str, str]) -> None:
        """Set tags on a version; nothing happens if somebody has deleted it."""
        for tag in pairs(tags):
            body = {"name": model.name, "version": model.version, **tag}
            try:
                self._rest.send("POST", "model-versions/set-tag", body)
            except MlflowAnswer as error:
                if not error.is_missing:
                    raise

    def describe(self, model: ModelRef, text: str) -> None:
        """Write a version's description, as its page in MLflow shows it; too long a one is cut at a line."""
        if len(text) > LONGEST_DESCRIPTION:
            text = text[: LONGEST_DESCRIPTION - 2].rpartition("\n")[0] + "\n…"
        body = {"name": model.name, "version": model.version, "description": text}
        self._rest.send("PATCH", "model-versions/update", body)

    def run_of(self, model: ModelRef) -> RunRef:
        """The training run behind a version. Raises ``ModelRefused`` if it has none."""
        version = self.version(model.name, model.version)
        if not version.get("run_id"):
            raise ModelRefused(f"{model} was not registered from a training run. Register one that was.")
        run = self.run(version["run_id"])
        source = str(version["source"])
        return self.run_ref(
            run, source if source.startswith(_LOGGED) else f"models:/{model.name}/{model.version}"
        )

    def version(self, name: str, version: str) -> dict[str, Any]:
        """MLflow's own record of a version. Raises ``ModelRefused`` if there is none."""
        try:
            answer = self._rest.get("model-versions/get", name=name, version=version)
        except MlflowAnswer as error:
            raise self._unknown(error, f"{name} version {version}") from error
        found: dict[str, Any] = answer["model_version"]
        return found

    def run(self, run_id: str) -> dict[str, Any]:
        """MLflow's own record of a run. Raises ``ModelRefused`` if there is none."""
        try:
            answer = self._rest.get("runs/get", run_id=run_id)
        except MlflowAnswer as error:
            raise self._unknown(error, f"run {run_id}") from error
        found: dict[str, Any] = answer["run"]
        return found

    def run_ref(self, run: Mapping[str, Any], model_uri: str) -> RunRef:
        info = run["info"]
        url = f"{self._rest.shown_uri}/#/experiments/{info['experiment_id']}/runs/{info['run_id']}"
        return RunRef(info["run_id"], model_uri, url, run_tags(run).get("mlops.model_sha256"))

    def logged_model_id(self, run: RunRef) -> str:
        """The logged model that a run made. Raises ``ModelRefused`` if it made none or is not finished."""
        record = self.run(run.run_id)
        made = made_models(record)
        wanted = run.model_uri.removeprefix("models:/")
        if (
            record["info"]["status"] != "FINISHED"
            or not made
            or (wanted.startswith("m-") and wanted not in made)
        ):
            raise ModelRefused(
                f"run {run.run_id} is {record['info']['status']} and holds "
                f"{', '.join(made) or 'no model'}: {run.model_uri} cannot be registered. Train it again."
            )
        return wanted if wanted in made else made[-1]

    def model_files(self, model_uri: str) -> tuple[ArtifactFolder, str]:
        """Where a model's files are, and the run that made it. Raises ``ModelRefused``."""
        if match := re.fullmatch(r"models:/(m-[^/@]+)", model_uri):
            return self._logged_model(match[1])
        if match := re.fullmatch(r"runs:/([^/]+)/model", model_uri):
            if not (made := made_models(self.run(match[1]))):
                raise ModelRefused(
                    f"run {match[1]} logged no model. Look at why its training did not finish."
                )
            return self._logged_model(made[-1])
        if match := re.fullmatch(r"models:/([^/@]+)@([^/@]+)", model_uri):
            if (ref := self.alias(match[1], match[2])) is None:
                raise ModelRefused(f"model {match[1]} has no alias {match[2]} in MLflow.")
            return self._version_files(ref.name, ref.version)
        if match := re.fullmatch(r"models:/([^/@]+)/(\d+)", model_uri):
            return self._version_files(match[1], match[2])
        raise ModelRefused(
            f"{model_uri!r} is not a model's address. Write models:/<name>/<version>, "
            "models:/<name>@<alias>, models:/m-<id> or runs:/<run id>/model."
        )

    @cached_property
    def _rest(self) -> MlflowRest:
        return MlflowRest(self._uri, self._token)

    def _version_files(self, name: str, version: str) -> tuple[ArtifactFolder, str]:
        run_id = self.version(name, version).get("run_id")
        if not run_id:
            raise ModelRefused(f"{name} version {version} has no training run. Register one that was logged.")
        uri = self._rest.get("model-versions/get-download-uri", name=name, version=version)["artifact_uri"]
        return ArtifactFolder(self._rest, uri), run_id

    def _logged_model(self, model_id: str) -> tuple[ArtifactFolder, str]:
        try:
            info = self._rest.get(f"logged-models/{model_id}")["model"]["info"]
        except MlflowAnswer as error:
            raise self._unknown(error, f"model {model_id}") from error
        return ArtifactFolder(self._rest, info["artifact_uri"]), info["source_run_id"]

    def _version_of_run(self, name: str, run_id: str) -> ModelRef | None:
        found = self._rest.get(
            "model-versions/search", filter=f"name={quoted(name)} and run_id={quoted(run_id)}"
        )
        versions = sorted(found.get("model_versions", ()), key=lambda version: int(version["version"]))
        return self._ref(versions[0]) if versions else None

    def _ref(self, version: Mapping[str, Any]) -> ModelRef:
        name, number = str(version["name"]), str(version["version"])
        return ModelRef(name, number, version_page(self._rest.shown_uri, name, number))

    def _unknown(self, error: MlflowAnswer, what: str) -> Exception:
        if not error.is_missing:
            return error
        return ModelRefused(
            f"there is no {what} in MLflow at {self._rest.shown_uri}. Look at its list of models."
        )


def pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    """As MLflow wants tags and params."""
    return [{"key": key, "value": str(value)} for key, value in values.items()]


def run_tags(run: Mapping[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag.get("value", "") for tag in run.get("data", {}).get("tags", ())}


def made_models(run: Mapping[str, Any]) -> list[str]:
    """Ids of the models that a run logged, oldest first."""
    return [output["model_id"] for output in run.get("outputs", {}).get("model_outputs", ())]


def quoted(value: str) -> str:
    """A string in MLflow's filter language, which knows two quotes and no way to escape them."""
    if "'" not in value:
        return f"'{value}'"
    if '"' not in value:
        return f'"{value}"'
    raise TrackingRefused(f"MLflow cannot look for {value!r}, which holds both kinds of quotes. Rename it.")
