//! The settings of the payment providers.

use super::setting::{Setting, plain, secret};

/// The settings of Stripe and Paddle.
pub(super) const PROVIDERS: &[Setting] = &[
    secret(
        "stripe_webhook_secrets",
        "",
        "Signing secrets (`whsec_…`) of your Stripe webhook endpoint, separated by commas: two during a rotation. If not \
         set: `/webhooks/stripe` accepts nothing.",
    ),
    plain(
        "stripe_webhook_tolerance_s",
        "300",
        "Maximum difference between the time in a Stripe signature and the clock, in seconds, 1 to 3600.",
    ),
    plain(
        "stripe_account",
        "",
        "Your Stripe account (`acct_…`). Events that name another account are stored but not processed. If not set: this \
         applies to all events that name an account.",
    ),
    secret(
        "stripe_api_key",
        "",
        "Key for Stripe's API: a secret key (`sk_…`) or better a restricted one (`rk_…`). If not set: Stripe is not called.",
    ),
    plain(
        "stripe_api_base",
        "https://api.stripe.com",
        "URL of Stripe's API: https, without a path (http for this machine only).",
    ),
    plain(
        "stripe_api_timeout_ms",
        "10000",
        "Time limit for one try of a request to Stripe, in milliseconds, 100 to 120000. A request is tried up to three \
         times.",
    ),
    plain(
        "stripe_requests_per_minute",
        "120",
        "Requests to Stripe in a minute that a caller may cause, on each node, 1 to 100000.",
    ),
    plain(
        "stripe_service_requests_per_minute",
        "1200",
        "Requests to Stripe in a minute that an admin may cause, or a service or API key with billing:write or \
         catalogue:write, on each node, 1 to 100000.",
    ),
    plain(
        "max_pause_days",
        "90",
        "Longest pause of a subscription that a customer may ask for, in days, 0 to 730; 0 allows none. Callers with \
         billing:write have no limit.",
    ),
    secret(
        "paddle_webhook_secrets",
        "",
        "Secret keys (`pdl_ntfset_…`) of your Paddle notification destination, separated by commas: two during a rotation. \
         If not set: `/webhooks/paddle` accepts nothing.",
    ),
    plain(
        "paddle_webhook_tolerance_s",
        "5",
        "Maximum difference between the time in a Paddle signature and the clock, in seconds, 1 to 3600. Paddle's own \
         libraries allow 5; raise it if the clock is not exact.",
    ),
    plain(
        "paddle_require_reference",
        "false",
        "`true` accepts as the owner of a purchase at Paddle only the account of a signed reference. `false` also accepts \
         the user in the customer's own custom data, which your server writes; Paddle finds the customer of a checkout by \
         the e-mail address that the buyer types, so a buyer can pay for somebody else.",
    ),
    plain(
        "livemode",
        "",
        "`true` processes events of live mode, `false` those of Stripe's test mode; the others are stored but not \
         processed. If not set: false in development, true in production.",
    ),
    plain("webhook_body_limit_bytes", "2097152", "Maximum size of a webhook's body, in bytes, 1024 to 104857600."),
];
