/* The status page in a real browser, fed by a running daemon: numbers against SQL truth, who may see orders, phone width,
 * dark mode, and that nothing of the database becomes markup. With MAKEGOOD_WRITE_DOC it takes the pictures in doc/. */
#include "browser.h"
#include "stage.h"
#include "visit.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PAGE_PASSWORD "open sesame & more: \xe9\x96\x80"
#define MARKUP        "<img src=x onerror=\"document.title=1\">"
#define FIGURES_MS    30000

static char origin[60];

/* Where the password lies; the page has one when with is true. */
static void daemon_shows(bool with)
{
    static char top[400];
    char path[160], line[240] = "";
    snprintf(path, sizeof(path), "%s/page.password", stage.folder);
    file_write(path, PAGE_PASSWORD "\n");
    assert_int_equal(chmod(path, 0600), 0);
    if (with)
        snprintf(line, sizeof(line), "page_password_file: %s\n", path);
    snprintf(top, sizeof(top), "listen: 127.0.0.1:%d\n%s", visit_port(), line);
    snprintf(origin, sizeof(origin), "http://127.0.0.1:%d/", visit_port());
    daemon_start(0, &(struct settings){.top = top, .schedule = "1s 600s"});
    wait_for_log(0, "event=listening", WAIT_MS);
}

/* A day's figures, as beats add them up. */
static void day_make(void)
{
    db_do(stage.db, "INSERT INTO makegood.tally (slot, channel, queries, answers, faults, paid, ended, "
                    "paid_by_shop, waiting)"
                    " SELECT makegood.slot_of(now()) - n * interval '5 minutes', 'main', 40, 38, 2, w / 9, w "
                    "/ 6, 20 + w, 3 * w"
                    " FROM (SELECT n, (20 + 14 * sin(n / 23.0) + n * 7919 %% 13 / 2)::int AS w FROM "
                    "generate_series(1, 280) AS n) AS v"
                    " ON CONFLICT DO NOTHING");
}

static void shop_open(bool with_password)
{
    stage_open(&orders_shop);
    stage_orders(1, 30, "paid");
    stage_orders(31, 2, "wrong_amount");
    stage_orders(33, 1, "refund_part");
    stage_orders(41, 9, "pending");
    stage_order_at(60, "paid", 123456789, "dead", NULL);
    day_make();
    stage_begin();
    daemon_shows(with_password);
    wait_for(WAIT_MS, "SELECT count(*) = 9 FROM makegood.lost_order WHERE channel = 'main' AND answers > 0"
                      " AND due_at > now() + interval '1 minute'");
}

static void go(const char *path)
{
    char url[200];
    snprintf(url, sizeof(url), "%s%s", origin, path);
    browser_go(url);
}

/* Until some text stands on the page. */
static void page_says(const char *text)
{
    char expression[300];
    snprintf(expression, sizeof(expression), "document.body.innerText.includes(`%s`)", text);
    browser_wait(expression, FIGURES_MS);
}

/* The figure on a tile. */
static void tile_says(const char *name, const char *query)
{
    char expression[400];
    snprintf(expression, sizeof(expression),
             "[...document.querySelectorAll('.tile')].find(t => t.querySelector('dt').textContent === '%s')"
             "?.querySelector('b').textContent === '%s'",
             name, db_text(stage.db, "%s", query));
    browser_wait(expression, FIGURES_MS);
}

static void assert_quiet(void)
{
    assert_string_equal(browser_complaints(), "");
    assert_int_equal(browser_strays(origin), 0);
}

static int teardown(void **state)
{
    browser_close();
    return stage_teardown(state);
}

/* --- everybody ------------------------------------------------------------------------------------------------- */

static void test_figures_are_true(void **state)
{
    (void)state;
    shop_open(false);
    browser_open();
    browser_screen(1280, 900, false, false);
    go("");
    tile_says("Waiting", "SELECT count(*) FROM makegood.lost_order");
    tile_says("Parked", "SELECT count(*) FROM makegood.parked_order");
    tile_says("Money at risk",
              "SELECT to_char(sum(amount_minor) / 100.0, 'FM999,999,990.00') FROM makegood.lost_order");
    page_says("amount_mismatch 2, refund_seen 1");
    page_says("page_password_file in the configuration");
    assert_string_equal(browser_says("document.querySelectorAll('#ended-chart .shops').length > 90"), "true");
    assert_string_equal(browser_says("document.querySelectorAll('#waiting-chart .line').length"), "1");
    assert_string_equal(browser_says("document.body.innerText.includes('ORD-')"), "false");
    /* By itself, without being loaded anew. */
    browser_says("document.title = 'the same page'");
    stage_orders(70, 4, "pending");
    db_do(stage.db, "%s", orders_shop.insert);
    stage_track();
    tile_says("Waiting", "SELECT count(*) FROM makegood.lost_order");
    assert_string_equal(browser_says("document.title"), "the same page");
    assert_quiet();
    /* A daemon that goes is told, and one that comes again. */
    daemon_stop(0);
    page_says("The daemon does not answer");
    daemon_shows(false);
    browser_wait("document.getElementById('state').textContent === 'ready'", FIGURES_MS);
    assert_string_equal(browser_says("document.title"), "the same page");
}

static void strangers_see(const char *path, const char *header, long status)
{
    char *page = visit(path, header, status);
    assert_lacks(page, "ORD-");
    assert_lacks(page, "pi_");
    assert_lacks(page, BANK_KEY);
    assert_lacks(page, PASSWORD);
    assert_lacks(page, "sesame");
    free(page);
}

/* No order, and nothing that a person wrote, without the password. */
static void test_strangers_see_no_order(void **state)
{
    static const char *const paths[] = {
        "/api/orders?list=oldest",          "/api/orders?list=parked",   "/api/history?order_no=ORD-000031",
        "/api/explain?order_no=ORD-000031", "/api/orders?list=nonsense", "/orders"};
    char *page;
    (void)state;
    shop_open(true);
    db_do(stage.db, "SELECT makegood.pause('dead', NULL, 'because of ORD-000060', false)");
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        strangers_see(paths[i], NULL, 401);
        strangers_see(paths[i], "Authorization: Basic YW55Ym9keTp3cm9uZw==", 401);
        strangers_see(paths[i], "Authorization: Basic YW55Ym9keTo=", 401);
        strangers_see(paths[i], "Host: evil.example", 421);
    }
    for (int64_t end_ms = now_ms() + FIGURES_MS;; sleep_ms(100)) {
        page = visit("/api/summary", NULL, 200);
        bool told = strstr(page, "\"paused\":{") != NULL;
        assert_lacks(page, "because");
        free(page);
        if (told)
            break;
        assert_true(now_ms() < end_ms);
    }
    strangers_see("/api/summary", NULL, 200);
    strangers_see("/", NULL, 200);
    strangers_see("/page.js", NULL, 200);
    strangers_see("/page.css", NULL, 200);
    strangers_see("/elsewhere", NULL, 404);
    strangers_see("/../etc/passwd", NULL, 404);
}

/* A changed password counts from the next reload on, for who knew the old one as well. */
static void test_a_password_is_changed(void **state)
{
    char path[160];
    (void)state;
    shop_open(true);
    snprintf(path, sizeof(path), "%s/page.password", stage.folder);
    file_write(path, "old");
    kill(stage.daemons[0], SIGHUP);
    wait_for_log(0, "event=reloaded", WAIT_MS);
    free(visit("/orders", "Authorization: Basic eDpvbGQ=", 200));
    file_write(path, "new");
    free(visit("/orders", "Authorization: Basic eDpuZXc=", 401));
    kill(stage.daemons[0], SIGHUP);
    for (int64_t end_ms = now_ms() + WAIT_MS; log_count(0, "event=reloaded") < 2; sleep_ms(20))
        assert_true(now_ms() < end_ms);
    free(visit("/orders", "Authorization: Basic eDpuZXc=", 200));
    free(visit("/orders", "Authorization: Basic eDpvbGQ=", 401));
}

/* --- who may see orders ---------------------------------------------------------------------------------------- */

static void test_orders_behind_the_password(void **state)
{
    (void)state;
    shop_open(true);
    db_do(stage.db, "SELECT makegood.park('ORD-000049', NULL, '%s', false)", MARKUP);
    browser_open();
    browser_screen(1280, 900, false, false);
    go("");
    page_says("Single orders are behind a password");
    browser_password("not this one");
    browser_password(PAGE_PASSWORD);
    go("orders");
    page_says("ORD-000060");
    assert_string_equal(browser_says("document.querySelectorAll('#list tbody tr').length"),
                        db_text(stage.db, "SELECT count(*) FROM makegood.lost_order"));
    browser_says("document.querySelector('[data-list=riskiest]').click()");
    browser_wait("document.querySelector('#list tbody td').textContent === 'ORD-000060'", FIGURES_MS);
    page_says("1,234,567.89 CNY");
    browser_says("document.querySelector('[data-list=parked]').click()");
    page_says("amount_mismatch");
    page_says(MARKUP); /* as text */
    assert_string_equal(browser_says("document.querySelectorAll('main img').length"), "0");
    assert_string_equal(browser_says("document.title"), "makegood");
    browser_says(
        "[...document.querySelectorAll('button.order')].find(b => b.textContent === 'ORD-000031').click()");
    browser_wait("document.getElementById('order').open", FIGURES_MS);
    page_says("paid → park (amount_mismatch)");
    assert_string_equal(
        browser_says("document.querySelectorAll('#order-history li').length"),
        db_text(stage.db, "SELECT count(*) FROM makegood.query_log WHERE order_no = 'ORD-000031'"));
    browser_says("document.getElementById('order-close').click()");
    browser_wait("!document.getElementById('order').open", FIGURES_MS);
    browser_says("document.getElementById('order-no').value = 'ORD-000049';"
                 "document.getElementById('find').requestSubmit()");
    page_says("park by ");
    browser_says("document.getElementById('order-close').click()");
    browser_wait("location.hash === ''", FIGURES_MS);
    browser_says("document.getElementById('order-no').value = 'nobody';"
                 "document.getElementById('find').requestSubmit()");
    page_says("Nothing is known of it.");
    assert_quiet();
}

static void test_orders_by_the_socket(void **state)
{
    char top[200], path[160];
    (void)state;
    stage_open(&orders_shop);
    stage_orders(1, 3, "wrong_amount");
    stage_begin();
    snprintf(path, sizeof(path), "%s/web.sock", stage.folder);
    snprintf(top, sizeof(top), "listen: unix:%s\n", path);
    daemon_start(0, &(struct settings){.top = top});
    wait_for(WAIT_MS, "SELECT count(*) = 3 FROM makegood.parked_order");
    visit_by(path);
    char *orders = visit("/api/orders?list=parked", NULL, 200);
    char *history = visit("/api/history?order_no=ORD-000002", "Host: anything", 200);
    char *none = visit("/api/orders?list=oldest", NULL, 200);
    free(visit("/api/orders?list=all", NULL, 400));
    free(visit("/api/history", NULL, 400));
    visit_by(NULL);
    assert_contains(orders, "\"ORD-000003\"");
    assert_contains(history, "\"amount_mismatch\"");
    assert_lacks(history, "ORD-000001");
    assert_string_equal(none, "[]");
    free(orders);
    free(history);
    free(none);
    ledger_check();
}

/* A database that is away: a sentence, soon, and no page that hangs. */
static void test_without_a_database(void **state)
{
    (void)state;
    shop_open(true);
    browser_open();
    browser_screen(1280, 900, false, false);
    browser_password(PAGE_PASSWORD);
    go("orders");
    page_says("ORD-000060");
    cluster_stop("immediate");
    page_says("The list is old: The database does not answer.");
    page_says("This daemon can not work: the database is down.");
    cluster_start();
    browser_wait("document.getElementById('state').textContent === 'ready'", FIGURES_MS);
}

/* --- every screen ---------------------------------------------------------------------------------------------- */

static void shot(const char *name)
{
    char path[120];
    snprintf(path, sizeof(path), "%s/%s.png", getenv("MAKEGOOD_WRITE_DOC") ? "doc" : stage.folder, name);
    tile_says("Parked", "SELECT count(*) FROM makegood.parked_order");
    browser_wait("document.querySelectorAll('#list tbody td').length > 8", FIGURES_MS);
    browser_shot(path);
}

static void assert_fits(void)
{
    browser_wait("document.querySelectorAll('#channels tbody tr').length > 1", FIGURES_MS);
    if (strcmp(browser_says("document.documentElement.scrollWidth <= innerWidth"), "true") != 0)
        fail_msg(
            "the page is wider than its screen: %s",
            browser_says("[...document.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right >"
                         " innerWidth + 1).map(e => e.tagName + e.className).slice(0, 9).join()"));
}

static void test_every_screen(void **state)
{
    char colours[2][60];
    (void)state;
    shop_open(true);
    db_do(
        stage.db,
        "UPDATE makegood.lost_order SET created_at = created_at - (100 - attempt_id) * interval '7 minutes'");
    browser_open();
    browser_password(PAGE_PASSWORD);
    for (int dark = 0; dark < 2; dark++) {
        browser_screen(1180, 1060, false, dark);
        go("orders");
        assert_fits();
        shot(dark ? "page-dark" : "page");
        snprintf(colours[dark], sizeof(colours[dark]), "%s",
                 browser_says("getComputedStyle(document.body).backgroundColor"));
    }
    assert_string_not_equal(colours[0], colours[1]);
    static const int widths[] = {320, 390, 600, 768};
    for (int i = 0; i < 4; i++) {
        browser_screen(widths[i], 844, true, i % 2);
        go("orders");
        assert_fits();
        if (widths[i] == 390)
            shot("page-phone");
    }
    assert_quiet();
}

int main(int argc, char **argv)
{
    if (argc > 1) /* one test alone */
        cmocka_set_test_filter(argv[1]);
#define PAGE(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        PAGE(test_figures_are_true),      PAGE(test_strangers_see_no_order),
        PAGE(test_a_password_is_changed), PAGE(test_orders_behind_the_password),
        PAGE(test_orders_by_the_socket),  PAGE(test_without_a_database),
        PAGE(test_every_screen),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
