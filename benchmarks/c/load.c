/* Plays Gearman clients and workers against a job server on this machine, so that others can measure the server.
 *
 * One thread and one epoll. Every client keeps so many jobs in flight, every worker grabs, completes at once and
 * sleeps when it is told that there is nothing. Prints `begin` when the warm-up is over and `end JOBS SECONDS` when
 * the time is; then lets the jobs that are still in flight end, so that the server is left empty.
 *
 * A background job is in flight until the server has taken it: more a client is not told. With --paced it is until a
 * worker has done it, so that clients cannot run ahead of the workers.
 *
 * With --fill there are no workers: the clients queue that many background jobs, each with a unique of its own, and
 * leave them there. With --drain there are no clients: the workers do that many jobs that are queued already.
 *
 * Payloads are one shared buffer, sent from where it lies, and what arrives is read into one shared buffer and
 * dropped, but for the first bytes of each packet: the load stays cheap with 3 MB as with 64 bytes.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    CAN_DO = 1, PRE_SLEEP = 4, NOOP = 6, SUBMIT_JOB = 7, JOB_CREATED = 8, NO_JOB = 10, WORK_COMPLETE = 13,
    SUBMIT_JOB_BG = 18, ERROR = 19, GRAB_JOB_UNIQ = 30, JOB_ASSIGN_UNIQ = 31,
};
enum {
    HEADER_BYTES = 12,
    HEAD_BYTES = 160,          /* a header, and all of a body but the payload */
    KEPT_BYTES = 64,           /* of a body that arrives: enough for a job's handle */
    ARRIVAL_BYTES = 256 * 1024,
    PARTS_PER_SEND = 128,
    EVENTS = 512,
    IMPATIENCE_S = 60,         /* without a single packet: the server hangs */
};

typedef struct {
    char head[HEAD_BYTES];
    uint32_t head_bytes, payload_bytes;
} Packet;

typedef struct Peer {
    int fd, number;
    bool is_worker, waits_to_write, is_touched, was_idle;
    Packet *queue;             /* to send */
    size_t queued, capacity, sent_bytes; /* the last: of the first packet in the queue */
    char kept[HEADER_BYTES + KEPT_BYTES];
    size_t kept_bytes, bytes_to_drop;
} Peer;

static struct {
    int port, clients, workers, depth, functions;
    size_t payload_bytes;
    long fill, drain;
    bool background, paced;
    double seconds, warm_up_s;
} options = {.clients = 8, .workers = 8, .depth = 1, .functions = 1, .payload_bytes = 64, .seconds = 2, .warm_up_s = .3};

static int epoll_fd;
static Peer *peers, **touched; /* workers first, then clients */
static int touched_count, idle_workers;
static long submitted, completed;
static bool stopping;
static char *payload, arrival[ARRIVAL_BYTES];

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static void fail(const char *what) {
    if (errno) perror(what);
    else fprintf(stderr, "%s\n", what);
    exit(1);
}

/* ---- sending --------------------------------------------------------------------------------------------------- */

static void touch(Peer *peer) {
    if (!peer->is_touched) touched[touched_count++] = peer;
    peer->is_touched = true;
}

/* Queues a packet of `body`, followed by `payload_bytes` of the payload. */
static void put(Peer *peer, uint32_t kind, const char *body, size_t body_bytes, size_t payload_bytes) {
    if (peer->queued == peer->capacity) {
        peer->capacity = peer->capacity ? 2 * peer->capacity : 4;
        peer->queue = realloc(peer->queue, peer->capacity * sizeof *peer->queue);
        if (!peer->queue) fail("memory");
    }
    Packet *packet = &peer->queue[peer->queued++];
    uint32_t numbers[2] = {htonl(kind), htonl(body_bytes + payload_bytes)};
    memcpy(packet->head, "\0REQ", 4);
    memcpy(packet->head + 4, numbers, sizeof numbers);
    if (body_bytes) memcpy(packet->head + HEADER_BYTES, body, body_bytes);
    packet->head_bytes = HEADER_BYTES + body_bytes;
    packet->payload_bytes = payload_bytes;
    touch(peer);
}

static void submit(Peer *client) {
    char body[HEAD_BYTES - HEADER_BYTES];
    int bytes = sprintf(body, "function-%d", options.functions > 1 ? rand() % options.functions : 0) + 1;
    if (options.fill) bytes += sprintf(body + bytes, "%08x-0000-4000-8000-%012lx", client->number, submitted);
    body[bytes++] = 0;
    put(client, options.background ? SUBMIT_JOB_BG : SUBMIT_JOB, body, bytes, options.payload_bytes);
    submitted++;
}

static void watch(Peer *peer, bool for_write, int operation) {
    struct epoll_event event = {.events = EPOLLIN | (for_write ? EPOLLOUT : 0), .data.ptr = peer};
    if (epoll_ctl(epoll_fd, operation, peer->fd, &event)) fail("epoll_ctl");
    peer->waits_to_write = for_write;
}

/* Forgets so many bytes at the front of the queue. */
static void sent(Peer *peer, size_t bytes) {
    size_t gone = 0;
    bytes += peer->sent_bytes;
    while (gone < peer->queued) {
        size_t size = (size_t)peer->queue[gone].head_bytes + peer->queue[gone].payload_bytes;
        if (bytes < size) break;
        bytes -= size;
        gone++;
    }
    peer->sent_bytes = bytes;
    peer->queued -= gone;
    memmove(peer->queue, peer->queue + gone, peer->queued * sizeof *peer->queue);
}

static int parts_to_send(const Peer *peer, struct iovec *parts) {
    int count = 0;
    size_t skip = peer->sent_bytes;
    for (size_t i = 0; i < peer->queued && count + 2 <= PARTS_PER_SEND; i++) {
        Packet *packet = &peer->queue[i];
        size_t in_head = skip < packet->head_bytes ? skip : packet->head_bytes, in_payload = skip - in_head;
        if (in_head < packet->head_bytes)
            parts[count++] = (struct iovec){packet->head + in_head, packet->head_bytes - in_head};
        if (in_payload < packet->payload_bytes)
            parts[count++] = (struct iovec){payload + in_payload, packet->payload_bytes - in_payload};
        skip = 0;
    }
    return count;
}

static void flush(Peer *peer) {
    while (peer->queued) {
        struct iovec parts[PARTS_PER_SEND];
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = parts_to_send(peer, parts)};
        ssize_t bytes = sendmsg(peer->fd, &message, MSG_NOSIGNAL);
        if (bytes < 0) {
            if (errno != EAGAIN) fail("send");
            if (!peer->waits_to_write) watch(peer, true, EPOLL_CTL_MOD);
            return;
        }
        sent(peer, bytes);
    }
    if (peer->waits_to_write) watch(peer, false, EPOLL_CTL_MOD);
}

static void flush_touched(void) {
    for (int i = 0; i < touched_count; i++) {
        touched[i]->is_touched = false;
        flush(touched[i]);
    }
    touched_count = 0;
}

/* ---- receiving ------------------------------------------------------------------------------------------------- */

static void next_job(Peer *client) {
    if (!stopping && (!options.fill || submitted < options.fill)) submit(client);
}

static void client_heard(Peer *client, uint32_t kind) {
    if (kind != (options.background && !options.paced ? JOB_CREATED : WORK_COMPLETE)) return;
    if (!options.background || options.fill) completed++;
    next_job(client);
}

static void worker_heard(Peer *worker, uint32_t kind, const char *body) {
    if (kind == JOB_ASSIGN_UNIQ) {
        char result[KEPT_BYTES + 3];
        size_t handle_bytes = strnlen(body, KEPT_BYTES) + 1;
        memcpy(result, body, handle_bytes);
        memcpy(result + handle_bytes, "ok", 2);
        put(worker, WORK_COMPLETE, result, handle_bytes + 2, 0);
        put(worker, GRAB_JOB_UNIQ, NULL, 0, 0);
        if (!options.background && !options.drain) return;
        completed++; /* nobody else hears of it */
        if (options.paced) next_job(&peers[options.workers + completed % options.clients]);
    } else if (kind == NO_JOB) {
        put(worker, PRE_SLEEP, NULL, 0, 0);
        if (!worker->was_idle) idle_workers++;
        worker->was_idle = true;
    } else if (kind == NOOP) {
        put(worker, GRAB_JOB_UNIQ, NULL, 0, 0);
    }
}

static void heard(Peer *peer, uint32_t kind) {
    errno = 0;
    if (kind == ERROR) fail("the server answered with an ERROR");
    if (peer->is_worker) worker_heard(peer, kind, peer->kept + HEADER_BYTES);
    else client_heard(peer, kind);
}

static uint32_t number_at(const char *bytes) {
    uint32_t number;
    memcpy(&number, bytes, sizeof number);
    return ntohl(number);
}

/* Takes as much of `data` as belongs to the packet that is arriving; a packet is heard when all of it is there. */
static size_t take(Peer *peer, const char *data, size_t bytes) {
    size_t wanted = HEADER_BYTES;
    if (peer->kept_bytes >= HEADER_BYTES) {
        size_t body_bytes = number_at(peer->kept + 8);
        wanted += body_bytes < KEPT_BYTES ? body_bytes : KEPT_BYTES;
    }
    size_t taken = wanted - peer->kept_bytes;
    if (taken > bytes) taken = bytes;
    memcpy(peer->kept + peer->kept_bytes, data, taken);
    peer->kept_bytes += taken;
    return taken;
}

static bool head_is_complete(Peer *peer) {
    if (peer->kept_bytes < HEADER_BYTES) return false;
    size_t body_bytes = number_at(peer->kept + 8), kept = body_bytes < KEPT_BYTES ? body_bytes : KEPT_BYTES;
    if (peer->kept_bytes < HEADER_BYTES + kept) return false;
    peer->bytes_to_drop = body_bytes - kept;
    return true;
}

static void receive(Peer *peer) {
    errno = 0;
    ssize_t got = recv(peer->fd, arrival, sizeof arrival, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) fail("the server closed a connection");
    for (size_t at = 0, bytes = got; at < bytes;) {
        bool dropping = peer->bytes_to_drop > 0;
        if (dropping) {
            size_t dropped = bytes - at < peer->bytes_to_drop ? bytes - at : peer->bytes_to_drop;
            peer->bytes_to_drop -= dropped;
            at += dropped;
        } else {
            at += take(peer, arrival + at, bytes - at);
        }
        if ((dropping || head_is_complete(peer)) && !peer->bytes_to_drop) {
            peer->kept_bytes = 0;
            heard(peer, number_at(peer->kept + 4));
        }
    }
}

/* ---- the course of a run --------------------------------------------------------------------------------------- */

static void open_peer(Peer *peer, int number) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    peer->number = number;
    peer->is_worker = number < options.workers;
    peer->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (peer->fd < 0 || connect(peer->fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(peer->fd, F_SETFL, O_NONBLOCK);
    watch(peer, false, EPOLL_CTL_ADD);
    if (!peer->is_worker) return;
    for (int i = 0; i < options.functions; i++) {
        char name[32];
        put(peer, CAN_DO, name, sprintf(name, "function-%d", i), 0);
    }
    put(peer, GRAB_JOB_UNIQ, NULL, 0, 0);
}

/* One round of events; false when nothing happened for too long. */
static void turn(void) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(epoll_fd, events, EVENTS, IMPATIENCE_S * 1000);
    errno = 0;
    if (!count) fail("nothing was heard from the server for a minute");
    for (int i = 0; i < count; i++) {
        if (events[i].events & ~EPOLLOUT) receive(events[i].data.ptr);
        if (events[i].events & EPOLLOUT) flush(events[i].data.ptr);
        if (!options.paced) flush_touched(); /* peers that know nothing of one another */
    }
    flush_touched();
}

static void start_clients(void) {
    for (int i = 0; i < options.clients; i++)
        for (int k = 0; k < options.depth; k++) next_job(&peers[options.workers + i]);
    flush_touched();
}

static void fill(void) {
    double began = now();
    printf("begin\n");
    start_clients();
    while (completed < options.fill) turn();
    printf("end %ld %f\n", completed, now() - began);
}

/* The first job is waited for before the time begins: a server that was just started may not have it at hand. */
static void drain(void) {
    double asked = now();
    while (!completed) turn();
    double began = now();
    printf("begin %f\n", began - asked);
    while (completed < options.drain) turn();
    printf("end %ld %f\n", completed - 1, now() - began);
}

static void keep_busy(void) {
    while (idle_workers < options.workers) turn();
    start_clients();
    for (double until = now() + options.warm_up_s; now() < until;) turn();
    double began = now();
    long before = completed;
    printf("begin\n");
    while (now() < began + options.seconds) turn();
    printf("end %ld %f\n", completed - before, now() - began);
    stopping = true;
    while (completed < submitted) turn();
}

static void read_options(int argc, char **argv) {
    static const struct option names[] = {
        {"port", 1, 0, 'p'},       {"clients", 1, 0, 'c'},    {"workers", 1, 0, 'w'},  {"depth", 1, 0, 'd'},
        {"payload", 1, 0, 's'},    {"functions", 1, 0, 'f'},  {"background", 0, 0, 'b'}, {"fill", 1, 0, 'n'},
        {"drain", 1, 0, 'r'},      {"seconds", 1, 0, 't'},    {"warm-up", 1, 0, 'u'},  {"paced", 0, 0, 'a'},  {0},
    };
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) switch (option) {
        case 'p': options.port = atoi(optarg); break;
        case 'c': options.clients = atoi(optarg); break;
        case 'w': options.workers = atoi(optarg); break;
        case 'd': options.depth = atoi(optarg); break;
        case 's': options.payload_bytes = atol(optarg); break;
        case 'f': options.functions = atoi(optarg); break;
        case 'b': options.background = true; break;
        case 'a': options.paced = options.background = true; break;
        case 'n': options.fill = atol(optarg), options.background = true, options.workers = 0; break;
        case 'r': options.drain = atol(optarg), options.clients = 0; break;
        case 't': options.seconds = atof(optarg); break;
        case 'u': options.warm_up_s = atof(optarg); break;
        default: exit(2);
    }
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    setlinebuf(stdout);
    int count = options.clients + options.workers;
    peers = calloc(count, sizeof *peers);
    touched = calloc(count, sizeof *touched);
    payload = malloc(options.payload_bytes + 1);
    if (!peers || !touched || !payload) fail("memory");
    memset(payload, 'x', options.payload_bytes);
    epoll_fd = epoll_create1(0);
    for (int i = 0; i < count; i++) {
        open_peer(&peers[i], i);
        flush_touched();
    }
    if (options.fill) fill();
    else if (options.drain) drain();
    else keep_busy();
    return 0;
}
