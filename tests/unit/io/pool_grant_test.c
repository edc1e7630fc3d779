/* Grants over plain loopback HTTP: one request for a token however many wait, renewed in time and after a refusal. */
#include "desk.h"
#include "io/purse.h"
#include "web.h"

#define MANY 50

static struct web web;
static struct desk desk;
static struct fake fake;

static int world_open(void **state)
{
    (void)state;
    web_open(&web, NULL);
    return 0;
}

static int world_close(void **state)
{
    (void)state;
    web_close(&web);
    return 0;
}

static int desk_up(void **state)
{
    (void)state;
    desk_open(&desk, 3);
    fake_init(&fake, "http", "127.0.0.1", web.port);
    fake.head.needs_grant = true;
    fake.lifetime_ms = 60000;
    atomic_store(&web.tokens, 0);
    atomic_store(&web.tokens_fail, 0);
    atomic_store(&web.tokens_valid, 0);
    return 0;
}

static int desk_down(void **state)
{
    (void)state;
    desk_close(&desk);
    return 0;
}

static struct evidence evidences[MANY];

static void send_many(const struct fake *asked)
{
    static struct question questions[MANY];
    static struct lost_order order;
    order = order_for("/guarded");
    for (int i = 0; i < MANY; i++) {
        questions[i] = (struct question){.channel = &asked->head, .order = &order, .evidence = &evidences[i]};
        pool_ask(desk.pool, &questions[i]);
    }
    pool_flush(desk.pool);
}

static void ask_many(const struct fake *asked)
{
    int before = desk.answers;
    send_many(asked);
    loop_until(&desk.loop, &desk.answers, before + MANY);
}

static void test_many_wait_for_one_token(void **state)
{
    (void)state;
    ask_many(&fake);
    for (int i = 0; i < MANY; i++) {
        assert_kind(evidences[i], EVIDENCE_PAID);
        assert_string_equal(evidences[i].channel_number, "Bearer T1");
    }
    ask_many(&fake);
    assert_int_equal(atomic_load(&web.tokens), 1);
}

static void test_a_token_that_ended_is_fetched_anew(void **state)
{
    (void)state;
    fake.lifetime_ms = 100;
    ask_many(&fake);
    usleep(150000);
    assert_string_equal(ask_path(&desk, &fake, "/guarded").channel_number, "Bearer T2");
}

/* ---- the purse, by a clock of its own ---- */

static struct purse filled(const char *token)
{
    struct purse purse = {.fetching = true};
    struct grant grant = {.lifetime_ms = 1000};
    snprintf(grant.token, sizeof(grant.token), "%s", token);
    assert_true(purse_fill(&purse, &grant, 2, 5000));
    return purse;
}

static void test_it_is_renewed_at_nine_tenths_and_serves_to_the_end(void **state)
{
    (void)state;
    struct purse purse = filled("T1");
    assert_false(purse_is_due(&purse, 5899));
    assert_true(purse_is_due(&purse, 5900));
    assert_string_equal(purse_token(&purse, 5999), "T1");
    assert_null(purse_token(&purse, 6000));
    purse.fetching = true;
    assert_false(purse_is_due(&purse, 6000)); /* one at a time */
    purse_finish(&purse);
}

static void test_a_fetch_in_vain_leaves_the_old_one(void **state)
{
    (void)state;
    struct purse purse = filled("T1");
    purse.fetching = true;
    assert_false(purse_fill(&purse, NULL, 3, 5950));
    assert_string_equal(purse_token(&purse, 5951), "T1");
    assert_false(purse_is_due(&purse, 5951)); /* not with every question */
    assert_true(purse_is_due(&purse, 6000));  /* nothing serves any more */
    purse_finish(&purse);
}

static void test_only_the_refused_token_is_dropped(void **state)
{
    (void)state;
    struct purse purse = filled("T2");
    purse_refuse(&purse, 1); /* a slow answer to an older one */
    assert_non_null(purse_token(&purse, 5000));
    purse_refuse(&purse, 2);
    assert_null(purse_token(&purse, 5000));
    assert_true(purse_is_due(&purse, 5000));
}

static void test_a_refused_token_is_renewed_once(void **state)
{
    (void)state;
    ask_many(&fake);
    atomic_store(&web.tokens_valid, 2); /* revoked */
    ask_many(&fake);
    for (int i = 0; i < MANY; i++) {
        assert_kind(evidences[i], EVIDENCE_PAID);
        assert_string_equal(evidences[i].channel_number, "Bearer T2");
    }
    assert_int_equal(atomic_load(&web.tokens), 2);
}

/* Refused with a token that was renewed meanwhile, and is freed: the newer one is left alone. */
static void test_a_late_refusal_of_an_older_token(void **state)
{
    (void)state;
    static struct question questions[2];
    static struct lost_order orders[2];
    ask_many(&fake);
    atomic_store(&web.tokens_valid, 2); /* revoked */
    int before = desk.answers;
    for (int i = 0; i < 2; i++) {
        orders[i] = order_for(i == 0 ? "/guarded" : "/guarded/slowly");
        questions[i] =
            (struct question){.channel = &fake.head, .order = &orders[i], .evidence = &evidences[i]};
        pool_ask(desk.pool, &questions[i]);
    }
    pool_flush(desk.pool);
    loop_until(&desk.loop, &desk.answers, before + 2);
    for (int i = 0; i < 2; i++)
        assert_string_equal(evidences[i].channel_number, "Bearer T2");
    assert_int_equal(atomic_load(&web.tokens), 2);
}

/* Not behind its back: a channel without a question under way may be destroyed at any time. */
static void test_who_finds_it_due_waits_for_the_new_one(void **state)
{
    (void)state;
    fake.lifetime_ms = 1000;
    ask_many(&fake);
    usleep(920000);
    assert_string_equal(ask_path(&desk, &fake, "/guarded").channel_number, "Bearer T2");
    assert_int_equal(atomic_load(&web.tokens), 2);
}

static void test_a_renewal_in_vain_is_nobodys_fault_while_the_old_one_serves(void **state)
{
    (void)state;
    fake.lifetime_ms = 4000;
    uint64_t start = uv_hrtime();
    ask_many(&fake);
    usleep(3620000);
    atomic_store(&web.tokens_fail, 1);
    struct evidence evidence = ask_path(&desk, &fake, "/guarded");
    if (uv_hrtime() - start > 4000 * 1000000ull)
        skip(); /* too busy a machine: it may have ended */
    assert_kind(evidence, EVIDENCE_PAID);
    assert_string_equal(evidence.channel_number, "Bearer T1");
    assert_int_equal(atomic_load(&web.tokens), 2);
}

static void test_half_a_token_is_none(void **state)
{
    (void)state;
    fake.token_path = "/cut";
    ask_many(&fake);
    for (int i = 0; i < MANY; i++)
        assert_kind(evidences[i], EVIDENCE_UNREACHABLE);
    fake.token_path = "/token";
    assert_string_equal(ask_path(&desk, &fake, "/guarded").channel_number, "Bearer T1");
}

static void test_a_second_refusal_is_an_answer(void **state)
{
    (void)state;
    atomic_store(&web.tokens_valid, 1000);
    struct evidence evidence = ask_path(&desk, &fake, "/guarded");
    assert_kind(evidence, EVIDENCE_UNAUTHORIZED);
    assert_int_equal(evidence.http_status, 401);
    assert_int_equal(atomic_load(&web.tokens), 2);
}

static void test_a_fetch_in_vain_is_the_fault_of_all_who_waited(void **state)
{
    (void)state;
    char asked[ASKED_BYTES];
    snprintf(asked, sizeof(asked), "GET http://127.0.0.1:%u", web.port);
    atomic_store(&web.tokens_fail, 1);
    ask_many(&fake);
    for (int i = 0; i < MANY; i++) {
        assert_kind(evidences[i], EVIDENCE_SERVER_ERROR);
        assert_int_equal(evidences[i].http_status, 503);
        assert_string_equal(evidences[i].asked, asked);
    }
    assert_int_equal(atomic_load(&web.tokens), 1);
    assert_kind(ask_path(&desk, &fake, "/guarded"), EVIDENCE_PAID); /* the next one tries again */
}

static void test_nobody_to_ask_for_a_token(void **state)
{
    (void)state;
    snprintf(fake.base, sizeof(fake.base), "http://127.0.0.1:1");
    assert_kind(ask_path(&desk, &fake, "/guarded"), EVIDENCE_UNREACHABLE);
}

static void test_every_channel_has_its_own(void **state)
{
    (void)state;
    struct fake other = fake;
    snprintf(other.head.name, sizeof(other.head.name), "other");
    assert_string_equal(ask_path(&desk, &fake, "/guarded").channel_number, "Bearer T1");
    assert_string_equal(ask_path(&desk, &other, "/guarded").channel_number, "Bearer T2");
    assert_string_equal(ask_path(&desk, &fake, "/guarded").channel_number, "Bearer T1");
}

static void test_a_channel_that_goes_takes_its_token_along(void **state)
{
    (void)state;
    ask_many(&fake);
    pool_forget(desk.pool, &fake.head);
    assert_string_equal(ask_path(&desk, &fake, "/guarded").channel_number, "Bearer T2");
}

/* They have the token that they waited for; nobody has it after them. */
static void test_forgotten_while_they_wait(void **state)
{
    (void)state;
    send_many(&fake);
    usleep(20000); /* the token is on its way */
    pool_forget(desk.pool, &fake.head);
    loop_until(&desk.loop, &desk.answers, MANY);
    for (int i = 0; i < MANY; i++)
        assert_string_equal(evidences[i].channel_number, "Bearer T1");
    assert_string_equal(ask_path(&desk, &fake, "/guarded").channel_number, "Bearer T2");
}

static void test_the_end_comes_while_they_wait(void **state)
{
    (void)state;
    static struct question question;
    static struct evidence evidence;
    static struct lost_order order;
    order = order_for("/guarded");
    question = (struct question){.channel = &fake.head, .order = &order, .evidence = &evidence};
    pool_ask(desk.pool, &question);
    pool_flush(desk.pool);
    usleep(20000); /* the token is on its way; the desk closes */
}

int main(void)
{
#define DESK(test) cmocka_unit_test_setup_teardown(test, desk_up, desk_down)
    const struct CMUnitTest tests[] = {
        DESK(test_many_wait_for_one_token),
        DESK(test_a_token_that_ended_is_fetched_anew),
        cmocka_unit_test(test_it_is_renewed_at_nine_tenths_and_serves_to_the_end),
        cmocka_unit_test(test_a_fetch_in_vain_leaves_the_old_one),
        cmocka_unit_test(test_only_the_refused_token_is_dropped),
        DESK(test_a_refused_token_is_renewed_once),
        DESK(test_a_late_refusal_of_an_older_token),
        DESK(test_who_finds_it_due_waits_for_the_new_one),
        DESK(test_a_renewal_in_vain_is_nobodys_fault_while_the_old_one_serves),
        DESK(test_half_a_token_is_none),
        DESK(test_a_second_refusal_is_an_answer),
        DESK(test_a_fetch_in_vain_is_the_fault_of_all_who_waited),
        DESK(test_nobody_to_ask_for_a_token),
        DESK(test_every_channel_has_its_own),
        DESK(test_a_channel_that_goes_takes_its_token_along),
        DESK(test_forgotten_while_they_wait),
        DESK(test_the_end_comes_while_they_wait),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
