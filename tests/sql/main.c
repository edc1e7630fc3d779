/* sql_test: every suite of the schema on one cluster, one after the other. The exit status counts failures.
 */
#include "db.h"

int main(void)
{
    void *state = NULL;
    if (cluster_open(&state) != 0) {
        fprintf(stderr, "sql_test: no PostgreSQL cluster; install postgresql, or set MAKEGOOD_TEST_DB\n");
        return 1;
    }
    int failed = run_shop_tests() + run_claim_tests() + run_settle_tests() + run_life_tests() +
                 run_race_tests() + run_mapping_tests() + run_trigger_tests() + run_rights_tests() +
                 run_edge_tests() + run_steer_tests() + run_beat_tests() + run_operate_tests() +
                 run_resolve_tests() + run_crowd_tests() + run_wake_tests() + run_message_tests() +
                 run_look_tests() + run_audit_tests() + run_upgrade_tests();
    cluster_close(&state);
    return failed == 0 ? 0 : 1;
}
