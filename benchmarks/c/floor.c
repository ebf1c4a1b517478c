/* The least that a job server written in C around epoll can do: a yardstick, not a server.
 *
 * It frames packets, keeps one queue, wakes one sleeping worker per job and passes results on; one read for each
 * connection that has something, one write for each that is owed something. It trusts its peers, has one queue for
 * all functions, and knows no uniques, priorities, status, options, limits or text. A handle is the job's address.
 *
 *   floor    prints `listening 127.0.0.1:PORT` and serves until it is killed
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PRE_SLEEP = 4, NOOP = 6, SUBMIT_JOB = 7, JOB_CREATED = 8, NO_JOB = 10, WORK_COMPLETE = 13,
    SUBMIT_JOB_BG = 18, GRAB_JOB_UNIQ = 30, JOB_ASSIGN_UNIQ = 31,
};
enum { HEADER_BYTES = 12, HANDLE_BYTES = 32, READ_BYTES = 64 * 1024, EVENTS = 1024 };

typedef struct {
    char *data;
    size_t bytes, capacity;
} Buffer;

typedef struct Connection {
    int fd;
    bool asleep, is_dirty, waits_to_write;
    Buffer in, out;
    size_t sent_bytes; /* of `out` */
    struct Connection *next_dirty, *next_asleep, *before_asleep;
} Connection;

typedef struct Job {
    struct Job *next;
    Connection *client; /* NULL in the background */
    uint32_t function_bytes, unique_bytes, payload_bytes; /* the first two with their NULs */
    char arguments[];   /* as they were submitted: function, unique, payload */
} Job;

static int epoll_fd;
static Connection *dirty;
static Connection sleepers = {.next_asleep = &sleepers, .before_asleep = &sleepers}; /* a ring */
static Job *first_job, **last_link = &first_job;

static void *checked(void *memory) {
    if (!memory) abort();
    return memory;
}

static void reserve(Buffer *buffer, size_t more) {
    if (buffer->bytes + more <= buffer->capacity) return;
    buffer->capacity = 2 * (buffer->bytes + more);
    buffer->data = checked(realloc(buffer->data, buffer->capacity));
}

static void append(Buffer *buffer, const void *data, size_t bytes) {
    reserve(buffer, bytes);
    memcpy(buffer->data + buffer->bytes, data, bytes);
    buffer->bytes += bytes;
}

static void begin(Connection *connection, uint32_t kind, size_t body_bytes) {
    uint32_t numbers[2] = {htonl(kind), htonl(body_bytes)};
    append(&connection->out, "\0RES", 4);
    append(&connection->out, numbers, sizeof numbers);
    if (connection->is_dirty) return;
    connection->is_dirty = true;
    connection->next_dirty = dirty;
    dirty = connection;
}

/* ---- the queue ------------------------------------------------------------------------------------------------- */

static void sleep_on(Connection *worker) {
    if (worker->asleep) return;
    worker->asleep = true;
    worker->next_asleep = &sleepers;
    worker->before_asleep = sleepers.before_asleep;
    worker->before_asleep->next_asleep = sleepers.before_asleep = worker;
}

static void rise(Connection *worker) {
    if (!worker->asleep) return;
    worker->asleep = false;
    worker->before_asleep->next_asleep = worker->next_asleep;
    worker->next_asleep->before_asleep = worker->before_asleep;
}

static void submit(Connection *client, bool background, const char *arguments, size_t bytes) {
    Job *job = checked(malloc(sizeof *job + bytes));
    memcpy(job->arguments, arguments, bytes);
    job->next = NULL;
    job->client = background ? NULL : client;
    job->function_bytes = strlen(job->arguments) + 1;
    job->unique_bytes = strlen(job->arguments + job->function_bytes) + 1;
    job->payload_bytes = bytes - job->function_bytes - job->unique_bytes;
    *last_link = job;
    last_link = &job->next;

    char handle[HANDLE_BYTES];
    int handle_bytes = sprintf(handle, "H:floor:%lx", (unsigned long)job);
    begin(client, JOB_CREATED, handle_bytes);
    append(&client->out, handle, handle_bytes);
    if (sleepers.next_asleep == &sleepers) return;
    Connection *worker = sleepers.next_asleep;
    rise(worker);
    begin(worker, NOOP, 0);
}

static void grab(Connection *worker) {
    rise(worker);
    Job *job = first_job;
    if (!job) {
        begin(worker, NO_JOB, 0);
        return;
    }
    first_job = job->next;
    if (!first_job) last_link = &first_job;
    char handle[HANDLE_BYTES];
    size_t handle_bytes = sprintf(handle, "H:floor:%lx", (unsigned long)job) + 1;
    size_t bytes = (size_t)job->function_bytes + job->unique_bytes + job->payload_bytes;
    begin(worker, JOB_ASSIGN_UNIQ, handle_bytes + bytes);
    append(&worker->out, handle, handle_bytes);
    append(&worker->out, job->arguments, bytes);
}

static void complete(const char *body, size_t bytes) {
    Job *job = (Job *)strtoul(body + strlen("H:floor:"), NULL, 16);
    if (job->client) {
        begin(job->client, WORK_COMPLETE, bytes);
        append(&job->client->out, body, bytes);
    }
    free(job);
}

static void handle_packet(Connection *connection, uint32_t kind, const char *body, size_t bytes) {
    switch (kind) {
        case SUBMIT_JOB: submit(connection, false, body, bytes); break;
        case SUBMIT_JOB_BG: submit(connection, true, body, bytes); break;
        case GRAB_JOB_UNIQ: grab(connection); break;
        case WORK_COMPLETE: complete(body, bytes); break;
        case PRE_SLEEP:
            if (first_job) begin(connection, NOOP, 0);
            else sleep_on(connection);
    }
}

/* ---- the sockets ----------------------------------------------------------------------------------------------- */

static void watch(Connection *connection, bool for_write, int operation) {
    struct epoll_event event = {.events = EPOLLIN | (for_write ? EPOLLOUT : 0), .data.ptr = connection};
    epoll_ctl(epoll_fd, operation, connection->fd, &event);
    connection->waits_to_write = for_write;
}

static void accept_one(int listener) {
    int on = 1;
    Connection *connection = checked(calloc(1, sizeof *connection));
    connection->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (connection->fd < 0) abort();
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(connection, false, EPOLL_CTL_ADD);
}

/* The connection itself stays, because jobs may point to it: a benchmark has few. */
static void hang_up(Connection *connection) {
    rise(connection);
    close(connection->fd);
    connection->fd = -1;
    free(connection->in.data);
    connection->in = (Buffer){0};
}

static void receive(Connection *connection) {
    Buffer *in = &connection->in;
    reserve(in, READ_BYTES);
    ssize_t got = recv(connection->fd, in->data + in->bytes, in->capacity - in->bytes, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        hang_up(connection);
        return;
    }
    in->bytes += got;
    size_t at = 0;
    while (in->bytes - at >= HEADER_BYTES) {
        uint32_t numbers[2];
        memcpy(numbers, in->data + at + 4, sizeof numbers);
        size_t body_bytes = ntohl(numbers[1]);
        if (in->bytes - at - HEADER_BYTES < body_bytes) break;
        handle_packet(connection, ntohl(numbers[0]), in->data + at + HEADER_BYTES, body_bytes);
        at += HEADER_BYTES + body_bytes;
    }
    if (at) memmove(in->data, in->data + at, in->bytes - at);
    in->bytes -= at;
}

static void flush(Connection *connection) {
    Buffer *out = &connection->out;
    while (connection->fd >= 0 && connection->sent_bytes < out->bytes) {
        ssize_t bytes =
            send(connection->fd, out->data + connection->sent_bytes, out->bytes - connection->sent_bytes, MSG_NOSIGNAL);
        if (bytes < 0) {
            if (errno == EAGAIN && !connection->waits_to_write) watch(connection, true, EPOLL_CTL_MOD);
            return;
        }
        connection->sent_bytes += bytes;
    }
    connection->sent_bytes = out->bytes = 0;
    if (connection->waits_to_write) watch(connection, false, EPOLL_CTL_MOD);
}

static void flush_dirty(void) {
    while (dirty) {
        Connection *connection = dirty;
        dirty = connection->next_dirty;
        connection->is_dirty = false;
        flush(connection);
    }
}

static int listen_somewhere(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, bytes) || listen(listener, 1024) ||
        getsockname(listener, (struct sockaddr *)&address, &bytes)) {
        perror("listen");
        exit(1);
    }
    printf("listening 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(void) {
    int listener = listen_somewhere();
    epoll_fd = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            Connection *connection = events[i].data.ptr;
            if (!connection) accept_one(listener);
            else if (events[i].events & EPOLLOUT) flush(connection);
            if (connection && events[i].events & ~EPOLLOUT) receive(connection);
        }
        flush_dirty();
    }
}
