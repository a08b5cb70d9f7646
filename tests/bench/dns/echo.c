/* The bound of the benchmark: receives and sends batches like the server does, and answers nothing.
 * A packet goes back as it came, but for the QR bit, so that dnsperf takes it for a reply.
 * Build: cc -O2 -o echo echo.c      Run: echo PORT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH 64
#define SLOT 1280

int main(int argc, char **argv) {
  static unsigned char buffer[BATCH][SLOT];
  static struct sockaddr_in names[BATCH];
  static struct iovec in[BATCH], out[BATCH];
  static struct mmsghdr receive[BATCH], send[BATCH];
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 15300)};
  int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 4 << 20;

  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  if (bind(fd, (struct sockaddr *)&address, sizeof address)) {
    perror("bind");
    return 1;
  }
  for (int i = 0; i < BATCH; i++) {
    in[i] = (struct iovec){buffer[i], SLOT};
    out[i] = (struct iovec){buffer[i], 0};
    receive[i].msg_hdr = (struct msghdr){.msg_name = &names[i], .msg_iov = &in[i], .msg_iovlen = 1};
    send[i].msg_hdr = (struct msghdr){.msg_name = &names[i], .msg_namelen = sizeof names[i], .msg_iov = &out[i], .msg_iovlen = 1};
  }
  for (;;) {
    for (int i = 0; i < BATCH; i++) receive[i].msg_hdr.msg_namelen = sizeof names[i];
    int count = recvmmsg(fd, receive, BATCH, MSG_WAITFORONE, NULL);
    for (int i = 0; i < count; i++) {
      buffer[i][2] |= 0x80;
      out[i].iov_len = receive[i].msg_len;
    }
    for (int sent = 0; sent < count;) {
      int done = sendmmsg(fd, send + sent, count - sent, 0);
      sent += done > 0 ? done : 1;
    }
  }
}
