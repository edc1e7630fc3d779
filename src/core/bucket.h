/* Token bucket: how many questions may start now. Integers only: a token is 1,000,000 parts. Pure. */
#ifndef MAKEGOOD_BUCKET_H
#define MAKEGOOD_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    int64_t rate_per_second;
    int64_t depth;   /* tokens at most */
    int64_t level;   /* parts */
    int64_t last_ms; /* of the last refill */
};

void bucket_init(struct bucket *bucket, int rate_per_second, int depth, int64_t now_ms);
/* New limits from now on; what is in the bucket stays, up to the new depth. */
void bucket_resize(struct bucket *bucket, int rate_per_second, int depth, int64_t now_ms);
bool bucket_take(struct bucket *bucket, int64_t now_ms);
/* Until the next token is there: 0 when it is. */
int64_t bucket_wait_ms(struct bucket *bucket, int64_t now_ms);
/* Tokens that are there now. */
int64_t bucket_tokens(const struct bucket *bucket, int64_t now_ms);
/* Tokens that will have been available by then, from now on. */
int64_t bucket_within(struct bucket *bucket, int64_t now_ms, int64_t duration_ms);

#endif
