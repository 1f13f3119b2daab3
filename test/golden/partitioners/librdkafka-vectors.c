/*
 * Asks librdkafka where its partitioners place each key. Argument: byte-keys.txt. Prints librdkafka.json.
 * The random ones want a topic; one that was never connected to a broker will do.
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int32_t partitioner_t(const rd_kafka_topic_t *, const void *, size_t, int32_t, void *, void *);

static const struct {
    const char *name;
    partitioner_t *fixed;
    partitioner_t *spreading;
} HASHES[] = {
    {"consistent", rd_kafka_msg_partitioner_consistent, rd_kafka_msg_partitioner_consistent_random},
    {"murmur2", rd_kafka_msg_partitioner_murmur2, rd_kafka_msg_partitioner_murmur2_random},
    {"fnv1a", rd_kafka_msg_partitioner_fnv1a, rd_kafka_msg_partitioner_fnv1a_random},
};
static const int COUNTS[] = {1,  2,  3,  4,  5,   6,   7,   8,   9,   10,  12,  16,
                             31, 32, 64, 97, 100, 127, 128, 255, 256, 500, 999, 1000};
enum { COUNT_OF_COUNTS = sizeof COUNTS / sizeof *COUNTS };

static rd_kafka_topic_t *topic;

static void print_partitions(partitioner_t *partitioner, const void *key, size_t length) {
    for (int i = 0; i < COUNT_OF_COUNTS; i++)
        printf("%s%d", i == 0 ? "[" : ", ", partitioner(topic, key, length, COUNTS[i], NULL, NULL));
    printf("]");
}

static int spreads(partitioner_t *partitioner, const void *key) {
    int32_t first = partitioner(topic, key, 0, 1000, NULL, NULL);
    for (int i = 0; i < 100; i++)
        if (partitioner(topic, key, 0, 1000, NULL, NULL) != first) return 1;
    return 0;
}

static void print_key(const char *hex, size_t digits) {
    unsigned char key[4096];
    size_t length = digits / 2;
    for (size_t i = 0; i < length; i++) sscanf(hex + 2 * i, "%2hhx", &key[i]);
    printf("{ \"key\": \"%.*s\"", (int)digits, hex);
    for (int h = 0; h < 3; h++) {
        printf(", \"%s\": ", HASHES[h].name);
        print_partitions(HASHES[h].fixed, key, length);
        /* With a key both forms must agree, or one column would not be enough. */
        for (int i = 0; length > 0 && i < COUNT_OF_COUNTS; i++)
            if (HASHES[h].fixed(topic, key, length, COUNTS[i], NULL, NULL) !=
                HASHES[h].spreading(topic, key, length, COUNTS[i], NULL, NULL)) abort();
    }
    printf(" }");
}

int main(int argc, char **argv) {
    static char line[8192];
    FILE *keys = fopen(argv[argc - 1], "r");
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, NULL, NULL, 0);
    if (!keys || !producer) return 1;
    topic = rd_kafka_topic_new(producer, "vectors", NULL);

    printf("{\n  \"madeBy\": \"librdkafka %s\",\n  \"partitionCounts\": [", rd_kafka_version_str());
    for (int i = 0; i < COUNT_OF_COUNTS; i++) printf("%s%d", i == 0 ? "" : ", ", COUNTS[i]);
    printf("],\n  \"withoutKey\": {");
    for (int h = 0; h < 3; h++) {
        printf("%s\n    \"%s\": ", h == 0 ? "" : ",", HASHES[h].name);
        print_partitions(HASHES[h].fixed, NULL, 0);
    }
    printf("\n  },\n  \"spreads\": {");
    for (int h = 0; h < 3; h++)
        printf("%s\n    \"%s_random\": { \"withoutKey\": %s, \"emptyKey\": %s }", h == 0 ? "" : ",", HASHES[h].name,
               spreads(HASHES[h].spreading, NULL) ? "true" : "false", spreads(HASHES[h].spreading, "") ? "true" : "false");
    printf("\n  },\n  \"vectors\": [");
    for (int first = 1; fgets(line, sizeof line, keys);) {
        if (line[0] == '#') continue;
        printf("%s\n    ", first ? "" : ",");
        print_key(line, strspn(line, "0123456789abcdef"));
        first = 0;
    }
    printf("\n  ]\n}\n");
    return 0;
}
