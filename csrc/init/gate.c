/* The gate: all is made but the program, and somebody else than the parent says when that begins.
 */
#include "init.h"

/* The one who says so has gone on with it, and left it in his own hands: when he is gone without
 * a word nobody knows what he had done by then. */
static int await_word(int connection) {
    const char here = GATE_HERE;
    char word = 0;
    if (k_write(connection, &here, 1) != 1 || k_read(connection, &word, 1) != 1)
        k_exit(EXIT_SETUP);
    return word == GATE_GO ? 0 : -EPROTO;
}

/* From here on the parent's death is no reason to end; until it has answered, the end of the
 * socket is. What follows is told to who has opened the gate. */
static int let_go(struct init *in) {
    struct plan_message message = {.number = MEET_START};
    struct iovec vector = {.iov_base = &message, .iov_len = sizeof message};
    const struct k_msghdr header = {.iov = &vector, .iov_count = 1};
    in->death_signal = 0;
    int result = process_arm(in);
    if (result >= 0)
        result = (int)k_sendmsg(in->sync, &header, MSG_NOSIGNAL);
    if (result < 0)
        return result;
    namespace_await(in, MEET_START);
    fds_close(&in->sync);
    fds_close(&in->status);
    return 0;
}

int step_gate(struct init *in, const union plan_arg *a) {
    int result = at(in, AUX_SOURCE, exec_look(plan_text(in, &a[1]), plan_text(in, &a[2])));
    int gate = plan_take(in, &a[0]);
    if (result < 0 || gate < 0)
        return result < 0 ? result : gate;
    result = let_go(in);
    if (result < 0)
        return result;
    int connection = fds_keep(in, k_accept(gate, SOCK_CLOEXEC));
    k_close(gate);
    if (connection < 0) /* there is nobody to tell */
        k_exit(EXIT_SETUP);
    in->status = in->sync = connection;
    return await_word(connection);
}
