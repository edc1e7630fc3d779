/* Token bucket. Pure; owned by a lane of the engine. */
#include "core/bucket.h"

#define PARTS             1000000LL
#define LONGEST_REFILL_MS 3600000LL /* more than any depth needs; keeps the product small */

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void bucket_init(struct bucket *bucket, int rate_per_second, int depth, int64_t now_ms)
{
    *bucket = (struct bucket){rate_per_second, depth, depth * PARTS, now_ms};
}

static void bucket_refill(struct bucket *bucket, int64_t now_ms)
{
    int64_t passed_ms = smaller(now_ms - bucket->last_ms, LONGEST_REFILL_MS);
    if (passed_ms <= 0)
        return;
    bucket->level =
        smaller(bucket->level + passed_ms * bucket->rate_per_second * (PARTS / 1000), bucket->depth * PARTS);
    bucket->last_ms = now_ms;
}

void bucket_resize(struct bucket *bucket, int rate_per_second, int depth, int64_t now_ms)
{
    bucket_refill(bucket, now_ms); /* at the old rate */
    bucket->rate_per_second = rate_per_second;
    bucket->depth = depth;
    bucket->level = smaller(bucket->level, depth * PARTS);
}

bool bucket_take(struct bucket *bucket, int64_t now_ms)
{
    bucket_refill(bucket, now_ms);
    if (bucket->level < PARTS)
        return false;
    bucket->level -= PARTS;
    return true;
}

int64_t bucket_wait_ms(struct bucket *bucket, int64_t now_ms)
{
    bucket_refill(bucket, now_ms);
    if (bucket->level >= PARTS)
        return 0;
    int64_t parts_per_ms = bucket->rate_per_second * (PARTS / 1000);
    return (PARTS - bucket->level + parts_per_ms - 1) / parts_per_ms;
}

int64_t bucket_within(struct bucket *bucket, int64_t now_ms, int64_t duration_ms)
{
    bucket_refill(bucket, now_ms);
    return bucket->level / PARTS + bucket->rate_per_second * smaller(duration_ms, LONGEST_REFILL_MS) / 1000;
}

int64_t bucket_tokens(const struct bucket *bucket, int64_t now_ms)
{
    struct bucket then = *bucket;
    bucket_refill(&then, now_ms);
    return then.level / PARTS;
}
