/* Loading of the rehearsal's keys: see keys.h. Runs on the main thread. */
#include "bank/keys.h"

#include <errno.h>
#include <limits.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static FILE *file_open(const char *folder, enum identity_name at, const char *kind)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s.%s", folder, identity_file(at), kind);
    return fopen(path, "re");
}

/* Issuer as "CN=..,OU=..,O=..,C=..", the reverse of how it is encoded, then the serial as a decimal. */
static void digest_write(struct identity *identity)
{
    const X509_NAME *name = X509_get_issuer_name(identity->certificate);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned bytes = 0;
    char text[1024] = "";
    size_t at = 0;
    for (int i = X509_NAME_entry_count(name) - 1; i >= 0 && at < sizeof(text); i--) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s=%.*s", at ? "," : "",
                               OBJ_nid2sn(OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry))),
                               ASN1_STRING_length(value), (const char *)ASN1_STRING_get0_data(value));
    }
    if (at < sizeof(text))
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s", identity->decimal);
    identity->digest[0] = '\0';
    if (at < sizeof(text) && EVP_Digest(text, at, digest, &bytes, EVP_md5(), NULL) == 1)
        for (unsigned i = 0; i < bytes; i++)
            snprintf(identity->digest + 2 * i, 3, "%02x", digest[i]);
}

static bool serial_write(struct identity *identity)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(identity->certificate), NULL);
    char *hex = number ? BN_bn2hex(number) : NULL;
    char *decimal = number ? BN_bn2dec(number) : NULL;
    if (hex && decimal) {
        snprintf(identity->hex, sizeof(identity->hex), "%s", hex);
        snprintf(identity->decimal, sizeof(identity->decimal), "%s", decimal);
        digest_write(identity);
    }
    bool done = hex && decimal;
    OPENSSL_free(hex);
    OPENSSL_free(decimal);
    BN_free(number);
    return done;
}

static bool identity_load(const char *folder, enum identity_name at, struct identity *out)
{
    FILE *key = file_open(folder, at, "key");
    FILE *certificate = file_open(folder, at, "crt");
    out->key = key ? PEM_read_PrivateKey(key, NULL, NULL, NULL) : NULL;
    out->certificate = certificate ? PEM_read_X509(certificate, NULL, NULL, NULL) : NULL;
    if (key)
        fclose(key);
    if (certificate)
        fclose(certificate);
    return out->key && out->certificate && X509_check_private_key(out->certificate, out->key) == 1 &&
           serial_write(out);
}

int keys_open(struct keys *keys, const char *folder, char why[WHY_BYTES])
{
    char path[PATH_MAX];
    memset(keys, 0, sizeof *keys);
    snprintf(path, sizeof(path), "%s/%s.crt", folder, identity_file(IDENTITY_CA));
    mkdir(folder, 0700);
    if (access(path, F_OK) != 0 && keys_mint(folder) != 0) {
        snprintf(why, WHY_BYTES,
                 "keys can not be made in %s: it must be a folder that you may write to, without files "
                 "of an earlier attempt",
                 folder);
        return -1;
    }
    for (int i = 0; i < IDENTITIES; i++) {
        if (identity_load(folder, (enum identity_name)i, &keys->of[i]))
            continue;
        snprintf(why, WHY_BYTES,
                 "%s/%s.key and .crt are missing or do not fit together: remove the folder, to have all "
                 "made anew",
                 folder, identity_file((enum identity_name)i));
        return -1;
    }
    return 0;
}

void keys_close(struct keys *keys)
{
    for (int i = 0; i < IDENTITIES; i++) {
        EVP_PKEY_free(keys->of[i].key);
        X509_free(keys->of[i].certificate);
    }
    memset(keys, 0, sizeof *keys);
}
