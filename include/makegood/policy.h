/* Policy: how one channel is asked. An immutable value, made from the configuration; reloading makes a new
 * one. */
#ifndef MAKEGOOD_POLICY_H
#define MAKEGOOD_POLICY_H

#include "makegood/order.h"
#include "makegood/window.h"

#define SCHEDULE_MAX 32
#define PLANS_MAX    8
#define WINDOWS_MAX  8

/* Delays: the first after tracking, the n-th after the n-th answer, the last one repeating. */
struct schedule {
    int64_t delays_ms[SCHEDULE_MAX];
    int length; /* at least 1 */
};

/* A schedule for some attempts: the first plan that fits is followed, the policy's own schedule when none does. */
struct schedule_plan {
    char method[METHOD_BYTES]; /* of the payment; "": any */
    int64_t until_ms;          /* while the attempt is younger; 0: at any age */
    struct schedule schedule;
};

struct policy {
    char channel[CHANNEL_BYTES];

    /* An order's life. */
    struct schedule schedule;
    struct schedule_plan plans[PLANS_MAX];
    int plan_count;
    int jitter_percent;         /* every delay is spread by up to +- this share; 0 to 50 */
    int64_t error_first_ms;     /* backoff after errors: doubles from here... */
    int64_t error_max_ms;       /* ...to here */
    int64_t not_found_grace_ms; /* past the end, not found stays non-final for so long */
    int64_t horizon_ms;         /* end of life of an attempt without an expiry of its own, by age */
    int64_t probe_ms;           /* pace of questions that wait for something else than the order */
    int attempt_limit;          /* answers after which an unfinished order is parked; 0: none */
    int unknown_limit;          /* unknown states in a row that park */
    bool accept_flagged;        /* paid with a refund or dispute flag counts as paid */
    bool can_close;             /* the channel can be asked to close what is unpaid at the end... */
    bool closes;                /* ...and is, also where the attempt names no expiry */
    struct schedule
        tail;    /* times of the questions for a late success, counted from the closing; length 0: none */
    bool shadow; /* asked and audited, but nothing comes of it: rows go back as they came */
    bool accept_late; /* a late success makes the closed order paid; otherwise it is parked */

    bool by_message; /* its orders come from the broker ... */
    bool
        safety_net; /* ... and those that it lost from rows, at their time; else scans find the rows that are put back */

    /* The traffic. */
    struct window windows[WINDOWS_MAX]; /* of the channel's maintenance: not asked then */
    int window_count;
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
