/* Views of Arrow columns, checked: offsets that leave their buffers are refused, never followed. */
#ifndef STILLWATCH_ARROW_H
#define STILLWATCH_ARROW_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "exchange.h"

/* One column given as (offset, length, large, validity, offsets, data); buffers may be None. */
struct column {
    int present, large;
    int64_t offset, length;
    Py_buffer validity, offsets, data;
};

static int buffer_get(PyObject *owner, Py_buffer *view)
{
    view->obj = NULL;
    view->buf = NULL;
    view->len = 0;
    return owner == Py_None ? 0 : PyObject_GetBuffer(owner, view, PyBUF_SIMPLE);
}

static void column_release(struct column *c)
{
    PyBuffer_Release(&c->validity);
    PyBuffer_Release(&c->offsets);
    PyBuffer_Release(&c->data);
}

/* Reads the tuple; `sized` columns have offsets. Sets a Python error and returns -1. */
static int column_parse(PyObject *spec, struct column *c, int sized)
{
    PyObject *validity, *offsets, *data;
    long long offset, length;
    if (spec == Py_None)
        return 0;
    if (!PyTuple_Check(spec)) {
        PyErr_SetString(PyExc_TypeError, "a column must be a tuple of six or None");
        return -1;
    }
    if (!PyArg_ParseTuple(spec, "LLpOOO", &offset, &length, &c->large, &validity, &offsets, &data))
        return -1;
    c->offset = offset;
    c->length = length;
    if (buffer_get(validity, &c->validity) < 0 || buffer_get(offsets, &c->offsets) < 0
        || buffer_get(data, &c->data) < 0)
        return -1;
    const int64_t width = c->large ? 8 : 4, limit = INT64_MAX / 16;
    int fits = offset >= 0 && length >= 0 && offset < limit && length < limit;
    if (fits && c->validity.buf)
        fits = (offset + length + 7) / 8 <= c->validity.len;
    if (fits && sized && length)
        fits = c->offsets.buf && (offset + length + 1) * width <= c->offsets.len;
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "an Arrow buffer is shorter than its array");
        return -1;
    }
    c->present = 1;
    return 0;
}

static inline int column_is_valid(const struct column *c, int64_t row)
{
    const uint8_t *bits = c->validity.buf;
    int64_t i = c->offset + row;
    return !bits || (bits[i >> 3] >> (i & 7) & 1);
}

static inline void column_bounds(const struct column *c, int64_t row, int64_t *start, int64_t *stop)
{
    const int64_t i = c->offset + row;
    if (c->large) {
        memcpy(start, (const char *)c->offsets.buf + 8 * i, 8);
        memcpy(stop, (const char *)c->offsets.buf + 8 * (i + 1), 8);
    } else {
        int32_t bounds[2];
        memcpy(bounds, (const char *)c->offsets.buf + 4 * i, 8);
        *start = bounds[0];
        *stop = bounds[1];
    }
}

/* The text of a row, empty where null or missing. -1: corrupt offsets. */
static inline int column_text(const struct column *c, int64_t row, struct text *t)
{
    int64_t start, stop;
    t->data = NULL;
    t->size = 0;
    if (!c->present || row >= c->length || !column_is_valid(c, row))
        return 0;
    column_bounds(c, row, &start, &stop);
    if (start < 0 || stop < start || stop > c->data.len)
        return -1;
    if (stop > start) {
        t->data = (const uint8_t *)c->data.buf + start;
        t->size = (size_t)(stop - start);
    }
    return 0;
}

/* The child rows of a list row: none where null or missing. -1: corrupt offsets. */
static inline int column_list(const struct column *c, int64_t row, int64_t children,
                              int64_t *start, int64_t *stop)
{
    *start = *stop = 0;
    if (!c->present || row >= c->length || !column_is_valid(c, row))
        return 0;
    column_bounds(c, row, start, stop);
    return *start < 0 || *stop < *start || *stop > children ? -1 : 0;
}

/* The columns of a batch; `message` carries only the validity of the structs. */
struct batch {
    struct column messages, message, role, content;
    struct column tools, tool, tool_schema, output, reasoning, blob;
};

static void batch_release(struct batch *b)
{
    struct column *columns = (struct column *)b;
    for (size_t i = 0; i < sizeof(*b) / sizeof(*columns); i++)
        column_release(&columns[i]);
}

/* The bytes of all messages of the rows [first, stop), 0 where the offsets are corrupt: no more
 * than these can be scanned, and to know that saves growing. */
static size_t batch_message_bytes(const struct batch *b, size_t first, size_t stop)
{
    int64_t child, next, from, to, unused;
    if (first >= stop || !b->messages.present || !b->content.present
        || (int64_t)stop > b->messages.length)
        return 0;
    column_bounds(&b->messages, (int64_t)first, &child, &unused);
    column_bounds(&b->messages, (int64_t)stop - 1, &unused, &next);
    if (child < 0 || next <= child || next > b->content.length)
        return 0;
    column_bounds(&b->content, child, &from, &unused);
    column_bounds(&b->content, next - 1, &unused, &to);
    return from < 0 || to < from || to > b->content.data.len ? 0 : (size_t)(to - from);
}

/* Points w->exchange at a row. -1: no memory, -2: corrupt offsets. */
static int batch_row(const struct batch *b, int64_t row, struct exchange *x)
{
    int64_t i, stop;
    exchange_clear(x);
    if (column_list(&b->messages, row, b->message.length, &i, &stop) < 0)
        return -2;
    for (; i < stop; i++) {
        struct text role, content;
        if (!column_is_valid(&b->message, i))
            continue;
        if (column_text(&b->role, i, &role) < 0 || column_text(&b->content, i, &content) < 0)
            return -2;
        if (exchange_add_message(x, role, content) < 0)
            return -1;
    }
    if (column_list(&b->tools, row, b->tool.length, &i, &stop) < 0)
        return -2;
    for (; i < stop; i++) {
        struct text name;
        if (column_text(&b->tool, i, &name) < 0)
            return -2;
        if (exchange_add_tool(x, name) < 0)
            return -1;
    }
    if (column_text(&b->tool_schema, row, &x->tool_schema) < 0
        || column_text(&b->output, row, &x->output) < 0
        || column_text(&b->reasoning, row, &x->reasoning) < 0
        || column_text(&b->blob, row, &x->blob) < 0)
        return -2;
    return 0;
}

#endif
