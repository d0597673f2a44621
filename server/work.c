/* work.c - see work.h. Does not know: what is done. */
#include "server/work.h"

#include "server/server.h"

static void enlist(struct smtp_server *server, struct smtp_server_work *work)
{
    pthread_mutex_lock(&server->lock);
    work->self = pthread_self();
    work->previous = NULL;
    work->next = server->works;
    if (work->next != NULL) {
        work->next->previous = work;
    }
    server->works = work;
    pthread_mutex_unlock(&server->lock);
}

static void strike_out(struct smtp_server *server, struct smtp_server_work *work)
{
    pthread_mutex_lock(&server->lock);
    *(work->previous != NULL ? &work->previous->next : &server->works) = work->next;
    if (work->next != NULL) {
        work->next->previous = work->previous;
    }
    pthread_mutex_unlock(&server->lock);
}

static void on_work(uv_work_t *request)
{
    struct smtp_server_work *work = request->data;
    struct smtp_server *server = work->connection->loop->server;
    enlist(server, work);
    work->run(work);
    strike_out(server, work);
}

static void on_done(uv_work_t *request, int status)
{
    struct smtp_server_work *work = request->data;
    (void)status; /* nobody cancels it */
    work->done(work);
}

void smtp_server_work_queue(struct smtp_server_work *work,
                            struct smtp_server_connection *connection,
                            void (*run)(struct smtp_server_work *work),
                            void (*done)(struct smtp_server_work *work))
{
    work->connection = connection;
    work->run = run;
    work->done = done;
    work->request.data = work;
    (void)uv_queue_work(&connection->loop->uv, &work->request, on_work, on_done);
}

bool smtp_server_works_here(const struct smtp_server *server)
{
    const struct smtp_server_work *work = server->works;
    while (work != NULL && !pthread_equal(work->self, pthread_self())) {
        work = work->next;
    }
    return work != NULL;
}
