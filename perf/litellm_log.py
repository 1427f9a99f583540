"""Builds a big LiteLLM log of real prompts through LiteLLM's own logging code.

It needs a virtual environment of its own, because LiteLLM is no dependency of stillwatch:

    python -m venv litellm-venv
    litellm-venv/bin/pip install litellm==1.106.2 mcp pyarrow
    litellm-venv/bin/python perf/litellm_log.py --rows 200000

Prompts come from ``$STILLWATCH_DATA/prompts/*/*.parquet`` (default ../shared/data), answers from
the same rows where they have one. Each record is what `get_standard_logging_object_payload`
returns for a request as the proxy describes it; no provider is called. An account keeps to one
corpus and one client; volumes are uneven (index = accounts·u³); times fall into one week. 3 % of
the requests fail with 429.

Writes ``bench/work/litellm/part-NNNN.jsonl`` (5,000 rows each) and ``accounts.csv``, with as many
processes as given. Finished parts are kept, so that a run which was stopped goes on where it was;
the same arguments give the same rows but for LiteLLM's own random ids. Prints seconds and size.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import random
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
os.environ.setdefault("LITELLM_LOG", "CRITICAL")

PART_ROWS = 5_000
START = datetime(2026, 11, 1, tzinfo=UTC)
WEEK_S = 7 * 86_400
CLIENTS = (
    "OpenAI/Python 1.99.1",
    "OpenAI/JS 5.12.2",
    "python-httpx/0.28.1",
    "curl/8.9.1",
    "okhttp/4.12",
)
MODELS = (("gpt-4o-mini", "openai"), ("gpt-4o", "openai"), ("claude-sonnet-4-5", "anthropic"))
DATA = Path(os.environ.get("STILLWATCH_DATA", Path(__file__).parents[2] / "shared" / "data"))


def keyed(kind: str, number: int) -> str:
    return hashlib.blake2b(f"{kind}{number}".encode(), digest_size=16, key=b"perf").hexdigest()


def account(number: int, corpora: int) -> dict[str, Any]:
    """Return what is fixed for one account; the same number gives the same account."""
    rng = random.Random(f"account {number}")
    return {
        "account_id": f"user-{number:06d}",
        "org_id": f"org-{number // 3:06d}",
        "created_at": (START - timedelta(seconds=rng.expovariate(1 / 2e7))).isoformat(),
        "plan": rng.choice(("free", "pro", "pro", "team")),
        "email_domain": rng.choice(("gmail.com", "outlook.com", f"firm{number // 3}.example")),
        "email_hash": keyed("email", number),
        "payment_hash": keyed("card", number // 2 if rng.random() < 0.1 else number),
        "signup_ip": f"198.{18 + number % 2}.{number // 250 % 250}.{number % 250}",
        "corpus": rng.randrange(corpora),
        "client": rng.choice(CLIENTS),
        "model": rng.choice(MODELS),
        "ip": f"10.{number // 62_500 % 250}.{number // 250 % 250}.{number % 250}",
    }


def write_accounts(path: Path, count: int, corpora: int) -> None:
    with path.open("w", newline="") as out:
        rows = [account(i, corpora) for i in range(count)]
        names = [n for n in rows[0] if n not in ("corpus", "client", "model", "ip")]
        writer = csv.DictWriter(out, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def corpora_files() -> list[Path]:
    return sorted((DATA / "prompts").glob("*/*.parquet"))


def load_prompts() -> list[list[list[dict[str, str]]]]:
    import pyarrow.parquet as pq

    return [pq.read_table(f, columns=["messages"])["messages"].to_pylist() for f in corpora_files()]


def payload(who: dict[str, Any], messages: list[dict[str, str]], rng: random.Random) -> Any:
    """Return the library's own payload for one request of an account."""
    import litellm
    from litellm.litellm_core_utils.litellm_logging import (
        Logging,
        get_standard_logging_object_payload,
    )

    answer = messages[-1]["content"] if messages[-1]["role"] == "assistant" else "Certainly."
    prompt = (
        messages[:-1] if messages[-1]["role"] == "assistant" and len(messages) > 1 else messages
    )
    begin = START + timedelta(seconds=rng.random() * WEEK_S)
    end = begin + timedelta(seconds=0.3 + len(answer) / 400)
    model, provider = who["model"]
    call_id = f"{rng.getrandbits(128):032x}"
    failed = rng.random() < 0.03
    logging = Logging(
        model=model,
        messages=prompt,
        stream=False,
        call_type="acompletion",
        start_time=begin,
        litellm_call_id=call_id,
        function_id="perf",
    )
    logging.optional_params = {"temperature": 0.7, "max_tokens": 1024}
    response = litellm.ModelResponse(
        model=model,
        choices=[litellm.Choices(message=litellm.Message(content=answer, role="assistant"))],
        usage=litellm.Usage(
            prompt_tokens=sum(len(m["content"] or "") for m in prompt) // 4,
            completion_tokens=len(answer) // 4,
        ),
    )
    error = litellm.RateLimitError(message="slow down", llm_provider=provider, model=model)
    return get_standard_logging_object_payload(
        kwargs={
            "model": model,
            "messages": prompt,
            "call_type": "acompletion",
            "custom_llm_provider": provider,
            "litellm_call_id": call_id,
            "optional_params": logging.optional_params,
            "response_cost": 0.0 if failed else len(answer) * 1.5e-7,
            "litellm_params": {
                "api_base": f"https://api.{provider}.com/v1",
                "metadata": {
                    "user_api_key_hash": keyed("key", int(who["account_id"][5:])),
                    "user_api_key_user_id": who["account_id"],
                    "user_api_key_org_id": who["org_id"],
                    "user_api_key_request_route": "/v1/chat/completions",
                    "requester_ip_address": who["ip"],
                    "user_agent": who["client"],
                },
                "proxy_server_request": {"headers": {"user-agent": who["client"]}, "body": {}},
            },
        },
        init_response_obj={} if failed else response,
        start_time=begin,
        end_time=end,
        logging_obj=logging,
        status="failure" if failed else "success",
        error_str=str(error) if failed else None,
        original_exception=error if failed else None,
    )


_PROMPTS: list[list[list[dict[str, str]]]] = []


def build_part(job: tuple[Path, int, int, int]) -> float:
    path, number, rows, accounts = job
    if path.exists():
        return 0.0
    if not _PROMPTS:
        _PROMPTS.extend(load_prompts())
    begin = time.monotonic()
    rng = random.Random(f"part {number}")
    aside = path.with_suffix(".partial")
    with aside.open("w", encoding="utf-8") as out:
        for _ in range(rows):
            who = account(int(accounts * rng.random() ** 3), len(_PROMPTS))
            messages = rng.choice(_PROMPTS[who["corpus"]])
            record = payload(who, messages, rng)
            if record is None:
                raise RuntimeError("LiteLLM returned no payload")
            out.write(json.dumps(record, default=str) + "\n")
    aside.replace(path)
    return time.monotonic() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--processes", type=int, default=2)
    default = Path(__file__).parents[1] / "bench" / "work" / "litellm"
    parser.add_argument("--out", type=Path, default=default)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if not corpora_files():
        parser.error(f"no prompts under {DATA}; set STILLWATCH_DATA")
    accounts = max(10, options.rows // 25)
    write_accounts(options.out / "accounts.csv", accounts, len(corpora_files()))
    jobs = [
        (
            options.out / f"part-{part:04d}.jsonl",
            part,
            min(PART_ROWS, options.rows - part * PART_ROWS),
            accounts,
        )
        for part in range(-(-options.rows // PART_ROWS))
    ]
    begin = time.monotonic()
    with ProcessPoolExecutor(options.processes) as pool:
        spent = sum(pool.map(build_part, jobs))
    size = sum(job[0].stat().st_size for job in jobs)
    wall = time.monotonic() - begin
    print(
        f"{options.rows} rows, {size / 1e6:.0f} MB in {options.out}: "
        f"{wall:.0f} s with {options.processes} processes, {spent:.0f} s of work"
    )


if __name__ == "__main__":
    main()
