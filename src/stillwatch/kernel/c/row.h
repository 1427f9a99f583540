/* One exchange -> its features; reference.py is its readable form. */
#ifndef STILLWATCH_ROW_H
#define STILLWATCH_ROW_H

#include "shapes.h"
#include "similarity.h"

#define MIN_PREFIX_TOKENS 12
#define SYSTEM_HEAD_TOKENS 16
#define LONGEST_FRAME 16

enum role { R_SYSTEM, R_USER, R_ASSISTANT, R_TOOL, R_OTHER };

struct text {
    const uint8_t *data;
    size_t size;
};

struct message {
    enum role role;
    struct text content;
};

/* One exchange as views into the caller's memory. */
struct exchange {
    struct message *messages;
    size_t message_count, message_capacity;
    struct text *tools;
    size_t tool_count, tool_capacity;
    struct text tool_schema, output, reasoning, blob;
};

/* Bytes for the intent patterns, growing. */
struct scan {
    uint8_t *data;
    size_t size, capacity;
};

/* Everything that is allocated: made once a call, reused from row to row. */
struct work {
    struct exchange exchange;
    struct tokens tokens;
    struct scan scan;
    uint64_t *names;
    size_t name_capacity;
};

/* Grows an array to hold `needed` items. -1: no memory. */
static int grow(void **items, size_t *capacity, size_t needed, size_t item_size)
{
    if (needed <= *capacity)
        return 0;
    size_t wanted = needed + needed / 2 + 16;
    if (wanted < needed || wanted > SIZE_MAX / item_size)
        return -1;
    void *grown = realloc(*items, wanted * item_size);
    if (!grown)
        return -1;
    *items = grown;
    *capacity = wanted;
    return 0;
}

/* Makes room for `size` bytes more. -1: no memory. */
static int scan_reserve(struct scan *s, size_t size)
{
    void *data = s->data;
    if (size > SIZE_MAX / 4 || grow(&data, &s->capacity, s->size + size, 1) < 0)
        return -1;
    s->data = data;
    return 0;
}

static int scan_add(struct scan *s, struct text t, uint8_t last)
{
    if (t.size > SIZE_MAX / 8 || scan_reserve(s, t.size + 1) < 0)
        return -1;
    uint8_t *p = s->data + s->size, *end = p + t.size;
    if (t.size)
        memcpy(p, t.data, t.size);
    *end = last;
    s->size += t.size + 1;
    while (p < end && (p = memchr(p, 0, (size_t)(end - p))))
        *p++ = ' ';
    return 0;
}

/* A conversation read so far. */
struct prefix {
    uint64_t state;
    size_t links, tokens;
    int answered;
};

static void prefix_add(struct prefix *p, enum role role, uint64_t hash, size_t tokens)
{
    if (role == R_SYSTEM || !tokens)
        return;
    p->state = step(step(p->state, (uint64_t)role), hash);
    p->links += 2;
    p->tokens += tokens;
    p->answered |= role == R_ASSISTANT;
}

static uint64_t prefix_hash(const struct prefix *p)
{
    return p->tokens < MIN_PREFIX_TOKENS ? 0 : finish_sequence(p->state, p->links);
}

static inline uint64_t saturated(uint64_t x, uint64_t most)
{
    return x < most ? x : most;
}

static void head_frames(const struct tokens *t, uint64_t *values)
{
    uint64_t state = SEQUENCE_SEED;
    size_t frame = 0;
    for (size_t i = 0; i < t->count && i < LONGEST_FRAME; i++) {
        state = step(state, t->hash[i]);
        if (i + 1 == FRAME_LENGTHS[frame])
            values[C_head_3 + frame++] = finish_sequence(state, i + 1);
    }
}

static void tail_frames(const struct tokens *t, uint64_t *values)
{
    uint64_t state = TAIL_SEED;
    size_t frame = 0;
    for (size_t i = 0; i < t->count && i < LONGEST_FRAME; i++) {
        state = step(state, t->hash[t->count - 1 - i]);
        if (i + 1 == FRAME_LENGTHS[frame])
            values[C_tail_3 + frame++] = finish_sequence(state, i + 1);
    }
}

static void payload_features(const struct tokens *t, uint64_t hash, uint64_t *values, int8_t *topic)
{
    struct similarity s;
    values[C_user_tokens] = saturated(t->count, UINT32_MAX);
    values[C_h_payload] = hash;
    tail_frames(t, values);
    topic_of(t, topic);
    similarity_of(t, &s);
    values[C_simhash] = s.simhash;
    for (unsigned band = 0; s.shingles && band < 8; band++)
        values[C_band_0 + band] = band_hash(&s, band);
}

/* System texts joined: the chain goes on over the messages. */
struct system_chain {
    uint64_t state;
    size_t count;
};

static void system_add(struct system_chain *c, const struct tokens *t, uint64_t *values)
{
    for (size_t i = 0; i < t->count; i++) {
        c->state = step(c->state, t->hash[i]);
        if (++c->count <= SYSTEM_HEAD_TOKENS)
            values[C_h_system_head] = finish_sequence(c->state, c->count);
    }
}

static int message_features(struct work *w, uint64_t *values, int8_t *topic, struct prefix *all)
{
    const struct exchange *x = &w->exchange;
    struct system_chain system = {SEQUENCE_SEED, 0};
    uint64_t system_bytes = 0, user_bytes = 0, turns = 0;
    size_t last_user = x->message_count;
    while (last_user && x->messages[last_user - 1].role != R_USER)
        last_user--; /* one past the last user message, 0 where there is none */
    for (size_t i = 0; i < x->message_count; i++) {
        const struct message *m = &x->messages[i];
        if (tokenize(&w->tokens, m->content.data, m->content.size) < 0)
            return -1;
        if (m->role == R_SYSTEM) {
            system_bytes += m->content.size;
            system_add(&system, &w->tokens, values);
            continue;
        }
        const uint64_t hash = w->tokens.sequence;
        if (m->role == R_USER) {
            user_bytes += m->content.size;
            if (!turns++)
                head_frames(&w->tokens, values);
        }
        if (i + 1 == last_user) {
            values[C_last_user_bytes] = saturated(m->content.size, UINT32_MAX);
            payload_features(&w->tokens, hash, values, topic);
            values[C_prefix_before_last_user] = all->answered ? prefix_hash(all) : 0;
        }
        prefix_add(all, m->role, hash, w->tokens.count);
    }
    values[C_n_messages] = saturated(x->message_count, UINT16_MAX);
    values[C_n_turns] = saturated(turns, UINT16_MAX);
    values[C_system_bytes] = saturated(system_bytes, UINT32_MAX);
    values[C_user_bytes] = saturated(user_bytes, UINT32_MAX);
    values[C_h_system] = finish_sequence(system.state, system.count);
    return 0;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int tool_features(struct work *w, uint64_t *values)
{
    const struct exchange *x = &w->exchange;
    if (tokenize(&w->tokens, x->tool_schema.data, x->tool_schema.size) < 0)
        return -1;
    values[C_h_tools] = w->tokens.sequence;
    if (w->tokens.count || !x->tool_count)
        return 0;
    void *names = w->names;
    if (grow(&names, &w->name_capacity, x->tool_count, sizeof(*w->names)) < 0)
        return -1;
    w->names = names;
    size_t count = 0;
    for (size_t i = 0; i < x->tool_count; i++)
        if (x->tools[i].size)
            w->names[count++] = bytes_hash(x->tools[i].data, x->tools[i].size);
    if (count)
        qsort(w->names, count, sizeof(*w->names), by_value);
    values[C_h_tools] = sequence_hash(w->names, count);
    return 0;
}

static int scan_features(struct work *w)
{
    const struct exchange *x = &w->exchange;
    for (size_t i = x->message_count; i-- > 0;)
        if (x->messages[i].role == R_USER) {
            if (scan_add(&w->scan, x->messages[i].content, '\n') < 0)
                return -1;
            break;
        }
    for (size_t i = 0; i < x->message_count; i++)
        if (x->messages[i].role == R_SYSTEM
            && scan_add(&w->scan, x->messages[i].content, '\n') < 0)
            return -1;
    return 0;
}

/* All features of w->exchange; its scan text is added to w->scan. -1: no memory. */
static int featurize(struct work *w, uint64_t *values, int8_t *topic)
{
    const struct exchange *x = &w->exchange;
    struct prefix all = {SEQUENCE_SEED, 0, 0, 0};
    memset(values, 0, C_COUNT * sizeof(*values));
    memset(topic, 0, 64);
    if (scan_features(w) < 0 || tool_features(w, values) < 0
        || message_features(w, values, topic, &all) < 0
        || tokenize(&w->tokens, x->output.data, x->output.size) < 0)
        return -1;
    values[C_h_output] = w->tokens.sequence;
    prefix_add(&all, R_ASSISTANT, values[C_h_output], w->tokens.count);
    values[C_prefix_full] = prefix_hash(&all);
    values[C_output_bytes] = saturated(x->output.size, UINT32_MAX);
    values[C_reasoning_bytes] = saturated(x->reasoning.size, UINT32_MAX);
    values[C_h_blob] = x->blob.size ? bytes_hash(x->blob.data, x->blob.size) : 0;
    values[C_shapes] = shapes_of(x->output.data, x->output.size);
    return 0;
}

#endif
