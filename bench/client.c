// The clients of a benchmark: opens event streams, counts the events that arrive on each, and measures how long they
// take. One thread and epoll, so that it is never what a server waits for. It counts an event by the one `#` in it.
//
// A command is a line on stdin, with the length of the bytes that follow it; the answer is a line of JSON on stdout.
// Between commands nothing is read: a client that is asked for nothing more is one that has stalled.
//
//   open <streams> <window> <port> <length>       sends the request that follows on each connection, `window` at a time
//   run <port> <ms> <rounds> <events> <µs> <length>
//                                                 sends what follows to `port` to have `events` published; again when
//                                                 all have arrived (µs: 0), or at that interval; for so many ms and
//                                                 rounds at least
//   receive <events> 0                            waits until so many have arrived on each stream since it was opened
//   probe <port> <times> <µs> <length>            sends the request that follows, again and again at that interval
//   ends <ms> 0                                   waits until every stream has ended
//   close 0                                       resets every connection
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/** µs without anything arriving after which a server counts as failed. */
#define PATIENCE 20000000
/** µs; what takes longer is counted as this. */
#define LONGEST 20000000
/** µs between two looks at what has come, when it does not matter how long that took. */
#define NAP 300
#define ROUNDS 1000000

struct stream {
  int fd;
  uint32_t events;
  /** How much of the blank line that ends the head has been seen. */
  uint8_t matched;
  bool open;
  /** The last bytes, to tell a response that has ended from one that was cut. */
  char tail[5];
};

static struct stream *streams;
static int count, opened, ended, clean;
static uint64_t events, bytes;
static int epoll;
/** Where events are published; not a stream. */
static int publisher = -1;
/** When each round of a run was published, and how many events that was. */
static int64_t published[ROUNDS];
static uint32_t events_per_round;
/** How many events took so many µs. */
static uint32_t histogram[LONGEST + 1];

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

static void answer(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  putchar('\n');
  fflush(stdout);
}

/** Answers with a failure; always false. */
static bool fail(const char *what) {
  answer("{\"error\":\"%s\",\"opened\":%d,\"ended\":%d,\"events\":%llu}", what, opened, ended, (unsigned long long)events);
  return false;
}

static int connect_to(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

static bool send_all(int fd, const char *data, size_t length) {
  while (length > 0) {
    ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
    if (sent < 0) return false;
    data += sent;
    length -= sent;
  }
  return true;
}

static void take_latency(uint32_t event, int64_t at) {
  int64_t latency = events_per_round == 0 ? 0 : at - published[event / events_per_round % ROUNDS];
  histogram[latency < 0 ? 0 : latency > LONGEST ? LONGEST : latency] += 1;
}

static void take(struct stream *stream, const char *data, size_t length) {
  for (const char *at = data; !stream->open && at < data + length; at++) {
    stream->matched = *at == "\r\n\r\n"[stream->matched] ? stream->matched + 1 : *at == '\r';
    if (stream->matched == 4) {
      stream->open = true;
      opened += 1;
    }
  }
  int64_t at = now();
  const char *rest = data;
  for (const char *mark; (mark = memchr(rest, '#', data + length - rest)) != NULL; rest = mark + 1) {
    take_latency(stream->events++, at);
    events += 1;
  }
  bytes += length;
  size_t kept = length < sizeof stream->tail ? length : sizeof stream->tail;
  memmove(stream->tail, stream->tail + kept, sizeof stream->tail - kept);
  memcpy(stream->tail + sizeof stream->tail - kept, data + length - kept, kept);
}

static void read_stream(struct stream *stream) {
  static char buffer[256 * 1024];
  ssize_t length = recv(stream->fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (length > 0) {
    if (stream->open || stream->matched > 0 || strncmp(buffer, "HTTP/1.1 200", 12) == 0) take(stream, buffer, length);
    else length = 0;
  }
  if (length > 0 || (length < 0 && errno == EAGAIN)) return;
  close(stream->fd);
  stream->fd = -1;
  ended += 1;
  if (length == 0 && memcmp(stream->tail, "0\r\n\r\n", sizeof stream->tail) == 0) clean += 1;
}

/** Reads what there is, waiting for it at most so many µs. Returns whether there was anything. */
static bool read_some(int64_t wait) {
  struct epoll_event ready[1024];
  struct timespec timeout = {.tv_sec = wait / 1000000, .tv_nsec = wait % 1000000 * 1000};
  int length = epoll_pwait2(epoll, ready, 1024, &timeout, NULL);
  for (int i = 0; i < length; i++) {
    if (ready[i].data.ptr != &publisher) {
      read_stream(ready[i].data.ptr);
    } else {
      char answers[4096];
      if (recv(publisher, answers, sizeof answers, MSG_DONTWAIT) == 0) epoll_ctl(epoll, EPOLL_CTL_DEL, publisher, NULL);
    }
  }
  return length > 0;
}

/** Percentiles of what the histogram holds, in µs. */
static int percentile(double part) {
  uint64_t total = 0, passed = 0;
  for (int i = 0; i <= LONGEST; i++) total += histogram[i];
  for (int i = 0; i <= LONGEST; i++) {
    passed += histogram[i];
    if (passed > 0 && passed >= part * total) return i;
  }
  return 0;
}

static void report(int64_t start, int rounds) {
  int64_t took = now() - start;
  // What comes too often must be seen, too.
  while (read_some(5000)) continue;
  uint32_t least = count > 0 ? UINT32_MAX : 0, most = 0;
  for (int i = 0; i < count; i++) {
    if (streams[i].events < least) least = streams[i].events;
    if (streams[i].events > most) most = streams[i].events;
  }
  answer("{\"ms\":%.3f,\"rounds\":%d,\"events\":%llu,\"least\":%u,\"most\":%u,\"bytes\":%llu,\"p50\":%d,\"p99\":%d,\"max\":%d}",
         took / 1e3, rounds, (unsigned long long)events, least, most, (unsigned long long)bytes, percentile(0.5),
         percentile(0.99), percentile(1));
}

static bool open_streams(int wanted, int window, int port, const char *request, size_t length) {
  int64_t start = now();
  int before = count;
  streams = streams == NULL ? calloc(65536, sizeof *streams) : streams;
  if (before + wanted > 65536) return fail("too many streams");
  while (opened < before + wanted) {
    while (count < before + wanted && count - opened < window) {
      struct stream *stream = &streams[count];
      *stream = (struct stream){.fd = connect_to(port)};
      if (stream->fd < 0) return fail(strerror(errno));
      count += 1;
      struct epoll_event interest = {.events = EPOLLIN, .data.ptr = stream};
      epoll_ctl(epoll, EPOLL_CTL_ADD, stream->fd, &interest);
      if (!send_all(stream->fd, request, length)) return fail("a request was not taken");
    }
    if (!read_some(PATIENCE)) return fail("a stream was not opened");
    if (ended > 0) return fail("a stream has ended");
  }
  answer("{\"ms\":%.3f}", (now() - start) / 1e3);
  return true;
}

static bool await_events(uint64_t total) {
  int64_t heard = now();
  while (events < total) {
    // To wait for each write by itself would have the server pay for waking this process, most often if it is slow.
    usleep(NAP);
    if (read_some(0)) heard = now();
    else if (now() - heard > PATIENCE) return fail("events are missing");
    if (ended > 0) return fail("a stream has ended");
  }
  return true;
}

static bool run(int port, int64_t span, int rounds, int per_round, int64_t interval, const char *trigger, size_t length) {
  publisher = connect_to(port);
  if (publisher < 0) return fail("nobody publishes");
  struct epoll_event interest = {.events = EPOLLIN, .data.ptr = &publisher};
  epoll_ctl(epoll, EPOLL_CTL_ADD, publisher, &interest);
  for (int i = 0; i < count; i++) streams[i].events = 0;
  memset(histogram, 0, sizeof histogram);
  events = bytes = 0;
  events_per_round = per_round;
  int64_t start = now();
  int round = 0;
  bool succeeded = true;
  for (; succeeded && round < ROUNDS && (round < rounds || now() - start < span * 1000); round++) {
    if (interval == 0) {
      published[round] = now();
    } else {
      // By the plan, so that a server that holds up the plan is charged for it.
      published[round] = start + round * interval;
      for (int64_t left; (left = published[round] - now()) > 0;) read_some(left);
    }
    succeeded = send_all(publisher, trigger, length) || fail("nobody publishes");
    if (succeeded && interval == 0) succeeded = await_events((uint64_t)count * per_round * (round + 1));
  }
  succeeded = succeeded && await_events((uint64_t)count * per_round * round);
  if (succeeded) report(start, round);
  close(publisher);
  publisher = -1;
  events_per_round = 0;
  return succeeded;
}

static bool probe(int port, int times, int64_t interval, const char *request, size_t length) {
  int fd = connect_to(port);
  memset(histogram, 0, sizeof histogram);
  int64_t start = now();
  for (int i = 0; i < times; i++) {
    int64_t due = start + i * interval;
    if (due > now()) usleep(due - now());
    char response[4096];
    if (!send_all(fd, request, length) || recv(fd, response, sizeof response, 0) <= 0) return fail("no answer");
    int64_t latency = now() - due;
    histogram[latency > LONGEST ? LONGEST : latency] += 1;
  }
  close(fd);
  report(start, times);
  return true;
}

static void await_ends(int64_t ms) {
  int64_t start = now();
  while (ended < count && now() - start < ms * 1000) read_some(10000);
  answer("{\"ms\":%.3f,\"ended\":%d,\"clean\":%d}", (now() - start) / 1e3, ended, clean);
}

static void close_streams(void) {
  for (int i = 0; i < count; i++) {
    // No connection is left waiting for late packets: there are not enough ports for that.
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (streams[i].fd < 0) continue;
    setsockopt(streams[i].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(streams[i].fd);
  }
  count = opened = ended = clean = 0;
  events = bytes = 0;
  answer("{}");
}

int main(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  epoll = epoll_create1(0);
  static char line[256], data[1024 * 1024];
  while (fgets(line, sizeof line, stdin) != NULL) {
    char name[16];
    long long n[6] = {0};
    int numbers = sscanf(line, "%15s %lld %lld %lld %lld %lld %lld", name, n, n + 1, n + 2, n + 3, n + 4, n + 5) - 1;
    size_t length = numbers > 0 ? n[numbers - 1] : 0;
    if (length > sizeof data || fread(data, 1, length, stdin) != length) return 1;
    if (strcmp(name, "open") == 0) open_streams(n[0], n[1], n[2], data, length);
    else if (strcmp(name, "run") == 0) run(n[0], n[1], n[2], n[3], n[4], data, length);
    else if (strcmp(name, "receive") == 0) {
      int64_t start = now();
      if (await_events((uint64_t)count * n[0])) report(start, 1);
    } else if (strcmp(name, "probe") == 0) probe(n[0], n[1], n[2], data, length);
    else if (strcmp(name, "ends") == 0) await_ends(n[0]);
    else if (strcmp(name, "close") == 0) close_streams();
    else fail("no such command");
  }
}
