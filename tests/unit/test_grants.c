/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/grants.h"
#include "base/error.h"
#include "scratch.h"

static struct grants *begin(void)
{
    struct grants *grants = NULL;

    assert_ok(grants_new(&grants, NULL));
    return grants;
}

static struct peer process(pid_t pid, uid_t uid)
{
    return (struct peer){ .kind = PEER_UNIX, .uid = uid, .pid = pid };
}

static unsigned int n_compared; /* in a time that tells nothing: crypto/digest.h */

bool __real_digest_equal(const uint8_t *a, const uint8_t *b, size_t len);
bool __wrap_digest_equal(const uint8_t *a, const uint8_t *b, size_t len);

bool __wrap_digest_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
    n_compared++;
    return __real_digest_equal(a, b, len);
}

TEST(how_much_of_a_header_is_right_is_not_to_be_measured)
{
    CLEANUP(grants_freep) struct grants *grants = begin();
    char headers[2][GRANT_HEADER_SIZE];
    struct bearer bearer;

    assert_ok(grants_name(grants, "ci", "main", headers[0], NULL));
    assert_ok(grants_name(grants, "web", "main", headers[1], NULL));
    n_compared = 0;
    assert_false(grants_find(grants, "A", &bearer));
    assert_int_equal(n_compared, 2);
    assert_true(grants_find(grants, headers[0], &bearer));
    assert_int_equal(n_compared, 4);
}

TEST(who_cannot_be_followed_gets_none)
{
    CLEANUP(grants_freep) struct grants *grants = begin();
    const struct peer nobody = process(0, 1);
    char header[GRANT_HEADER_SIZE];

    assert_int_equal(grants_give(grants, &nobody, "main", header, NULL), KEYSTAY_E_INTERNAL);
}

TEST(a_header_says_whose_it_is)
{
    CLEANUP(grants_freep) struct grants *grants = begin();
    const struct peer me = process(getpid(), 17);
    char headers[2][GRANT_HEADER_SIZE];
    struct bearer bearer;

    assert_ok(grants_give(grants, &me, "main", headers[0], NULL));
    assert_ok(grants_give(grants, &me, "other", headers[1], NULL));
    assert_int_equal(strlen(headers[0]), GRANT_HEADER_SIZE - 1);
    assert_true(grants_find(grants, headers[0], &bearer));
    assert_string_equal(bearer.profile, "main");
    assert_string_equal(bearer.grant, "");
    assert_int_equal(bearer.who.uid, 17);
    assert_true(grants_find(grants, headers[1], &bearer));
    assert_string_equal(bearer.profile, "other");
    assert_int_equal(grants_tick(grants), 2);
}

TEST(what_is_nearly_a_header_is_none)
{
    CLEANUP(grants_freep) struct grants *grants = begin();
    const struct peer me = process(getpid(), 17);
    char header[GRANT_HEADER_SIZE];
    struct bearer bearer;

    assert_ok(grants_give(grants, &me, "main", header, NULL));
    header[0] = header[0] == 'A' ? 'B' : 'A';
    assert_false(grants_find(grants, header, &bearer));
    assert_false(grants_find(grants, "", &bearer));
}

TEST(a_grant_of_the_configuration_has_one_header)
{
    CLEANUP(grants_freep) struct grants *grants = begin();
    char headers[3][GRANT_HEADER_SIZE];
    struct bearer bearer;

    assert_ok(grants_name(grants, "ci", "main", headers[0], NULL));
    assert_ok(grants_name(grants, "web", "main", headers[1], NULL));
    assert_ok(grants_name(grants, "ci", "other", headers[2], NULL));
    assert_false(grants_find(grants, headers[0], &bearer));
    assert_true(grants_find(grants, headers[1], &bearer));
    assert_true(grants_find(grants, headers[2], &bearer));
    assert_string_equal(bearer.profile, "other");
    assert_string_equal(bearer.grant, "ci");
    assert_int_equal(grants_tick(grants), 2); /* no process's end ends them */
}

TEST(a_header_ends_with_its_process)
{
    CLEANUP(grants_freep) struct grants *grants = begin();
    char header[GRANT_HEADER_SIZE];
    struct bearer bearer;
    const pid_t pid = fork();

    if (pid == 0) {
        (void)pause();
        _exit(0);
    }
    const struct peer child = process(pid, 17);
    assert_ok(grants_give(grants, &child, "main", header, NULL));
    assert_int_equal(grants_tick(grants), 1);
    assert_true(grants_find(grants, header, &bearer));
    (void)kill(pid, SIGKILL);
    wait_for(!grants_find(grants, header, &bearer)); /* at once; and nobody has waited for it yet */
    assert_int_equal(grants_tick(grants), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Each is a descriptor. */
static void set_descriptors(rlim_t n)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_max >= n);
    limit.rlim_cur = n;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

TEST(one_user_does_not_get_all)
{
    set_descriptors(1024);
    CLEANUP(grants_freep) struct grants *grants = begin();
    const struct peer me = process(getpid(), 17);
    const struct peer other = process(getpid(), 18);
    char header[GRANT_HEADER_SIZE];

    assert_int_equal(grants_max(grants), 256);
    for (size_t i = 0; i < 64; i++) {
        assert_ok(grants_give(grants, &me, "main", header, NULL));
    }
    assert_int_equal(grants_give(grants, &me, "main", header, NULL), KEYSTAY_E_THROTTLED);
    assert_ok(grants_give(grants, &other, "main", header, NULL));
}

TEST(processes_do_not_take_the_place_of_what_is_configured)
{
    set_descriptors(1024);
    CLEANUP(grants_freep) struct grants *grants = begin();
    struct peer each = process(getpid(), 0);
    char header[GRANT_HEADER_SIZE];

    for (size_t i = 0; i < grants_max(grants); i++) {
        each.uid = (uid_t)(1 + i / 64);
        assert_ok(grants_give(grants, &each, "main", header, NULL));
    }
    each.uid = 99;
    assert_int_equal(grants_give(grants, &each, "main", header, NULL), KEYSTAY_E_THROTTLED);
    assert_ok(grants_name(grants, "ci", "main", header, NULL));
}

TEST(a_header_of_an_agent_of_before_goes_on)
{
    CLEANUP(grants_freep) struct grants *grants = begin();
    char header[GRANT_HEADER_SIZE];
    char next[GRANT_HEADER_SIZE];
    struct bearer bearer;

    assert_ok(grants_name(grants, "web", "main", header, NULL));
    grants_freep(&grants);
    grants = begin();
    assert_false(grants_find(grants, header, &bearer));
    assert_ok(grants_keep(grants, "web", "main", header, NULL));
    assert_true(grants_find(grants, header, &bearer));
    assert_string_equal(bearer.profile, "main");
    assert_string_equal(bearer.grant, "web");
    assert_int_equal(grants_tick(grants), 1);
    assert_ok(grants_name(grants, "web", "main", next, NULL));
    assert_false(grants_find(grants, header, &bearer));
    assert_ok(grants_keep(grants, "web", "main", header, NULL));
    assert_false(grants_find(grants, next, &bearer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_much_of_a_header_is_right_is_not_to_be_measured),
        cmocka_unit_test(a_grant_of_the_configuration_has_one_header),
        cmocka_unit_test(a_header_of_an_agent_of_before_goes_on),
    };
    const struct CMUnitTest with_processes[] = {
        cmocka_unit_test(who_cannot_be_followed_gets_none),
        cmocka_unit_test(a_header_says_whose_it_is),
        cmocka_unit_test(a_header_ends_with_its_process),
        cmocka_unit_test(what_is_nearly_a_header_is_none),
        cmocka_unit_test(one_user_does_not_get_all),
        cmocka_unit_test(processes_do_not_take_the_place_of_what_is_configured),
    };
    int n_failed = RUN_TESTS(tests);

    /* Valgrind 3.19 does not know pidfd_open. */
    return is_under_valgrind() ? n_failed : n_failed + RUN_TESTS(with_processes);
}
