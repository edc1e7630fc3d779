/* The one who pays at the simulated bank: personal data in the places where the providers' real answers have it, and a secret
 * that Stripe's have. Whoever reads the bank's answers must write none of it down. */
#ifndef BANK_PAYER_H
#define BANK_PAYER_H

#define PAYER_NAME          "Canary Ouyang"
#define PAYER_EMAIL         "ouyang.canary@mail.example"
#define PAYER_PHONE         "+86-13800571828"
#define PAYER_LOGIN         "138****1828"
#define PAYER_OPENID        "oUpF8uCanaryAJO2pxb1Q9zNjWeS6o"
#define PAYER_USER          "2088101117955611"
#define PAYER_CARD          "6216261000000002485"
#define PAYER_CLIENT_SECRET "pi_secret_canary_YrKJUKribcBjcG8HVhfZluoGH"

/* Stripe's, of a charge. */
#define PAYER_BILLING \
    "{\"email\":\"" PAYER_EMAIL "\",\"name\":\"" PAYER_NAME "\",\"phone\":\"" PAYER_PHONE "\"}"
/* PayPal's. */
#define PAYER_OF_ORDER                                                               \
    "{\"name\":{\"given_name\":\"" PAYER_NAME "\"},\"email_address\":\"" PAYER_EMAIL \
    "\",\"payer_id\":\"" PAYER_USER "\"}"

#endif
