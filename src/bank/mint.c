/* Makes the keys and certificates of a rehearsal: see keys.h. Runs once, on the main thread. They are worth nothing
 * outside: whoever has the folder can sign as any of these channels. */
#include <fcntl.h>
#include <limits.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

#include "bank/keys.h"

#define YEARS 10

static const struct {
    const char *file;
    const char *common_name;
    enum identity_name issuer;
} plans[IDENTITIES] = {
#define X(name, file, common_name, issuer) [IDENTITY_##name] = {file, common_name, IDENTITY_##issuer},
    IDENTITY_LIST(X)
#undef X
};

const char *identity_file(enum identity_name name)
{
    return plans[name].file;
}

static bool extension_add(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool added = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

/* 40 hex digits, as WeChat Pay's have. */
static bool serial_set(X509 *certificate)
{
    unsigned char bytes[20];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] = (bytes[0] & 0x3f) | 0x40;
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool done = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return done;
}

static bool name_set(X509 *certificate, const char *common_name)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    const char *const parts[][2] = {{"C", "CN"}, {"O", "makegood rehearsal"}, {"CN", common_name}};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (X509_NAME_add_entry_by_txt(name, parts[i][0], MBSTRING_UTF8, (const unsigned char *)parts[i][1],
                                       -1, -1, 0) != 1)
            return false;
    return true;
}

static bool certificate_fill(struct keys *keys, enum identity_name at)
{
    X509 *certificate = keys->of[at].certificate;
    const struct identity *issuer = &keys->of[plans[at].issuer];
    bool root = plans[at].issuer == at;
    return X509_set_version(certificate, X509_VERSION_3) == 1 && serial_set(certificate) &&
           name_set(certificate, plans[at].common_name) &&
           X509_set_issuer_name(certificate, X509_get_subject_name(issuer->certificate)) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -86400) &&
           X509_time_adj_ex(X509_getm_notAfter(certificate), 365 * YEARS, 0, NULL) &&
           X509_set_pubkey(certificate, keys->of[at].key) == 1 &&
           extension_add(certificate, issuer->certificate, NID_basic_constraints,
                         root ? "critical,CA:TRUE" : "CA:FALSE") &&
           extension_add(certificate, issuer->certificate, NID_key_usage,
                         root ? "critical,keyCertSign,cRLSign"
                              : "critical,digitalSignature,keyEncipherment") &&
           extension_add(certificate, issuer->certificate, NID_subject_key_identifier, "hash") &&
           (at != IDENTITY_SERVER || extension_add(certificate, issuer->certificate, NID_subject_alt_name,
                                                   "DNS:localhost,IP:127.0.0.1")) &&
           X509_sign(certificate, issuer->key, EVP_sha256()) > 0;
}

static FILE *file_make(const char *folder, enum identity_name at, const char *kind, mode_t mode)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s.%s", folder, plans[at].file, kind);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file && fd >= 0)
        close(fd);
    return file;
}

static bool file_end(FILE *file, int written)
{
    bool closed = file && fclose(file) == 0;
    return closed && written == 1;
}

static bool identity_write(const char *folder, enum identity_name at, const struct identity *identity)
{
    FILE *key = file_make(folder, at, "key", 0600);
    bool done =
        file_end(key, key ? PEM_write_PKCS8PrivateKey(key, identity->key, NULL, NULL, 0, NULL, NULL) : 0);
    FILE *public = done ? file_make(folder, at, "pub", 0644) : NULL;
    done = file_end(public, public ? PEM_write_PUBKEY(public, identity->key) : 0);
    FILE *certificate = done ? file_make(folder, at, "crt", 0644) : NULL;
    return file_end(certificate, certificate ? PEM_write_X509(certificate, identity->certificate) : 0);
}

int keys_mint(const char *folder)
{
    struct keys keys = {0};
    bool done = true;
    for (int i = 0; done && i < IDENTITIES; i++) { /* an issuer stands before what it certifies */
        keys.of[i].key = EVP_RSA_gen(2048);
        keys.of[i].certificate = X509_new();
        done = keys.of[i].key && keys.of[i].certificate && certificate_fill(&keys, (enum identity_name)i);
    }
    for (int i = IDENTITIES - 1; done && i >= 0; i--) /* ca.crt comes last: it says that all are there */
        done = identity_write(folder, (enum identity_name)i, &keys.of[i]);
    keys_close(&keys);
    return done ? 0 : -1;
}
