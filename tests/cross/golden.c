/* Exchanges from standard input, their features to standard output: the kernel without Python.
 *
 * In: numbers are 32 bits, little-endian. Count of messages, each as role and content; count of
 * tools; tools; then tool schema, output, reasoning, blob. A text is its size and its bytes, an
 * absent one the size 0xFFFFFFFF. Out: the features as a line of hexadecimal numbers, the topic as
 * its bytes. */
#include <stdio.h>

#include "exchange.h"

static uint32_t number(void)
{
    uint8_t b[4];
    if (fread(b, 1, 4, stdin) != 4)
        exit(feof(stdin) ? 0 : 1);
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static struct text read_text(void)
{
    struct text t = {NULL, 0};
    const uint32_t size = number();
    if (size == UINT32_MAX || !size)
        return t;
    uint8_t *data = malloc(size);
    if (!data || fread(data, 1, size, stdin) != size)
        exit(1);
    t.data = data;
    t.size = size;
    return t;
}

int main(void)
{
    struct work w = {0};
    uint64_t values[C_COUNT];
    int8_t topic[64];
    tokens_init();
    similarity_init();
    shapes_init();
    for (;;) {
        exchange_clear(&w.exchange);
        for (uint32_t left = number(); left; left--) {
            const struct text role = read_text(), content = read_text();
            if (exchange_add_message(&w.exchange, role, content) < 0)
                return 1;
        }
        for (uint32_t left = number(); left; left--)
            if (exchange_add_tool(&w.exchange, read_text()) < 0)
                return 1;
        w.exchange.tool_schema = read_text();
        w.exchange.output = read_text();
        w.exchange.reasoning = read_text();
        w.exchange.blob = read_text();
        if (featurize(&w, values, topic) < 0)
            return 1;
        for (int c = 0; c < C_COUNT; c++)
            if (c != C_topic)
                printf("%llx ", (unsigned long long)values[c]);
        for (int i = 0; i < 64; i++)
            printf("%02x", (unsigned)(uint8_t)topic[i]);
        putchar('\n');
    }
}
