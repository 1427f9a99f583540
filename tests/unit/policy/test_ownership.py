"""Ownership decides access and nothing else."""

from __future__ import annotations

import ast
import inspect

import pytest

from stillwatch.policy import access_of, ownership
from stillwatch.schema import ACCESS, STANDINGS

ANSWERS = {"e-1": "restricted", "e-2": "possible", "e-3": "clear"}


@pytest.mark.parametrize(
    ("entity", "answers", "access"),
    [
        ("e-1", ANSWERS, "restricted"),
        ("e-2", ANSWERS, "possible"),
        ("e-3", ANSWERS, "clear"),
        ("e-9", ANSWERS, "undetermined"),
        (None, ANSWERS, "undetermined"),
        (None, {}, "clear"),
        ("e-1", {}, "clear"),
    ],
)
def test_access_is_the_answer_about_the_owner(entity, answers, access):
    assert access_of(entity, answers) == access
    assert access in ACCESS


def test_it_cannot_say_a_standing():
    words = {
        node.value
        for node in ast.walk(ast.parse(inspect.getsource(ownership)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert words & {"undetermined"}
    assert not words & (set(STANDINGS) - set(ACCESS))
