/* What came of a call to RocketMQ's proxy, as a result and as a sentence; DENIED and UNTRUSTED name the keys of the
 * configuration that mend it, none names a secret. Loop's thread only; part of the client (rocketmq_inner.h). */
#include <stdio.h>
#include <string.h>

#include "io/rocketmq_inner.h"

#define CODE_OK          20000
#define CODE_MULTIPLE    30000
#define CODE_NOT_CHECKED 40015 /* it does not know our settings */

static const char *const result_texts[] = {
#define X(name, text, ...) text,
    MQ_RESULT_LIST(X)
#undef X
};

const char *mq_result_text(enum mq_result result)
{
    return result_texts[result];
}

bool mq_result_parse(const char *text, enum mq_result *out)
{
    for (int i = 0; i < (int)MQ_RESULTS; i++)
        if (strcmp(result_texts[i], text) == 0) {
            *out = (enum mq_result)i;
            return true;
        }
    return false;
}

enum mq_result mq_status_result(int status)
{
    enum { PERMISSION_DENIED = 7 };
    if (status == GRPC_UNTRUSTED)
        return MQ_UNTRUSTED;
    return status == GRPC_UNAUTHENTICATED || status == PERMISSION_DENIED ? MQ_DENIED : MQ_UNKNOWN;
}

enum mq_result mq_transport_result(struct rocketmq *mq, const struct grpc_answer *answer)
{
    if (answer->status == GRPC_OK)
        return MQ_OK;
    if (answer->status == GRPC_UNAVAILABLE && mq->settled)
        mq_forgotten(mq, MQ_UNKNOWN, answer->message);
    return mq_status_result(answer->status);
}

/* definition.proto, enum Code. */
static enum mq_result result_of_code(int32_t code)
{
    static const struct {
        int32_t code;
        enum mq_result result;
    } rows[] = {
        {CODE_OK, MQ_OK},     {CODE_MULTIPLE, MQ_OK}, {40401, MQ_OK /* nothing to receive */},
        {40012, MQ_TOO_FAR},  {40013, MQ_EXPIRED},    {40014, MQ_WRONG_TYPE},
        {40100, MQ_DENIED},   {40300, MQ_DENIED},     {40402, MQ_NO_TOPIC},
        {40403, MQ_NO_GROUP}, {42900, MQ_BUSY},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].code == code)
            return rows[i].result;
    return code >= 50000 || code == CODE_NOT_CHECKED ? MQ_UNKNOWN : MQ_REFUSED;
}

/* What the proxy says is a text from the network. */
static void text_clean(char *text)
{
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = ' ';
}

static void denial_say(const struct rocketmq *mq, const char *message, char text[256])
{
    if (mq->options.access_key)
        snprintf(text, 256,
                 "the proxy does not take rocketmq.access_key with its rocketmq.secret_key_file, or grants "
                 "it no right to this (%.120s)",
                 message);
    else
        snprintf(text, 256,
                 "the proxy wants to know who we are (%.100s); write rocketmq.access_key and "
                 "rocketmq.secret_key_file",
                 message);
}

void mq_distrust_say(const struct rocketmq *mq, const char *message, char text[256])
{
    snprintf(text, 256,
             mq->secure
                 ? "rocketmq.ca_file can not vouch for the proxy (%.80s); name the authority that signed "
                   "its certificate, or no ca_file where it speaks no TLS"
                 : "the proxy hung up without a word (%.80s); where it wants TLS, name in "
                   "rocketmq.ca_file the authority that signed its certificate",
             message);
}

enum mq_result mq_result_of(struct rocketmq *mq, const Mq__Status *status, char text[256])
{
    snprintf(text, 256, "the answer says no status");
    if (!status)
        return MQ_UNKNOWN;
    const char *message = status->message ? status->message : "";
    enum mq_result result = result_of_code(status->code);
    snprintf(text, 256, "%.200s (code %d)", message, status->code);
    if (result == MQ_DENIED)
        denial_say(mq, message, text);
    text_clean(text);
    if (status->code == CODE_NOT_CHECKED && mq->settled)
        mq_forgotten(mq, MQ_UNKNOWN, "the proxy does not know us any more");
    return result;
}
