/* Policy: how one channel is asked. An immutable value, made from the configuration; reloading makes a new
 * one. */
#ifndef MAKEGOOD_POLICY_H
#define MAKEGOOD_POLICY_H

#include "makegood/order.h"

#define SCHEDULE_MAX 32

struct policy {
    char channel[CHANNEL_BYTES];

    /* An order's life. */
    int64_t
        schedule_ms[SCHEDULE_MAX]; /* delays: the first after tracking, the n-th after the n-th answer... */
    int schedule_length;           /* ...the last one repeats; at least 1 */
    int jitter_percent;            /* every delay is spread by up to +- this share; 0 to 50 */
    int64_t error_first_ms;        /* backoff after errors: doubles from here... */
    int64_t error_max_ms;          /* ...to here */
    int64_t not_found_grace_ms;    /* past the end, not found stays non-final for so long */
    int64_t horizon_ms;            /* end of life of an attempt without an expiry of its own, by age */
    int64_t probe_ms;              /* pace of questions that wait for something else than the order */
    int attempt_limit;             /* answers after which an unfinished order is parked; 0: none */
    int unknown_limit;             /* unknown states in a row that park */
    bool accept_flagged;           /* paid with a refund or dispute flag counts as paid */

    /* The traffic. */
    int concurrency;             /* questions under way at once, per instance */
    int rate_per_second;         /* token bucket: refill ... */
    int burst;                   /* ... and depth */
    int64_t timeout_ms;          /* of one whole question; the first guess of the latency */
    int64_t retry_after_max_ms;  /* cap on what a channel may ask for */
    int breaker_failures;        /* faults in a row that open the breaker */
    int64_t breaker_open_ms;     /* how long it stays open first; doubles ... */
    int64_t breaker_open_max_ms; /* ... to here */
    int guard_percent;           /* doubtful parkings among recent answers that halt the channel; 0: never */
    int64_t found_lately_ms;     /* something found within this time proves the credentials */
};

#endif
