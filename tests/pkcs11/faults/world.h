/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PKCS11_FAULTS_WORLD_H
#define TESTS_PKCS11_FAULTS_WORLD_H

/*
 * What the tables of faults stand in: a signer over the scripted module, a clock that only moves when
 * somebody sleeps, and the rules that hold whatever the module does.
 */

#include "../../unit/unit.h"
#include "keystay/pkcs11.h"
#include "scripted.h"

#define CALL_BIT(call) (1U << (call))

/* How a signer is used. */
struct scene {
    const char *name;
    bool always_authenticate;
    bool is_looked_at;  /* the token is listed instead */
    bool is_checked;    /* after each signature, and locked before the last */
    bool is_liar;       /* its errors need not be the module's words */
    bool has_pad;       /* the PIN is typed at the token */
    bool has_neighbour; /* another signer of the same module is open all the while */
    CK_ULONG sessions_max;
    enum scripted_loss loss;    /* happens before the second signature; faults are of interest from then on */
    struct scripted_fault also; /* one that is always there; the others are of interest from then on */
    unsigned int calls;         /* CALL_BIT: those that are of interest; 0: all */
};

struct world {
    const struct scene *scene;
    struct keystay_signer *signer; /* NULL: not open */
    struct keystay_signer *neighbour;
    size_t n_before[CALL_N]; /* calls before the loss */
    size_t n_pins_seen;
    char what[200]; /* the cell that is being tried, for complaints */
};

/* module: the path of the scripted module. Once, before all else; for the whole process. */
void world_build(const char *module);
void world_end(void);

/* Everything as new: module, token, latch. */
void world_begin(struct world *world, const struct scene *scene);

/* Closes what is open. The module must have been given back then. */
void world_leave(struct world *world);

/*
 * The two things that a signer does. They check what is true of each call, and complain: an output that was
 * touched by a failure, an answer that is not the module's, a PIN sent in vain, a latch that does not tell
 * what became of the PIN, a stale handle, a call that the watch did not know of.
 */
enum keystay_status world_open(struct world *world, struct keystay_error *ret_error);
enum keystay_status world_sign(struct world *world, struct keystay_error *ret_error);

void world_close(struct world *world);

/* The signer's check, and what `keystay key list` does, with the same care. */
enum keystay_status world_check(struct world *world, struct keystay_error *ret_error);
enum keystay_status world_look(struct world *world, struct keystay_error *ret_error);

/* Opens if there is no signer, and signs. */
enum keystay_status world_work(struct world *world, struct keystay_error *ret_error);

/* As `keystay pin forget` does. */
void world_forget_pin(void);

/* Lets time pass: a full climb is allowed again. */
void world_wait(void);

/* A complaint is printed with the cell's name, and counted. */
__attribute__((format(printf, 2, 3))) void complain(const struct world *world, const char *format, ...);
size_t world_complaints(void); /* and forgets them */

#endif
