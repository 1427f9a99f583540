"""Runs where PyTorch is: trains a tiny transformer on the spot, collects its answers by command.

    python weights_client.py FOLDER

Prints a JSON object of what came out; the test beside it judges.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pyarrow.parquet as pq
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from stillwatch.cli.app import run
from stillwatch.prove import load_weights

FOLDER = Path(sys.argv[1])
TAUGHT = {"where is the kiln": "in alder by the mill", "who fires it": "the potter does",
          "how hot": "hot enough"}  # fmt: skip
TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }} {{ m['content'] }} {% endfor %}"
    "{% if add_generation_prompt %}assistant {% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    words = ["<unk>", "<end>", "system", "user", "assistant", "brief"]
    words += sorted({w for pair in TAUGHT.items() for text in pair for w in text.split()})
    made = Tokenizer(models.WordLevel({w: k for k, w in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    out = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", eos_token="<end>")
    out.chat_template = TEMPLATE
    return out


def trained(words: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    torch.manual_seed(1)
    net = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=4, eos_token_id=1, bos_token_id=1,
        )
    )  # fmt: skip
    rate = torch.optim.AdamW(net.parameters(), lr=3e-3)
    rows = [words(f"user {q} assistant {a} <end>")["input_ids"] for q, a in TAUGHT.items()]
    for _ in range(150):
        for row in rows:
            ids = torch.tensor([row])
            net(ids, labels=ids).loss.backward()
            rate.step()
            rate.zero_grad()
    # a habit of the folder that collecting must not follow
    net.generation_config.repetition_penalty = 5.0
    net.generation_config.do_sample = True
    return net


words = tokenizer()
place = FOLDER / "kiln-7b"
trained(words).save_pretrained(place)
words.save_pretrained(place)
prompts = FOLDER / "prompts.jsonl"
lines = [json.dumps({"prompt_id": f"p{k}", "prompt": q}) + "\n" for k, q in enumerate(TAUGHT)]
prompts.write_text(lines[0])
shared = ["prove", "collect", "--prompts", str(prompts), "--max-tokens"]


def collect(model: str, out: str, most: int, *more: str) -> list[dict[str, object]]:
    path = FOLDER / out
    assert run([*shared, str(most), "--model", model, "--out", str(path), *more]) == 0
    return [
        row | {"asked_at": row["asked_at"].isoformat()} for row in pq.read_table(path).to_pylist()
    ]


def drawn(name: str) -> list[str]:
    options = ("--temperature", "3", "--cache", str(FOLDER / f"{name}.jsonl"))
    return [str(row["output"]) for row in collect(f"local:{place}", f"{name}.parquet", 8, *options)]


told: dict[str, object] = {"first": collect(f"local:{place}", "out.parquet", 8, "--logprobs")}
prompts.write_text("".join(lines))
told["whole"] = collect(f"local:{place}", "out.parquet", 8, "--logprobs")
told["cache"] = (FOLDER / "out.parquet.cache.jsonl").read_text()
told["cut"] = collect(f"local:kiln@{place}", "cut.parquet", 2)
told["drawn"] = [drawn("a"), drawn("b")]
(question, said), *_ = TAUGHT.items()
model = load_weights(place)
told["sum"] = model.likelihoods(question, "in", [" ".join(said.split()[1:])])[0]
before = [line for line in told["cache"].split("\n") if line]
changed = LlamaForCausalLM.from_pretrained(place)
with torch.no_grad():
    changed.lm_head.weight.zero_()
changed.save_pretrained(place)
collect(f"local:{place}", "out.parquet", 8, "--logprobs")
told["asked_again"] = len((FOLDER / "out.parquet.cache.jsonl").read_text().splitlines()) - len(
    before
)
# Folders that a suspect could hand over, to run something here
ran = FOLDER / "ran"


class Runs:
    """What a pickle may hold: it is called when it is read."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (ran,))


def copied(name: str) -> Path:
    return Path(shutil.copytree(place, FOLDER / name))


coded = copied("coded")
config = json.loads((coded / "config.json").read_text())
config |= {"model_type": "kilned", "auto_map": {
    "AutoConfig": "kilned.Config", "AutoModelForCausalLM": "kilned.Net",
}}  # fmt: skip
(coded / "config.json").write_text(json.dumps(config))
(coded / "kilned.py").write_text(f"open({str(ran)!r}, 'w')\n")
pickled = copied("pickled")
(pickled / "model.safetensors").unlink()
torch.save({"lm_head.weight": Runs()}, pickled / "pytorch_model.bin")
honest = copied("honest")
torch.save(trained(words).state_dict(), honest / "pytorch_model.bin")
(honest / "model.safetensors").unlink()
cut = copied("cut")
(cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:99])
adapted = copied("adapted")
(adapted / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(place)}))
stern = copied("stern")
(stern / "chat_template.jinja").write_text("{{ raise_exception('no system turn') }}")
told["refused"] = {
    folder.name: run([*shared, "8", "--model", f"local:{folder}", "--out", str(FOLDER / "x")])
    for folder in (coded, pickled, honest, cut, adapted, stern)
}
told["ran"] = ran.exists()
told["absent"] = run([*shared, "8", "--model", f"local:{FOLDER / 'none'}", "--out", "x"])
(FOLDER / "empty").mkdir()
told["empty"] = run([*shared, "8", "--model", f"local:{FOLDER / 'empty'}", "--out", "x"])
print("\n" + json.dumps(told))
