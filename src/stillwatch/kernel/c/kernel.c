/* The Python module stillwatch.kernel._kernel: arguments in, features out, the GIL released. */
#include "arrow.h"
#include "blake2.h"
#include "level.h"

#define TOPIC_BYTES 64
#define COLUMN_ALIGNMENT 64

static const struct level LEVEL_BASE = LEVEL_OF("base");
static const struct level *level = &LEVEL_BASE;

#define LEVELS_MOST 3

/* The levels that this processor can run, the best one last; returns how many. */
static int levels_here(const struct level **found)
{
    int count = 0;
    found[count++] = &LEVEL_BASE;
#if HAVE_LEVELS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi")
        && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt")) {
        found[count++] = &LEVEL_AVX2;
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
            && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2"))
            found[count++] = &LEVEL_AVX512;
    }
#endif
    return count;
}

/* Where the columns of a batch go: one block, each column starting at a multiple of 64 bytes. */
struct sink {
    uint8_t *columns[C_COUNT];
    size_t size;
};

static void sink_layout(struct sink *s, uint8_t *base, size_t rows)
{
    s->size = 0;
    for (int c = 0; c < C_COUNT; c++) {
        s->columns[c] = base ? base + s->size : NULL;
        size_t bytes = rows * COLUMN_BYTES[c];
        s->size += (bytes + COLUMN_ALIGNMENT - 1) / COLUMN_ALIGNMENT * COLUMN_ALIGNMENT;
    }
}

static void sink_write(const struct sink *s, size_t row, const uint64_t *values, const int8_t *topic)
{
    for (int c = 0; c < C_COUNT; c++) {
        uint8_t *at = s->columns[c] + row * COLUMN_BYTES[c];
        if (COLUMN_BYTES[c] == 8) {
            memcpy(at, &values[c], 8);
        } else if (COLUMN_BYTES[c] == 4) {
            uint32_t value = (uint32_t)values[c];
            memcpy(at, &value, 4);
        } else if (COLUMN_BYTES[c] == 2) {
            uint16_t value = (uint16_t)values[c];
            memcpy(at, &value, 2);
        } else {
            memcpy(at, topic, TOPIC_BYTES);
        }
    }
}

static void raise_failure(int failure)
{
    if (failure == -1)
        PyErr_NoMemory();
    else
        PyErr_SetString(PyExc_ValueError, "an Arrow offset points outside its buffer");
}

/* The loop without the GIL. Returns 0, -1 (no memory) or -2 (corrupt offsets). */
static int featurize_batch(const struct batch *b, size_t first, size_t stop,
                           const struct sink *sink, struct work *w, uint64_t *scan_starts)
{
    uint64_t values[C_COUNT];
    int8_t topic[TOPIC_BYTES];
    const struct text none = {NULL, 0};
    if (scan_reserve(&w->scan, batch_message_bytes(b, first, stop) + 2 * (stop - first)) < 0)
        return -1;
    for (size_t row = first; row < stop; row++) {
        scan_starts[row - first] = w->scan.size;
        int failure = batch_row(b, (int64_t)row, &w->exchange);
        if (!failure)
            failure = level->featurize(w, values, topic);
        if (!failure)
            failure = scan_add(&w->scan, none, 0);
        if (failure)
            return failure;
        sink_write(sink, row, values, topic);
    }
    scan_starts[stop - first] = w->scan.size;
    return 0;
}

/* Which rows of how many a call does. */
struct span {
    size_t rows, first, stop;
};

static int batch_parse(PyObject *args, struct span *span, Py_buffer *out, struct batch *b)
{
    PyObject *messages, *message, *role, *content, *tools, *tool, *schema, *output, *reasoning, *blob;
    Py_ssize_t rows, first, stop;
    if (!PyArg_ParseTuple(args, "nnnw*OOOOOOOOOO", &rows, &first, &stop, out, &messages, &message, &role, &content,
                          &tools, &tool, &schema, &output, &reasoning, &blob))
        return -1;
    if (first < 0 || stop < first || rows < stop) {
        PyErr_SetString(PyExc_ValueError, "the span leaves the rows");
        return -1;
    }
    *span = (struct span){(size_t)rows, (size_t)first, (size_t)stop};
    return column_parse(messages, &b->messages, 1) < 0 || column_parse(message, &b->message, 0) < 0
            || column_parse(role, &b->role, 1) < 0 || column_parse(content, &b->content, 1) < 0
            || column_parse(tools, &b->tools, 1) < 0 || column_parse(tool, &b->tool, 1) < 0
            || column_parse(schema, &b->tool_schema, 1) < 0
            || column_parse(output, &b->output, 1) < 0
            || column_parse(reasoning, &b->reasoning, 1) < 0
            || column_parse(blob, &b->blob, 1) < 0
        ? -1
        : 0;
}

PyDoc_STRVAR(batch_doc,
    "batch(rows, first, stop, out, messages, message, role, content, tools, tool, tool_schema, output_text,\n"
    "reasoning_text, reasoning_blob) -> (scan text, row starts as uint64)\n\n"
    "Writes the features of the rows [first, stop) of a record batch into `out`, which has room\n"
    "for all; text and starts are those of these rows. Columns are tuples\n"
    "(offset, length, large, validity, offsets, data) or None. Raises ValueError for buffers\n"
    "that do not fit, MemoryError.");

static PyObject *kernel_batch(PyObject *module, PyObject *args)
{
    (void)module;
    struct batch b = {0};
    struct work w = {0};
    struct sink sink;
    Py_buffer out = {0};
    PyObject *starts = NULL, *result = NULL;
    struct span span = {0, 0, 0};
    int failure;
    if (batch_parse(args, &span, &out, &b) < 0)
        goto done;
    sink_layout(&sink, out.buf, span.rows);
    if (span.rows > PY_SSIZE_T_MAX / 1024 || (size_t)out.len < sink.size) {
        PyErr_SetString(PyExc_ValueError, "the output buffer is too small");
        goto done;
    }
    starts = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)((span.stop - span.first + 1) * sizeof(uint64_t)));
    if (!starts)
        goto done;
    uint64_t *scan_starts = (uint64_t *)(void *)PyBytes_AsString(starts);
    Py_BEGIN_ALLOW_THREADS
    failure = featurize_batch(&b, span.first, span.stop, &sink, &w, scan_starts);
    Py_END_ALLOW_THREADS
    if (failure)
        raise_failure(failure);
    else
        result = Py_BuildValue("y#O", w.scan.data ? (const char *)w.scan.data : "",
                               (Py_ssize_t)w.scan.size, starts);
done:
    Py_XDECREF(starts);
    work_free(&w);
    batch_release(&b);
    PyBuffer_Release(&out);
    return result;
}

/* A view of str, bytes or None; what must stay alive goes into `kept`. */
static int text_view(PyObject *value, PyObject *kept, struct text *t)
{
    Py_ssize_t size;
    t->data = NULL;
    t->size = 0;
    if (value == Py_None)
        return 0;
    if (PyUnicode_Check(value)) {
        const char *data = PyUnicode_AsUTF8AndSize(value, &size);
        if (data) {
            t->data = (const uint8_t *)data;
            t->size = (size_t)size;
            return 0;
        }
        PyErr_Clear(); /* lone surrogates */
        PyObject *bytes = PyUnicode_AsEncodedString(value, "utf-8", "surrogatepass");
        if (!bytes)
            return -1;
        int failed = PyList_Append(kept, bytes);
        Py_DECREF(bytes);
        if (failed < 0)
            return -1;
        value = bytes;
    }
    if (!PyBytes_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "text must be str, bytes or None");
        return -1;
    }
    t->data = (const uint8_t *)PyBytes_AsString(value);
    t->size = (size_t)PyBytes_Size(value);
    return 0;
}

static int one_messages(PyObject *messages, PyObject *kept, struct exchange *x)
{
    Py_ssize_t count = PyTuple_Size(messages);
    for (Py_ssize_t i = 0; i < count; i++) {
        struct text role, content;
        PyObject *pair = PyTuple_GetItem(messages, i);
        if (!PyTuple_Check(pair) || PyTuple_Size(pair) != 2) {
            PyErr_SetString(PyExc_TypeError, "a message must be a pair (role, content)");
            return -1;
        }
        if (text_view(PyTuple_GetItem(pair, 0), kept, &role) < 0
            || text_view(PyTuple_GetItem(pair, 1), kept, &content) < 0)
            return -1;
        if (exchange_add_message(x, role, content) < 0) {
            PyErr_NoMemory();
            return -1;
        }
    }
    return 0;
}

static int one_tools(PyObject *tools, PyObject *kept, struct exchange *x)
{
    Py_ssize_t count = PyTuple_Size(tools);
    for (Py_ssize_t i = 0; i < count; i++) {
        struct text name;
        if (text_view(PyTuple_GetItem(tools, i), kept, &name) < 0)
            return -1;
        if (exchange_add_tool(x, name) < 0) {
            PyErr_NoMemory();
            return -1;
        }
    }
    return 0;
}

static PyObject *one_result(const struct work *w, const uint64_t *values, const int8_t *topic)
{
    PyObject *row = PyList_New(C_COUNT);
    if (!row)
        return NULL;
    for (int c = 0; c < C_COUNT; c++) {
        PyObject *item = c == C_topic
            ? PyBytes_FromStringAndSize((const char *)topic, TOPIC_BYTES)
            : PyLong_FromUnsignedLongLong(values[c]);
        if (!item || PyList_SetItem(row, c, item) < 0) {
            Py_DECREF(row);
            return NULL;
        }
    }
    return Py_BuildValue("Ny#", row, w->scan.data ? (const char *)w->scan.data : "",
                         (Py_ssize_t)w->scan.size);
}

PyDoc_STRVAR(one_doc,
    "one(messages, tools, tool_schema, output_text, reasoning_text, reasoning_blob)\n"
    "-> (list of feature values, scan text)\n\n"
    "The features of one exchange: messages is a tuple of (role, content), tools a tuple of\n"
    "names; each text str, bytes or None. Raises TypeError, MemoryError.");

static PyObject *kernel_one(PyObject *module, PyObject *args)
{
    (void)module;
    struct work w = {0};
    struct exchange *x = &w.exchange;
    PyObject *messages, *tools, *schema, *output, *reasoning, *blob, *result = NULL;
    uint64_t values[C_COUNT];
    int8_t topic[TOPIC_BYTES];
    int failure;
    if (!PyArg_ParseTuple(args, "O!O!OOOO", &PyTuple_Type, &messages, &PyTuple_Type, &tools,
                          &schema, &output, &reasoning, &blob))
        return NULL;
    PyObject *kept = PyList_New(0);
    if (!kept)
        return NULL;
    if (one_messages(messages, kept, x) < 0 || one_tools(tools, kept, x) < 0
        || text_view(schema, kept, &x->tool_schema) < 0
        || text_view(output, kept, &x->output) < 0
        || text_view(reasoning, kept, &x->reasoning) < 0
        || text_view(blob, kept, &x->blob) < 0)
        goto done;
    Py_BEGIN_ALLOW_THREADS
    failure = level->featurize(&w, values, topic);
    Py_END_ALLOW_THREADS
    if (failure)
        raise_failure(failure);
    else
        result = one_result(&w, values, topic);
done:
    Py_DECREF(kept);
    work_free(&w);
    return result;
}

PyDoc_STRVAR(similarity_doc,
    "similarity(text) -> (SimHash, 64 MinHash values as bytes, uint32 in native order)\n\n"
    "text is str, bytes or None. Raises TypeError, MemoryError.");

static PyObject *kernel_similarity(PyObject *module, PyObject *value)
{
    (void)module;
    struct tokens t = {0};
    struct similarity s;
    struct text text;
    PyObject *result = NULL;
    int failure;
    PyObject *kept = PyList_New(0);
    if (!kept)
        return NULL;
    if (text_view(value, kept, &text) < 0)
        goto done;
    Py_BEGIN_ALLOW_THREADS
    failure = level->tokenize(&t, text.data, text.size);
    if (!failure)
        level->similarity_of(&t, &s);
    Py_END_ALLOW_THREADS
    if (failure)
        raise_failure(failure);
    else
        result = Py_BuildValue("Ky#", (unsigned long long)s.simhash, (const char *)s.mins,
                               (Py_ssize_t)sizeof(s.mins));
done:
    Py_DECREF(kept);
    tokens_free(&t);
    return result;
}

PyDoc_STRVAR(token_hashes_doc,
    "token_hashes(text) -> (hashes as bytes, uint64 in native order; kinds as bytes)\n\n"
    "text is str, bytes or None; kinds as in tokenizer.py. Raises TypeError, MemoryError.");

static PyObject *kernel_token_hashes(PyObject *module, PyObject *value)
{
    (void)module;
    struct tokens t = {0};
    struct text text;
    PyObject *result = NULL;
    PyObject *kept = PyList_New(0);
    if (!kept)
        return NULL;
    if (text_view(value, kept, &text) < 0)
        goto done;
    if (level->tokenize(&t, text.data, text.size) < 0)
        PyErr_NoMemory();
    else
        result = Py_BuildValue("y#y#", t.hash ? (const char *)t.hash : "",
                               (Py_ssize_t)(t.count * sizeof(*t.hash)),
                               t.kind ? (const char *)t.kind : "", (Py_ssize_t)t.count);
done:
    Py_DECREF(kept);
    tokens_free(&t);
    return result;
}

PyDoc_STRVAR(text_hashes_doc,
    "text_hashes(column) -> BLAKE2b-64 of each text of an Arrow column, as uint64 in native order;\n"
    "0 where it is empty or null. The column as in batch. Raises ValueError, TypeError, MemoryError.");

static PyObject *kernel_text_hashes(PyObject *module, PyObject *spec)
{
    (void)module;
    struct column c = {0};
    PyObject *result = NULL;
    int failure = 0;
    if (column_parse(spec, &c, 1) < 0)
        goto done;
    result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(c.length * (int64_t)sizeof(uint64_t)));
    if (!result)
        goto done;
    char *out = PyBytes_AsString(result);
    Py_BEGIN_ALLOW_THREADS
    for (int64_t row = 0; row < c.length && !failure; row++) {
        struct text t;
        failure = column_text(&c, row, &t);
        if (!failure) {
            const uint64_t hash = identifier_hash(t.data, t.size);
            memcpy(out + row * (int64_t)sizeof(hash), &hash, sizeof(hash));
        }
    }
    Py_END_ALLOW_THREADS
    if (failure) {
        Py_CLEAR(result);
        raise_failure(-2);
    }
done:
    column_release(&c);
    return result;
}

PyDoc_STRVAR(levels_doc,
    "levels() -> names of the instruction sets that the kernel is compiled for and this processor\n"
    "has, the one in use last.");

static PyObject *kernel_levels(PyObject *module, PyObject *none)
{
    (void)module;
    (void)none;
    const struct level *found[LEVELS_MOST];
    const int count = levels_here(found);
    PyObject *names = PyTuple_New(count);
    for (int i = 0; names && i < count; i++) {
        PyObject *name = PyUnicode_FromString(found[i]->name);
        if (!name || PyTuple_SetItem(names, i, name) < 0) {
            Py_CLEAR(names);
        }
    }
    return names;
}

PyDoc_STRVAR(use_doc,
    "use(name): let all threads run the level of that name from now on; for tests and benchmarks,\n"
    "results are the same. Raises ValueError for one that levels() does not name.");

static PyObject *kernel_use(PyObject *module, PyObject *name)
{
    (void)module;
    const struct level *found[LEVELS_MOST];
    const int count = levels_here(found);
    Py_ssize_t size;
    const char *wanted = PyUnicode_Check(name) ? PyUnicode_AsUTF8AndSize(name, &size) : NULL;
    for (int i = 0; wanted && i < count; i++)
        if (!strcmp(found[i]->name, wanted)) {
            found[i]->init();
            level = found[i];
            Py_RETURN_NONE;
        }
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "no such level on this processor");
    return NULL;
}

static PyMethodDef methods[] = {
    {"batch", kernel_batch, METH_VARARGS, batch_doc},
    {"one", kernel_one, METH_VARARGS, one_doc},
    {"similarity", kernel_similarity, METH_O, similarity_doc},
    {"token_hashes", kernel_token_hashes, METH_O, token_hashes_doc},
    {"text_hashes", kernel_text_hashes, METH_O, text_hashes_doc},
    {"levels", kernel_levels, METH_NOARGS, levels_doc},
    {"use", kernel_use, METH_O, use_doc},
    {NULL, NULL, 0, NULL},
};

static int kernel_exec(PyObject *module)
{
    const struct level *found[LEVELS_MOST];
    level = found[levels_here(found) - 1];
    level->init();
    return PyModule_AddIntConstant(module, "KERNEL_VERSION", KERNEL_VERSION);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)kernel_exec},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "stillwatch.kernel._kernel",
    .m_doc = "The C kernel; stillwatch.kernel is its interface.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__kernel(void)
{
    return PyModuleDef_Init(&definition);
}
