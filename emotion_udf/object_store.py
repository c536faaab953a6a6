"""S3 and stores like it: one endpoint, one region and one time-out for the two clients of the driver.

pyarrow lists and reads files, delta-rs commits tables. Each would look for its settings in places of its own; here both
get the same ones. Keys are in no setting: each client takes them from the environment, a profile or the machine's role.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
import pyarrow.fs as pafs

from emotion_udf.errors import StorageError, UsageError

TIMEOUT_S: Final = 30
"""Seconds of silence after which a request is given up, where the settings name no other number."""

_TRIES: Final = 3
_CONNECT_S: Final = 10
_KNOWN: Final = ("region", "endpoint_override", "scheme")

# They let delta-rs commit in ways that this project's writers do not share: two of them could then win one version.
_UNSAFE: Final = ("AWS_S3_ALLOW_UNSAFE_RENAME", "AWS_S3_LOCKING_PROVIDER")


@dataclass(frozen=True)
class Endpoint:
    """Where a bucket is.

    Attributes:
        region: Its region.
        url: The server, such as `https://s3.example.org`; None for that of AWS.
    """

    region: str
    url: str | None


def client_options(timeout_s: int) -> dict[str, str]:
    """Return delta-rs's options, for a store of any kind, by which no request waits for ever."""
    return {
        "timeout": f"{timeout_s}s",  # of a whole request, its body included
        "connect_timeout": f"{min(timeout_s, _CONNECT_S)}s",
        "max_retries": str(_TRIES - 1),
        "retry_timeout": f"{_TRIES * timeout_s}s",
    }


def open_s3(uri: str, timeout_s: int) -> tuple[pafs.FileSystem, str, Mapping[str, str]]:
    """Open `s3://bucket/folder?region=…` for both clients; nothing has to be there yet.

    Returns:
        pyarrow's file system, the path in it, and delta-rs's options.

    Raises:
        UsageError: An option is not known, or the environment asks for commits that are not safe.
        StorageError: The region is given nowhere, and AWS does not tell it.
    """
    _refuse_unsafe_commits()
    parts = urlsplit(uri)
    endpoint = _endpoint(uri, parts.netloc, dict(parse_qsl(parts.query, keep_blank_values=True)))
    system = pafs.S3FileSystem(
        region=endpoint.region,
        endpoint_override=endpoint.url,
        connect_timeout=min(timeout_s, _CONNECT_S),
        request_timeout=timeout_s,  # seconds without a byte; pyarrow's page says otherwise of Linux, its client does it
        retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=_TRIES),
    )
    options = client_options(timeout_s) | {
        "aws_region": endpoint.region,
        # An object is made only where there is none: of all who write a version one wins.
        "aws_conditional_put": "etag",
    }
    if endpoint.url is not None:
        options |= {"aws_endpoint_url": endpoint.url, "allow_http": str(endpoint.url.startswith("http://")).lower()}
    return system, f"{parts.netloc}{parts.path}".rstrip("/"), options


def _endpoint(uri: str, bucket: str, options: Mapping[str, str]) -> Endpoint:
    """Return where a bucket is: by the URI's options, else by the variables that all of AWS's clients know."""
    unknown = sorted(set(options).difference(_KNOWN))
    if unknown or not bucket:
        raise UsageError(
            f"expected s3://bucket/folder, after it nothing but ?{'=…&'.join(_KNOWN)}=…, found {uri}; the time-out is "
            "a setting, keys come from the environment"
        )
    url = (
        options.get("endpoint_override") or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    )
    if url and "://" not in url:
        url = f"{options.get('scheme', 'https')}://{url}"
    region = options.get("region") or _variable("AWS_REGION", "AWS_DEFAULT_REGION")
    if not region:
        region = "us-east-1" if url else _ask_for_region(bucket)
    return Endpoint(region, url.rstrip("/") if url else None)


def _variable(*names: str) -> str | None:
    """Return the first of some variables of the environment that has a value."""
    return next((value for name in names if (value := os.environ.get(name))), None)


def _ask_for_region(bucket: str) -> str:
    try:
        return str(pafs.resolve_s3_region(bucket))
    except (pa.ArrowException, OSError) as error:
        raise StorageError(
            f"expected to learn the region of the bucket {bucket} from AWS, found no answer; set AWS_REGION, and "
            "AWS_ENDPOINT_URL where the store is not AWS's"
        ) from error


def _refuse_unsafe_commits() -> None:
    for name in _UNSAFE:
        if os.environ.get(name, "").lower() not in ("", "false", "0", "no", "none"):
            raise UsageError(
                f"expected tables that are committed by conditional put alone, found {name} in the environment, with "
                "which two writers could both take one version; unset it"
            )
