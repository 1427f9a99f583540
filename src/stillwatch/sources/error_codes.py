"""The HTTP code behind the name of an error class, as the client libraries call them."""

from __future__ import annotations

from typing import Final

__all__ = ["CODE_OF_CLASS"]

CODE_OF_CLASS: Final = {
    "RateLimitError": 429,
    "BudgetExceededError": 429,
    "AuthenticationError": 401,
    "PermissionDeniedError": 403,
    "BadRequestError": 400,
    "ContextWindowExceededError": 400,
    "ContentPolicyViolationError": 400,
    "GuardrailRaisedException": 400,
    "NotFoundError": 404,
    "Timeout": 408,
    "APITimeoutError": 408,
    "ConflictError": 409,
    "UnprocessableEntityError": 422,
    "InternalServerError": 500,
    "APIError": 500,
    "APIConnectionError": 500,
    "BadGatewayError": 502,
    "ServiceUnavailableError": 503,
}
