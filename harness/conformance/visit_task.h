/* visit_task.h - a task as the words, variables and files that a command is told it by (task.h). Knows nothing of
 * processes nor of sessions. */
#ifndef SMTP_HARNESS_CONFORMANCE_VISIT_TASK_H
#define SMTP_HARNESS_CONFORMANCE_VISIT_TASK_H

#include "harness/conformance/check.h"
#include "harness/conformance/task.h"

/** Where the server is, and whom to trust. */
struct smtp_visit_place {
    uint16_t port; /* of 127.0.0.1 */
    const char *ca_pem;
};

struct smtp_visit_told {
    char *directory; /* with all the files; removed with it */
    char **paths;    /* of them, NULL at the end: the authority's, then one for each message */
    size_t path_count;
    char **argv, **environment;
};

/** False: the check is decided; smtp_visit_told_clear in either case. */
bool smtp_visit_tell(struct smtp_visit_told *told, struct smtp_check *check,
                     const struct smtp_task *task, const struct smtp_visit_place *place);
void smtp_visit_told_clear(struct smtp_visit_told *told);

#endif
