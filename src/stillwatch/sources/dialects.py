"""Bodies of Bedrock's Converse API, of Gemini, and of the older text models, in Anthropic's shape.

The shape that has a place for everything they say: typed content blocks, a stop reason, usage.
Bodies that speak OpenAI's or Anthropic's dialect already are returned as they are.
"""

from __future__ import annotations

from typing import Any

from stillwatch.sources.json_text import dict_of

__all__ = ["plain_request", "plain_response"]

_Body = dict[str, Any]
_FOREIGN_REQUEST = frozenset({"inferenceConfig", "toolConfig", "contents", "inputText",
                              "max_gen_len", "guardrailConfig", "message"})  # fmt: skip
_FOREIGN_RESPONSE = frozenset({"candidates", "promptFeedback", "prompt_feedback", "generation",
                               "results", "outputText", "stopReason", "outputs",
                               "generations"})  # fmt: skip


def may_be_foreign_requests(bodies: list[_Body]) -> bool:
    """Tell whether `plain_request` may change one of the bodies; False: none."""
    told = set().union(*bodies)
    return not told.isdisjoint(_FOREIGN_REQUEST) or (
        "messages" in told and any([_has_converse_blocks(b.get("messages")) for b in bodies])
    )


def may_be_foreign_responses(bodies: list[_Body]) -> bool:
    """Tell whether `plain_response` may change one of the bodies; False: none."""
    told = set().union(*bodies)
    return "output" in told or not told.isdisjoint(_FOREIGN_RESPONSE)


def plain_request(body: _Body) -> _Body:
    """Return a request whose parameters and messages have the names that are read."""
    if _FOREIGN_REQUEST.isdisjoint(body):
        if "messages" in body and _has_converse_blocks(body["messages"]):
            return _converse_request(body)
        return body
    if "contents" in body:
        return _gemini_request(body)
    if "inputText" in body:
        config = dict_of(body.get("textGenerationConfig"))
        return {"prompt": body["inputText"], "temperature": config.get("temperature"),
                "top_p": config.get("topP"), "max_tokens": config.get("maxTokenCount")}  # fmt: skip
    if "max_gen_len" in body:
        return {**body, "max_tokens": body["max_gen_len"]}
    if "message" in body:
        return body if "messages" in body else _cohere_request(body)
    return _converse_request(body)


def plain_response(body: _Body) -> _Body:
    """Return a response with content blocks, stop reason and usage where they are read."""
    output = body.get("output")
    if type(output) is dict and type(output.get("message")) is dict:
        blocks = output["message"].get("content")
        return {
            "content": [_converse_block(b) for b in blocks] if type(blocks) is list else [],
            "stop_reason": body.get("stopReason"),
            "usage": body.get("usage"),
            "error": body.get("error"),
        }
    if _FOREIGN_RESPONSE.isdisjoint(body):
        return body
    if "candidates" in body or "promptFeedback" in body or "prompt_feedback" in body:
        return _gemini_response(body)
    return _text_response(body)


def _list(value: Any) -> list[Any]:
    return value if type(value) is list else []


# Bedrock Converse: botocore's service model bedrock-runtime 2023-09-30


def _has_converse_blocks(messages: Any) -> bool:
    first = messages[0] if type(messages) is list and messages else None
    blocks = first.get("content") if type(first) is dict else None
    return type(blocks) is list and any(type(b) is dict and "type" not in b for b in blocks)


def _only_says(part: Any) -> bool:
    """Whether a part is text and nothing else, as nearly all are."""
    return type(part) is dict and type(part.get("text")) is str and len(part) == 1


def _converse_request(body: _Body) -> _Body:
    config = dict_of(body.get("inferenceConfig"))
    told = dict_of(body.get("toolConfig"))
    tools = [_converse_tool(t) for t in _list(told.get("tools")) if not _marks_the_cache(t)]
    system = [_converse_block(b) for b in _list(body.get("system")) if not _marks_the_cache(b)]
    more = dict_of(body.get("additionalModelRequestFields"))
    return {
        **more,
        **body,
        "messages": [_converse_message(m) for m in _list(body.get("messages"))],
        "system": system or None,
        "temperature": config.get("temperature", body.get("temperature")),
        "top_p": config.get("topP", body.get("top_p")),
        "max_tokens": config.get("maxTokens", body.get("max_tokens")),
        "tools": tools or None,
        "tool_choice": told.get("toolChoice"),
    }


def _converse_tool(tool: Any) -> Any:
    spec = dict_of(tool).get("toolSpec")
    return spec if type(spec) is dict else tool


def _converse_message(message: Any) -> Any:
    if type(message) is not dict or type(message.get("content")) is not list:
        return message
    blocks = message["content"]
    if len(blocks) == 1 and _only_says(blocks[0]):
        return {**message, "content": blocks[0]["text"]}
    blocks = [b for b in blocks if not _marks_the_cache(b)]
    return {**message, "content": [_converse_block(b) for b in blocks]}


def _marks_the_cache(block: Any) -> bool:
    """Whether a block says only how far to cache: it is the same in everybody's requests."""
    return type(block) is dict and "cachePoint" in block


def _converse_block(block: Any) -> Any:
    if type(block) is not dict or "type" in block:
        return block
    if "text" in block:
        return {"type": "text", "text": block["text"]}
    guarded = dict_of(block.get("guardContent"))
    if type(guarded.get("text")) is dict:
        return {"type": "text", "text": guarded["text"].get("text")}
    if type(guarded.get("image")) is dict:
        return {**guarded["image"], "type": "image"}
    if type(block.get("toolUse")) is dict:
        return {**block["toolUse"], "type": "tool_use"}
    if type(block.get("toolResult")) is dict:
        inner = [_converse_block(b) for b in _list(block["toolResult"].get("content"))]
        return {"type": "tool_result", "content": inner}
    if type(block.get("reasoningContent")) is dict:
        held = block["reasoningContent"]
        told = dict_of(held.get("reasoningText"))
        if told:
            return {"type": "thinking", "thinking": told.get("text"),
                    "signature": told.get("signature")}  # fmt: skip
        return {"type": "redacted_thinking", "data": held.get("redactedContent")}
    for kind in ("image", "document", "video", "audio"):
        if type(block.get(kind)) is dict:
            return {**block[kind], "type": kind}
    return {"type": next(iter(block), "part"), "value": block}


# Gemini: generateContent; requests are logged in camel case, SDKs dump them in snake case


_GEMINI_CONFIG = {
    "temperature": "temperature", "seed": "seed", "logprobs": "top_logprobs", "topP": "top_p",
    "maxOutputTokens": "max_tokens", "candidateCount": "n", "responseMimeType": "response_format",
}  # fmt: skip
_GEMINI_CONFIG_OF_SDK = {
    "top_p": "top_p", "max_output_tokens": "max_tokens", "candidate_count": "n",
    "response_mime_type": "response_format",
}  # fmt: skip


_GEMINI_OF_THOUGHT = frozenset({"thought", "thoughtSignature", "thought_signature"})
_GEMINI_DATA = ("inlineData", "inline_data", "fileData", "file_data")


def _gemini_request(body: _Body) -> _Body:
    plain = {
        "model": body.get("model"),
        "messages": [_gemini_turn(turn) for turn in _list(body["contents"])],
    }
    system = body.get("systemInstruction") or body.get("system_instruction")
    if system:
        plain["system"] = _gemini_parts(dict_of(system).get("parts"))
    config = body.get("generationConfig") or body.get("generation_config")
    if type(config) is dict:
        _add_config(plain, config)
    if "tools" in body:
        plain["tools"] = [
            declaration
            for held in map(dict_of, _list(body["tools"]))
            for declaration in _list(
                held.get("functionDeclarations") or held.get("function_declarations")
            )
        ] or None
    choice = body.get("toolConfig") or body.get("tool_config")
    if choice is not None:
        plain["tool_choice"] = choice
    return plain


def _add_config(plain: _Body, config: _Body) -> None:
    """Add the parameters that are told; of one spelled both ways the camel case counts."""
    for key, value in config.items():
        if value is None:
            continue
        if key in _GEMINI_CONFIG:
            plain[_GEMINI_CONFIG[key]] = value
        elif key in _GEMINI_CONFIG_OF_SDK:
            plain.setdefault(_GEMINI_CONFIG_OF_SDK[key], value)
    if plain.get("response_format") == "application/json":
        plain["response_format"] = "json_object"
    thinking = dict_of(config.get("thinkingConfig") or config.get("thinking_config"))
    if thinking:
        plain["reasoning_effort"] = thinking.get("thinkingLevel") or thinking.get("thinking_level")


def _gemini_turn(turn: Any) -> Any:
    if type(turn) is not dict:
        return turn
    role = turn.get("role")
    if type(role) is str:
        role = "assistant" if role == "model" else role
    else:
        role = "user"
    parts = turn.get("parts")
    if type(parts) is list and len(parts) == 1:
        part = parts[0]
        if type(part) is dict and len(part) == 1 and type(part.get("text")) is str:
            return {"role": role, "content": part["text"]}
    return {"role": role, "content": _gemini_parts(parts)}


def _gemini_parts(parts: Any) -> list[Any]:
    return [_gemini_part(part) for part in _list(parts)]


def _gemini_part(part: Any) -> Any:
    if type(part) is not dict:
        return part
    if part.get("text") is not None or _is_null_text(part):
        if part.get("thought") is True:
            seal = part.get("thoughtSignature") or part.get("thought_signature")
            return {"type": "thinking", "thinking": part["text"], "signature": seal}
        return {"type": "text", "text": part["text"]}
    call = part.get("functionCall") or part.get("function_call")
    if type(call) is dict:
        return {"type": "tool_use", "name": call.get("name"), "input": call.get("args")}
    answer = part.get("functionResponse") or part.get("function_response")
    if type(answer) is dict:
        return {"type": "tool_result", "content": [{"type": "result", **answer}]}
    data = dict_of(next(filter(None, map(part.get, _GEMINI_DATA)), None))
    kind = str(data.get("mimeType") or data.get("mime_type") or "part").partition("/")[0]
    return {**data, "type": kind if kind in ("image", "audio", "video") else "file"}


def _is_null_text(part: _Body) -> bool:
    """Whether a part is a text of null, as an SDK dumps every kind that a part is not."""
    return "text" in part and all(v is None or k in _GEMINI_OF_THOUGHT for k, v in part.items())


def _gemini_response(body: _Body) -> _Body:
    blocks: list[Any] = []
    finish: Any = None
    for candidate in _list(body.get("candidates")):
        if type(candidate) is dict:
            content = candidate.get("content")
            if type(content) is dict:
                blocks += _gemini_parts(content.get("parts"))
            finish = finish or candidate.get("finishReason") or candidate.get("finish_reason")
    if not finish:
        blocked = dict_of(body.get("promptFeedback") or body.get("prompt_feedback"))
        finish = blocked.get("blockReason") or blocked.get("block_reason")
    return {
        "id": body.get("responseId") or body.get("response_id"),
        "created": body.get("createTime") or body.get("create_time"),
        "model": body.get("modelVersion") or body.get("model_version"),
        "content": blocks,
        "stop_reason": finish,
        "usage": body.get("usageMetadata") or body.get("usage_metadata"),
    }


# The older text models of Bedrock: Llama, Titan, Mistral, Cohere


def _cohere_request(body: _Body) -> _Body:
    """Return a chat of Cohere's, whose last turn stands apart and whose roles are in capitals."""
    before = [
        {"role": {"CHATBOT": "assistant"}.get(role, role.lower()), "content": turn.get("message")}
        for turn in map(dict_of, _list(body.get("chat_history")))
        if type(role := turn.get("role", "USER")) is str
    ]
    now = {"role": "user", "content": body["message"]}
    return {**body, "messages": [*before, now], "system": body.get("preamble"),
            "top_p": body.get("p")}  # fmt: skip


def _text_response(body: _Body) -> _Body:
    for key in ("outputs", "generations"):  # Mistral, Cohere
        if found := [dict_of(one) for one in _list(body.get(key))]:
            return {
                "content": [{"type": "text", "text": one.get("text")} for one in found],
                "stop_reason": found[0].get("stop_reason", found[0].get("finish_reason")),
                "usage": None,
            }
    if "generation" in body:
        counts = {"input_tokens": body.get("prompt_token_count"),
                  "output_tokens": body.get("generation_token_count")}  # fmt: skip
        return {"content": [{"type": "text", "text": body["generation"]}],
                "stop_reason": body.get("stop_reason"),
                "usage": counts if None not in counts.values() else None}  # fmt: skip
    results = _list(body.get("results")) or [body]
    texts = [dict_of(r).get("outputText") for r in results]
    return {
        "content": [{"type": "text", "text": t} for t in texts if type(t) is str],
        "stop_reason": dict_of(results[0]).get("completionReason"),
        "usage": None,
    }
