"""AWS's errors in this package's words: who may do something about it, and what."""

from __future__ import annotations

import re
from typing import Any

from airflow_mlops.core.raised import known_words
from airflow_mlops.exceptions import BackendUnavailable, ConfigError, MlopsError, ModelRefused

_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AccessDeniedForDependency"}
_STRANGER = {
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "InvalidAccessKeyId",
    "MissingAuthenticationToken",
}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_THROTTLED = {"Throttling", "ThrottlingException", "TooManyRequestsException", "SlowDown"}
_QUOTA = {"ResourceLimitExceeded", "LimitExceededException", "ServiceQuotaExceededException"}
_ROLE = re.compile(r"assume role|role .*(does not exist|cannot be assumed|is not authorized)|PassRole", re.I)
_IN_PROGRESS = re.compile(r"in[- ]progress|is updating", re.I)
_NOT_YET = re.compile(r"could not find (model|endpoint config)", re.I)
POLICY = "docs/how-to/sagemaker.md has the whole policy"


def translated(error: Exception, said: str) -> MlopsError:
    """What botocore raised while ``said`` was asked, such as ``sagemaker:CreateModel``."""
    from botocore import exceptions as botocore

    if isinstance(error, botocore.ClientError):
        return _answered(error.response, said)
    if isinstance(error, (botocore.NoCredentialsError, botocore.PartialCredentialsError)):
        return ConfigError(
            f"AWS was asked for {said} without credentials ({error}). Fill in the Airflow connection that "
            "deploy.target.conn_id names, or give the worker a role"
        )
    if isinstance(error, botocore.NoRegionError):
        return ConfigError(
            f"AWS was asked for {said} in no region. Set deploy.target.region, or region_name in the extra "
            "of the Airflow connection"
        )
    if isinstance(error, botocore.ParamValidationError):
        return ConfigError(f"{said} does not take what deploy.target says: {error}")
    return BackendUnavailable(f"AWS does not answer {said} ({type(error).__name__}: {error})")


def is_not_yet_seen(error: Exception) -> bool:
    """Whether something that was just made is not known everywhere in AWS yet."""
    return _is_invalid(error) and _NOT_YET.search(_message(error)) is not None


def is_refused_for(error: Exception, words: str) -> bool:
    """Whether AWS refused a request, in these words, for what it asks."""
    return _is_invalid(error) and words in _message(error).lower()


def _is_invalid(error: Exception) -> bool:
    return str(_told(error).get("Code", "")).startswith("Validation")


def _message(error: Exception) -> str:
    return str(_told(error).get("Message", ""))


def _told(error: Exception) -> dict[str, Any]:
    response = getattr(error, "response", None)
    return response.get("Error", {}) if isinstance(response, dict) else {}


def _answered(response: Any, said: str) -> MlopsError:
    told = response.get("Error", {})
    code, message = str(told.get("Code", "")), str(told.get("Message", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code == "ModelError":
        # MLflow's server answers with the error of the model, which may quote the rows.
        log = response.get("LogStreamArn") or "CloudWatch"
        answered = f"the model's container answered {response.get('OriginalStatusCode')} to the rows"
        kept = known_words(str(response.get("OriginalMessage") or message))
        return ModelRefused(f"{answered}{'' if kept is None else f': {kept}'}; more is in its log ({log})")
    if code in _EXPIRED:
        return BackendUnavailable(f"the credentials for {said} have expired: {message}")
    if code in _STRANGER:
        return ConfigError(
            f"AWS does not know who asks for {said} ({code}). Put valid keys into the Airflow connection "
            "that deploy.target.conn_id names"
        )
    if _ROLE.search(message):
        return ConfigError(
            f"AWS refused {said} for the role: {message} Look at deploy.target.role: it must exist, trust "
            f"sagemaker.amazonaws.com, and the caller needs iam:PassRole for it; {POLICY}"
        )
    if code in _DENIED:
        return ConfigError(f"AWS refused {said}: {message} Allow it to the caller; {POLICY}")
    if code in _QUOTA:
        return BackendUnavailable(
            f"AWS refused {said} for a quota: {message} Ask for more under Service Quotas, free what is not "
            "used, or set another deploy.target.instance_type"
        )
    if code in _THROTTLED or status >= 500 or _IN_PROGRESS.search(message):
        return BackendUnavailable(f"AWS answered {said} with {code}: {message}")
    return ModelRefused(f"AWS refused {said}: {message or code}")
