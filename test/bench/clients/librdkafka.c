/*
 * librdkafka's own loop: produce, poll, count delivery reports.
 *
 *   librdkafka <bootstrap> <seconds> <warm-up seconds> <bytes> <acks> <codec> <level or -> <shape> <file or ->
 *
 * With the shape `corpus` it sends each line of the file once, as fast as it can. With the shape `real` it goes round the
 * lines of the file: key, value, traceparent and source, separated by tabs. Prints what job.ts calls Measured.
 */
#include <librdkafka/rdkafka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STRIDE 1000

static long acknowledged, failed;

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
  (void)rk, (void)opaque;
  if (message->err) failed++;
  else acknowledged++;
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static double cpu_ms(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static void fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
  char error[512];
  if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) fail(error);
}

/* The caller's bytes stay as they are, so librdkafka need not copy them. */
static void produce(rd_kafka_t *rk, rd_kafka_topic_t *topic, char *value, size_t size) {
  while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, 0, value, size, NULL, 0, NULL) == -1) {
    if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) fail(rd_kafka_err2str(rd_kafka_last_error()));
    rd_kafka_poll(rk, 1);
  }
}

/* A message as services send it. */
typedef struct {
  char *key, *value, *trace, *source;
  size_t key_size, value_size, trace_size, source_size;
} message;

static void produce_real(rd_kafka_t *rk, rd_kafka_topic_t *topic, const message *m) {
  rd_kafka_resp_err_t error;
  while ((error = rd_kafka_producev(rk, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_KEY(m->key, m->key_size),
                                    RD_KAFKA_V_VALUE(m->value, m->value_size),
                                    RD_KAFKA_V_HEADER("traceparent", m->trace, m->trace_size),
                                    RD_KAFKA_V_HEADER("source", m->source, m->source_size), RD_KAFKA_V_END))) {
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) fail(rd_kafka_err2str(error));
    rd_kafka_poll(rk, 1);
  }
}

static void wait_for(rd_kafka_t *rk, long messages) {
  while (acknowledged + failed < messages) rd_kafka_poll(rk, 10);
  if (failed > 0) fail("messages failed");
}

/* Of `real`, each in turn, where there are any; else the value alone. */
static long produce_for(rd_kafka_t *rk, rd_kafka_topic_t *topic, double seconds, char *value, size_t size,
                        const message *real, long count) {
  double end = now_ms() + seconds * 1e3;
  long messages = 0;
  while (messages % STRIDE != 0 || now_ms() < end) {
    if (count > 0) produce_real(rk, topic, &real[messages % count]);
    else produce(rk, topic, value, size);
    if (++messages % STRIDE == 0) rd_kafka_poll(rk, 0);
  }
  return messages;
}

static char *map(const char *file, char **end) {
  struct stat stat;
  int fd = open(file, O_RDONLY);
  if (fd < 0 || fstat(fd, &stat) < 0) fail("the file cannot be read");
  char *at = mmap(NULL, stat.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  if (at == MAP_FAILED) fail("the file cannot be mapped");
  *end = at + stat.st_size;
  return at;
}

static char *field(char **at, char *end, char separator, size_t *size) {
  char *start = *at, *stop = memchr(start, separator, end - start);
  if (!stop) fail("a line of the file lacks a field");
  *size = stop - start;
  *at = stop + 1;
  return start;
}

static message *read_messages(const char *file, long *count) {
  char *end, *at = map(file, &end);
  message *messages = NULL;
  for (*count = 0; at < end; ++*count) {
    messages = realloc(messages, (*count + 1) * sizeof *messages);
    message *m = &messages[*count];
    m->key = field(&at, end, '\t', &m->key_size);
    m->value = field(&at, end, '\t', &m->value_size);
    m->trace = field(&at, end, '\t', &m->trace_size);
    m->source = field(&at, end, '\n', &m->source_size);
  }
  return messages;
}

static long produce_lines(rd_kafka_t *rk, rd_kafka_topic_t *topic, const char *file, long *value_bytes) {
  char *end, *at = map(file, &end);
  long messages = 0;
  while (at < end) {
    char *newline = memchr(at, '\n', end - at);
    produce(rk, topic, at, newline - at);
    *value_bytes += newline - at;
    if (++messages % STRIDE == 0) rd_kafka_poll(rk, 0);
    at = newline + 1;
  }
  return messages;
}

int main(int count, char **arguments) {
  if (count == 2 && strcmp(arguments[1], "--version") == 0) return puts(rd_kafka_version_str()) < 0;
  if (count != 10)
    fail("usage: librdkafka <bootstrap> <seconds> <warm-up seconds> <bytes> <acks> <codec> <level or -> <shape> <file or ->");
  double seconds = atof(arguments[2]), warm_up_seconds = atof(arguments[3]);
  size_t size = (size_t)atol(arguments[4]);
  const char *corpus = strcmp(arguments[8], "corpus") == 0 ? arguments[9] : NULL;
  long real_count = 0;
  message *real = strcmp(arguments[8], "real") == 0 ? read_messages(arguments[9], &real_count) : NULL;

  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", arguments[1]);
  set(conf, "acks", arguments[5]);
  set(conf, "compression.codec", arguments[6]);
  if (strcmp(arguments[7], "-") != 0) set(conf, "compression.level", arguments[7]);
  rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  char error[512];
  rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
  if (!rk) fail(error);
  rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, "bench", NULL);

  char *value = malloc(size);
  memset(value, 'x', size);
  long warm_up = produce_for(rk, topic, warm_up_seconds, value, size, real, real_count);
  wait_for(rk, warm_up);

  long value_bytes = 0;
  double start = now_ms(), cpu = cpu_ms();
  long messages = corpus ? produce_lines(rk, topic, corpus, &value_bytes)
                         : produce_for(rk, topic, seconds, value, size, real, real_count);
  wait_for(rk, warm_up + messages);
  double elapsed = now_ms() - start;
  cpu = cpu_ms() - cpu;
  value_bytes += (corpus ? warm_up : warm_up + messages) * (long)size;

  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("{\"messages\":%ld,\"warmUpMessages\":%ld,\"elapsed\":%f,\"cpu\":%f,\"valueBytes\":%ld,\"p50\":null,\"p99\":null,"
         "\"loopP99\":null,\"loopMax\":null,\"rssEarly\":null,\"rssLate\":null,\"rssPeak\":%ld}\n",
         messages, warm_up, elapsed, cpu, value_bytes, usage.ru_maxrss * 1024L);
  return 0;
}
