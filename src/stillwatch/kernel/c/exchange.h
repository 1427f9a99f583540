/* An exchange put together by a caller; nothing of Python or Arrow in it. */
#ifndef STILLWATCH_EXCHANGE_H
#define STILLWATCH_EXCHANGE_H

#include "row.h"

static inline void work_free(struct work *w)
{
    free(w->exchange.messages);
    free(w->exchange.tools);
    free(w->scan.data);
    free(w->names);
    tokens_free(&w->tokens);
}

static int role_is(struct text t, const char *name)
{
    return t.size == strlen(name) && !memcmp(t.data, name, t.size);
}

static enum role role_of(struct text t)
{
    if (!t.size)
        return R_OTHER;
    if (role_is(t, "user"))
        return R_USER;
    if (role_is(t, "assistant"))
        return R_ASSISTANT;
    if (role_is(t, "system") || role_is(t, "developer"))
        return R_SYSTEM;
    return role_is(t, "tool") || role_is(t, "function") ? R_TOOL : R_OTHER;
}

static int exchange_add_message(struct exchange *x, struct text role, struct text content)
{
    void *items = x->messages;
    if (grow(&items, &x->message_capacity, x->message_count + 1, sizeof(*x->messages)) < 0)
        return -1;
    x->messages = items;
    x->messages[x->message_count++] = (struct message){role_of(role), content};
    return 0;
}

static int exchange_add_tool(struct exchange *x, struct text name)
{
    void *items = x->tools;
    if (grow(&items, &x->tool_capacity, x->tool_count + 1, sizeof(*x->tools)) < 0)
        return -1;
    x->tools = items;
    x->tools[x->tool_count++] = name;
    return 0;
}

static void exchange_clear(struct exchange *x)
{
    const struct text none = {NULL, 0};
    x->message_count = x->tool_count = 0;
    x->tool_schema = x->output = x->reasoning = x->blob = none;
}

#endif
