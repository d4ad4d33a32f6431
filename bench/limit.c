// What the machine can do: a server that keeps nothing but sockets, and gives each published turn to all of them with
// one write() of the same bytes.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAMS 65536

static const char HEAD[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n:\n\n\r\n";

static int streams[STREAMS], count;
/** Where in `streams` a socket is. */
static int index_of[STREAMS];
static char chunk[1024 * 1024];

static int listen_on_any(int *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 511) != 0) exit(1);
  getsockname(fd, (struct sockaddr *)&address, &size);
  *port = ntohs(address.sin_port);
  return fd;
}

static void write_all(int fd, const char *data, size_t length) {
  while (length > 0) {
    ssize_t written = send(fd, data, length, MSG_NOSIGNAL);
    if (written < 0) {
      if (errno != EAGAIN) return;
      struct pollfd full = {.fd = fd, .events = POLLOUT};
      poll(&full, 1, 1000);
      continue;
    }
    data += written;
    length -= written;
  }
}

/** Events of so many bytes each, as one chunk of a chunked body. */
static size_t make_chunk(int events, int bytes) {
  int head = snprintf(chunk, sizeof chunk, "%x\r\n", events * bytes);
  if ((size_t)(head + events * bytes + 2) > sizeof chunk) exit(1);
  char *at = chunk + head;
  for (int i = 0; i < events; i++, at += bytes) {
    memset(at, 'x', bytes);
    memcpy(at, "data: #", 7);
    memcpy(at + bytes - 2, "\n\n", 2);
  }
  memcpy(at, "\r\n", 2);
  return at + 2 - chunk;
}

static void leave(int fd) {
  int last = streams[--count];
  streams[index_of[fd]] = last;
  index_of[last] = index_of[fd];
  index_of[fd] = -1;
  close(fd);
}

int main(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  memset(index_of, -1, sizeof index_of);
  int port, control_port, control = -1;
  int server = listen_on_any(&port), control_server = listen_on_any(&control_port);
  int epoll = epoll_create1(0);
  struct epoll_event interest = {.events = EPOLLIN, .data.fd = server};
  epoll_ctl(epoll, EPOLL_CTL_ADD, server, &interest);
  interest.data.fd = control_server;
  epoll_ctl(epoll, EPOLL_CTL_ADD, control_server, &interest);
  interest.data.fd = STDIN_FILENO;
  epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &interest);
  printf("{\"port\":%d,\"control\":%d}\n", port, control_port);
  fflush(stdout);
  for (;;) {
    struct epoll_event ready[64];
    int length = epoll_wait(epoll, ready, 64, -1);
    for (int i = 0; i < length; i++) {
      int fd = ready[i].data.fd;
      char buffer[4096];
      if (fd == STDIN_FILENO) return 0; // whoever started it is gone
      if (fd == server || fd == control_server) {
        int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
        if (accepted < 0 || accepted >= STREAMS) continue;
        int on = 1;
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (fd == control_server) control = accepted;
        interest.data.fd = accepted;
        epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &interest);
        continue;
      }
      ssize_t received = recv(fd, buffer, sizeof buffer - 1, 0);
      if (fd == control) {
        buffer[received > 0 ? received : 0] = 0;
        int events, bytes, length;
        for (char *at = buffer; sscanf(at, "publish %d %d\n%n", &events, &bytes, &length) == 2; at += length) {
          size_t size = make_chunk(events, bytes);
          for (int j = 0; j < count; j++) write_all(streams[j], chunk, size);
        }
        if (received > 0) continue;
        close(fd);
        control = -1;
      } else if (received <= 0) {
        if (index_of[fd] >= 0) leave(fd);
        else close(fd);
      } else if (index_of[fd] < 0) {
        index_of[fd] = count;
        streams[count++] = fd;
        write_all(fd, HEAD, sizeof HEAD - 1);
      }
    }
  }
}
