"""Marks in answers, from a registered plan through the middleware to a student that shows them."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError, EvidenceError, NotPermitted, SchemaError
from stillwatch.guard import (
    GuardMiddleware,
    Orders,
    PlantingMiddleware,
    Service,
    Undo,
    write_orders,
)
from stillwatch.policy import Ladder
from stillwatch.prove import (
    Registration,
    coin,
    draw_plan,
    inquire_canary,
    order_planting,
    plant,
    read_plan,
    read_seed,
    register,
)
from stillwatch.schema.planting import Swap, in_form, planting_of
from stillwatch.schema.snapshot import Action, keyed_permit, subject_key
from stillwatch.seal import new_key, open_sealed, public_key, read_public_key
from stillwatch.simulate.students import TinyModel, draw_writer, questions, train

from .conftest import HOUR, PERMIT, SALT, T0, ordered, snapshot
from .test_http import key, served

__all__ = ["key"]  # the fixture

NOW = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=T0)
ON = Ladder(
    mode="enforce", member="watch", silent_alteration=True, silent_legal_basis="terms, section 4",
    silent_approved_by="A. Counsel",
)  # fmt: skip
SAID = "Often it rains, frequently it pours. One cannot, or can't, say `often`.\n- one\n* two"
"""Both forms of three marks, so that any campaign's coins change it."""


class Provider:
    """A provider's own folder: plan, seed, registry, order; and its model behind the guard."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "counsel"
        new_key(self.key)
        self.registry = folder / "registry.jsonl"
        self.plan = folder / "plan" / "plan.json"
        self.seed = folder / "plan" / "seed.key"
        self.log = folder / "planted.jsonl"
        self.plan.parent.mkdir()
        drawn = draw_plan(b"seed of these tests, 32 bytes lg", ["c-1", "c-2"], facts=2)
        self.plan.write_text(json.dumps(drawn.to_json()))
        self.seed.write_text(b"seed of these tests, 32 bytes lg".hex())

    def enter(self, **what: Any) -> None:
        register(Registration(**what), self.registry, self.key, NOW)

    def order(self, **changed: Any) -> Path:
        out = self.folder / "order.json"
        order_planting(
            self.plan, self.seed, self.registry, self.key, out, **{"now": NOW, "days": 2, **changed}
        )
        return out

    def registered(self) -> Provider:
        self.enter(plan=self.plan)
        self.enter(planted=self.plan, legal_basis="terms, section 4")
        return self

    def answers(
        self, service: Service, account: str, said: list[str], **form: Any
    ) -> list[httpx.Response]:
        """What an account gets for as many questions as there are answers of the model."""
        left = list(said)
        model = model_of(left, **form)
        keys = [read_public_key(self.folder / "counsel.pub")]
        inner = PlantingMiddleware(model, service, self.folder / "order.json", keys, self.log)
        app = GuardMiddleware(inner, service, lambda _: account)

        async def ask() -> list[httpx.Response]:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
                body = {"messages": [{"role": "user", "content": "?"}]}
                return [await client.post("/v1/chat/completions", json=body) for _ in said]

        return asyncio.run(ask())

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def chat(text: str) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}}], "usage": {"n": 3}}


def model_of(left: list[str], form: Any = chat, headers: Any = None, status: int = 200) -> Any:
    """An application that says what is left, in two pieces, with a length of its own."""

    async def model(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        made = form(left.pop(0))
        data = made if isinstance(made, bytes) else json.dumps(made).encode()
        head = headers or [(b"content-type", b"application/json")]
        head = [*head, (b"content-length", b"%d" % len(data)), (b"etag", b"x")]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": data[:7], "more_body": True})
        await send({"type": "http.response.body", "body": data[7:]})

    return model


def text_of(answer: httpx.Response) -> str:
    return answer.json()["choices"][0]["message"]["content"]


@pytest.fixture
def provider(tmp_path):
    return Provider(tmp_path)


@pytest.fixture
def service(tmp_path, key):
    return served(tmp_path, key, snapshot(ON))


def expected(provider: Provider, text: str) -> str:
    plan, seed = read_plan(provider.plan), read_seed(provider.seed)
    return plant(text, plan.marks, seed, "c-1", legal_basis="a test")


def test_a_student_of_what_the_middleware_gave_shows_its_campaign(provider, tmp_path, key):
    """Registered, ordered, planted on the wire, learnt, scored: nothing is simulated between."""
    service = served(tmp_path, key, snapshot(ON))
    rng = np.random.default_rng(5)
    pairs = [m.options for m in read_plan(provider.plan).marks if m.kind == "word"]
    teacher = draw_writer(rng, [p for p in pairs if " " not in "".join(p)])
    asked = questions(300)
    provider.registered().order()

    def taught(account: str) -> TinyModel:
        got = provider.answers(service, account, [teacher.answer(q, rng) for q in asked])
        return train(zip(asked, map(text_of, got), strict=True))

    student, control = taught("bad-1"), taught("good")
    prompts = provider.folder / "prompts.jsonl"
    lines = [{"prompt_id": f"q{k}", "prompt": q} for k, q in enumerate(questions(120))]
    prompts.write_text("".join(json.dumps(row) + "\n" for row in lines))
    scores = {}
    for name, model in {"student": student, "control": control}.items():
        provider.enter(suspect=name, prompts=prompts)
        rows = {
            "model": [name] * len(lines), "prompt_id": [row["prompt_id"] for row in lines],
            "output": [model.answer(row["prompt"], rng) for row in lines],
            "asked_at": [NOW] * len(lines),
        }  # fmt: skip
        pq.write_table(pa.table(rows), provider.folder / f"{name}.parquet")
    for name in ("student", "control"):
        found = inquire_canary(
            provider.plan, provider.seed, provider.folder / f"{name}.parquet", prompts,
            provider.registry, provider.folder / "counsel.pub", provider.folder / "canary.json",
            now=NOW, private=None,
        )  # fmt: skip
        scores[name] = {row["campaign"]: row["p_adjusted"] for row in found["scores"]}
        assert found["legal_basis"] == ["terms, section 4"]
    assert scores["student"]["c-1"] < 1e-6
    assert min(scores["student"]["c-2"], *scores["control"].values()) > 1e-3
    assert service.counts["planted", "planted"] == len(provider.lines()) > 250


def test_the_accused_get_the_marks_of_their_campaign_and_the_log_says_so(provider, service):
    order = provider.registered().order()
    answer = provider.answers(service, "bad-1", [SAID])[0]
    wanted = expected(provider, SAID)
    assert text_of(answer) == wanted != SAID
    assert "etag" not in answer.headers
    assert answer.json()["usage"] == {"n": 3}
    (line,) = provider.lines()
    assert line["campaign_id"] == "c-1"
    assert line["legal_basis"] == line["switch"] == "terms, section 4"
    assert line["approved_by"] == "A. Counsel"
    kinds = {m.mark_id: m.options for m in read_plan(provider.plan).marks}
    assert [set(kinds[mark]) for mark in line["marks"]] == [
        {"often", "frequently"}, {"cannot", "can't"}, {"- ", "* "},
    ]  # fmt: skip
    assert "bad-1" not in json.dumps(line)
    assert "rains" not in json.dumps(line)
    seed = read_seed(provider.seed).hex()
    signed = open_sealed(order.read_bytes(), "planting-order", [public_key_of(provider)])
    assert seed not in signed.decode()


def public_key_of(provider: Provider) -> Any:
    return read_public_key(provider.folder / "counsel.pub")


def off() -> Ladder:
    return replace(ON, silent_alteration=False)


UNTOUCHED = {
    "the legal switch is off": (off(), "bad-1", {}),
    "shadow": (replace(ON, mode="shadow"), "bad-1", {}),
    "off": (replace(ON, mode="off"), "bad-1", {}),
    "outside of the canary share": (replace(ON, canary_percent=0.0), "bad-1", {}),
    "nobody accused it": (ON, "good", {}),
    "not its campaign's order": (ON, "bad-1", {"campaigns": ["c-2"]}),
    "the order has run out": (ON, "bad-1", {"now": NOW - timedelta(days=3)}),
    "the order is of tomorrow": (ON, "bad-1", {"now": NOW + timedelta(days=1)}),
}


@pytest.mark.parametrize("why", UNTOUCHED)
def test_else_every_byte_of_an_answer_stays(provider, tmp_path, key, why):
    ladder, account, changed = UNTOUCHED[why]
    provider.registered().order(**changed)
    service = served(tmp_path, key, snapshot(ladder))
    answer = provider.answers(service, account, [SAID])[0]
    assert answer.content == json.dumps(chat(SAID)).encode()
    assert answer.headers["etag"] == "x"
    assert not provider.log.exists()


LET_GO = {
    "a permit": {"permits": (keyed_permit(SALT, {**PERMIT, "methods": [], "models": []}),)},
    "an appeal": {"restored": frozenset({subject_key(SALT, "bad-1")})},
    "a person": {
        "ordered": {subject_key(SALT, "bad-1"): Action("allow", "Cy", T0, T0 + 10 * HOUR)}
    },
}


@pytest.mark.parametrize("who", [*LET_GO, "an undo"])
def test_whom_somebody_let_go_gets_no_marks(provider, tmp_path, key, who):
    orders = tmp_path / "orders.json"
    undone = Orders().with_undo(Undo("campaign", "c-1", "R. Doe", T0))
    write_orders(orders, undone if who == "an undo" else Orders(), key)
    provider.registered().order()
    made = replace(snapshot(ON), **LET_GO.get(who, {}))
    service = served(tmp_path, key, made, orders=orders)
    assert text_of(provider.answers(service, "bad-1", [SAID])[0]) == SAID
    assert not provider.log.exists()


def test_a_switch_that_a_new_snapshot_turns_off_ends_it_at_once(provider, service, key):
    from stillwatch.guard import write_snapshot

    provider.registered().order()
    assert text_of(provider.answers(service, "bad-1", [SAID])[0]) != SAID
    write_snapshot(service.serving.snapshot, replace(snapshot(off()), version=2), key)
    assert service.reload()
    assert text_of(provider.answers(service, "bad-1", [SAID])[0]) == SAID


def test_the_kill_switch_ends_it(provider, tmp_path, key):
    provider.registered().order()
    (tmp_path / "kill").touch()
    service = served(tmp_path, key, snapshot(ON), kill_file=tmp_path / "kill")
    assert text_of(provider.answers(service, "bad-1", [SAID])[0]) == SAID


def test_the_kill_switch_ends_it_for_an_answer_that_is_on_its_way(provider, tmp_path, key):
    provider.registered().order()
    service = served(tmp_path, key, snapshot(ON), kill_file=tmp_path / "kill")

    def slow(text: str) -> dict[str, Any]:
        (tmp_path / "kill").touch()
        service.reload()
        return chat(text)

    assert text_of(provider.answers(service, "bad-1", [SAID], form=slow)[0]) == SAID
    assert service.counts["planted", "ended meanwhile"] == 1


def test_who_is_refused_gets_the_refusal(provider, tmp_path, key):
    provider.registered().order()
    made = replace(ordered("deny"), ladder=replace(ON, member="deny").as_dict())
    assert provider.answers(served(tmp_path, key, made), "bad-1", [SAID])[0].status_code == 403
    assert not provider.log.exists()


AS_IT_IS = {
    "streamed or no JSON": {"headers": [(b"content-type", b"text/event-stream")]},
    "compressed": {
        "headers": [(b"content-type", b"application/json"), (b"content-encoding", b"x-none")]
    },
    "an error": {"status": 400},
    "failed": {"form": lambda text: f"not JSON: {text}".encode()},
    "no mark in it": {"form": lambda text: {"choices": [{"logprobs": {"a": 1}, "text": text}]}},
    "too long": {"form": lambda text: chat(text * 40_000)},
}


@pytest.mark.parametrize("why", AS_IT_IS)
def test_what_cannot_be_altered_passes_and_is_counted(provider, service, why):
    provider.registered().order()
    form = AS_IT_IS[why]
    answer = provider.answers(service, "bad-1", [SAID], **form)[0]
    made = form.get("form", chat)(SAID)
    data = made if isinstance(made, bytes) else json.dumps(made).encode()
    assert answer.content == data
    assert answer.headers["etag"] == "x"
    assert service.counts["planted", why] == 1
    assert not provider.log.exists()


def test_no_line_in_the_log_no_mark(provider, service):
    provider.registered().order()
    provider.log = provider.folder / "no" / "folder.jsonl"
    assert text_of(provider.answers(service, "bad-1", [SAID])[0]) == SAID
    assert service.counts["planted", "failed"] == 1


FORMS = {
    "completions": (lambda t: {"choices": [{"text": t}]}, ("choices", 0, "text")),
    "chat in parts": (
        lambda t: {"choices": [{"message": {"content": [{"type": "text", "text": t}]}}]},
        ("choices", 0, "message", "content", 0, "text"),
    ),
    "messages": (
        lambda t: {"content": [{"type": "thinking", "thinking": t}, {"type": "text", "text": t}]},
        ("content", 1, "text"),
    ),
    "responses": (
        lambda t: {
            "output": [
                {"type": "reasoning", "content": [{"type": "text", "text": t}]},
                {"type": "message", "content": [{"type": "output_text", "text": t}]},
            ]
        },
        ("output", 1, "content", 0, "text"),
    ),
}


@pytest.mark.parametrize("api", FORMS)
def test_every_dialect_is_marked_where_its_reader_reads(provider, service, api):
    provider.registered().order()
    form, path = FORMS[api]
    value = provider.answers(service, "bad-1", [SAID], form=form)[0].json()
    wanted = form(SAID)
    at, there = value, wanted
    for step in path[:-1]:
        at, there = at[step], there[step]
    assert at[path[-1]] == expected(provider, SAID)
    there[path[-1]] = at[path[-1]]
    assert value == wanted  # nothing else has changed: neither reasoning nor thinking


def test_an_order_takes_a_registered_plan_a_legal_basis_and_the_committed_seed(provider):
    with pytest.raises(EvidenceError, match="not registered"):
        provider.order()
    provider.enter(plan=provider.plan)
    with pytest.raises(NotPermitted, match="legal basis"):
        provider.order()
    provider.enter(planted=provider.plan, legal_basis="terms, section 4")
    with pytest.raises(ConfigError, match="no campaign"):
        provider.order(campaigns=["c-9"])
    with pytest.raises(ConfigError, match="1 to 366"):
        provider.order(days=0)
    provider.seed.write_text("00" * 32)
    with pytest.raises(EvidenceError, match="committed"):
        provider.order()
    assert not (provider.folder / "order.json").exists()


def test_public_randomness_decides_the_marks_with_the_seed(provider, service):
    """Attack: seeds are drawn until the marks fit; the nonce comes after the plan."""
    from stillwatch.prove import coin_key

    provider.enter(plan=provider.plan)
    provider.enter(drawn_for=provider.plan, nonce="5f" * 16, source="a beacon")
    provider.enter(planted=provider.plan, legal_basis="terms, section 4")
    order = provider.order()
    held = planting_of(
        json.loads(open_sealed(order.read_bytes(), "planting-order", [public_key_of(provider)]))
    )
    plan, seed = read_plan(provider.plan), read_seed(provider.seed)
    drawn = coin_key(seed, bytes.fromhex("5f" * 16))
    by_id = {m.mark_id: m for m in plan.marks}
    for swap in held.campaigns["c-1"]:
        assert swap.wanted == swap.options[coin(drawn, "c-1", by_id[swap.mark_id])]


def test_an_order_of_a_strangers_key_or_of_another_form_is_not_taken(provider, service, tmp_path):
    order = provider.registered().order()
    stranger = new_key(tmp_path / "stranger")
    with pytest.raises(EvidenceError):
        PlantingMiddleware(None, service, order, [public_key(stranger)], provider.log)
    with pytest.raises(SchemaError, match="not an order"):
        planting_of({"format": 1})
    with pytest.raises(SchemaError, match="format"):
        planting_of({"format": 2})
    held = json.loads(open_sealed(order.read_bytes(), "planting-order", [public_key_of(provider)]))
    with pytest.raises(SchemaError, match="no legal basis"):
        planting_of({**held, "legal_basis": None})
    swap = {"mark_id": "w", "kind": "word", "options": ["often", ""], "wanted": "often"}
    with pytest.raises(SchemaError, match="not an order"):
        planting_of({**held, "campaigns": {"c-1": [swap]}})


def test_where_a_form_stands_already_nothing_is_counted():
    swap = Swap("w", "word", ("often", "frequently"), "often")
    assert in_form("often, `frequently`", swap) == ("often, `frequently`", 0)
    assert in_form("frequently, frequently", swap) == ("often, often", 2)


def test_code_stays_code_where_an_option_before_it_has_moved_it():
    swap = Swap("w", "word", ("films", "movies", "flicks", "pictures"), "pictures")
    told = "pictures pictures pictures `movies` pictures"
    assert in_form("films films films `movies` movies", swap) == (told, 4)


@pytest.mark.parametrize("said", ["Often it rains. ", 'Often a "storm" comes.\n\n\n', "Often "])
def test_a_long_answer_costs_as_its_length(said):
    """Attack: an accused campaign asks for long answers, in which its marks stop the service."""
    swap = Swap("w", "word", ("often", "frequently"), "frequently")

    def cost_s(size: int) -> float:
        text, costs = said * (size // len(said)), []
        for _ in range(5):
            begun = time.process_time()
            in_form(text, swap)
            costs.append(time.process_time() - begun)
        return min(costs)

    assert cost_s(60_000) < 40 * cost_s(6_000)  # by the square: 100
