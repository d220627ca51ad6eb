"""schemathesis reads the served OpenAPI and tries unforeseen requests: no 5xx, no answer outside the schema."""

import asyncio
import os
import random
import re
import secrets
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest
import schemathesis

from tests.support.contract import contract
from tests.support.http import ROOT, Key, Server, opened

SEED = int(os.environ.get("SEED", "0")) or secrets.randbelow(2**31)
"""Printed, and SEED=… repeats a run."""
EXAMPLES = (4, pytest.param(20, marks=pytest.mark.soak))
"""For each operation and phase. With 4, the seed draws a quarter of the paths: any is tried in some of a few runs."""
DRAWN, SHARE = 4, 4
ADMIN = Key("fuzz", "fuzz")
CHANNEL = """
[channels.0]
kind = "trendyol"
partition = "fuzz"

[channels.0.options]
seller_id = 1

[channels.0.credentials]
api_key = { env = "TRENDYOL_KEY" }
api_secret = { env = "TRENDYOL_SECRET" }
"""
"""Named as a fuzzer would name one. Without a publisher: what the API takes is the question here."""
CREDENTIALS = {"TRENDYOL_KEY": "made-up-key", "TRENDYOL_SECRET": "made-up-secret"}
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,faulty_data_rejection,undeclared_method,ignored_auth"
)


def test_given_the_description_when_checked_then_it_is_valid_openapi_3_1() -> None:
    document = contract().document
    schemathesis.openapi.from_dict(document).validate()
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', msgspec.json.encode(document).decode()))
    assert names <= set(document["components"]["schemas"])


def chosen_paths(examples: int) -> list[str]:
    """Return the options that choose the paths; without any, all are."""
    paths = sorted(contract().document["paths"])
    drawn = random.Random(SEED).sample(paths, len(paths) // SHARE) if examples == DRAWN else []
    return [word for path in drawn for word in ("--include-path", path)]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize("express_lane", [True, pytest.param(False, marks=pytest.mark.soak)])
async def test_given_the_description_when_fuzzed_then_no_answer_breaks_it(
    tmp_path: Path, examples: int, express_lane: bool
) -> None:
    with Server(keys=[ADMIN], toml=CHANNEL, environment=CREDENTIALS, role="api", express_lane=express_lane) as server:
        async with opened(server, ADMIN) as api:
            await api.count("0", 1_000_000_000)  # the name that a fuzzer comes back to most
        run = await asyncio.to_thread(
            subprocess.run,
            [
                str(Path(sys.executable).parent / "schemathesis"),
                "run",
                f"{server.url}/openapi.json",
                *("--header", f"Authorization: Bearer {ADMIN.token}"),
                *("--checks", CHECKS),
                *("--phases", "examples,coverage,fuzzing"),
                *("--max-examples", str(examples)),
                *("--seed", str(SEED)),
                *("--generation-database", "none"),
                # Endless by design: a fuzzer that reads to the end of an answer would never come back.
                *("--exclude-path", "/v1/changes"),
                *chosen_paths(examples),
                *("--request-timeout", "10"),
                "--no-color",
            ],
            cwd=tmp_path,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        print(f"SEED={SEED}\n{run.stdout[-6000:]}")  # noqa: T201  # pytest shows it with -s, and on failure
        assert run.returncode == 0, f"SEED={SEED} repeats it\n{run.stdout[-12_000:]}"
        assert server.faults == []
