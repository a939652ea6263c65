//! The description of every table for docs/data-model.md.

/// Tables that are drawn in one diagram.
pub(super) struct Area {
    pub(super) title: &'static str,
    pub(super) intro: &'static str,
    pub(super) tables: &'static [Table],
}

/// The part of a table's description that its entity does not hold.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The module of src/ that writes it.
    pub(super) module: &'static str,
    pub(super) holds: &'static str,
}

const fn table(name: &'static str, module: &'static str, holds: &'static str) -> Table {
    Table { name, module, holds }
}

pub(super) const AREAS: &[Area] = &[
    Area {
        title: "People and accounts",
        intro: "A user signs in; an account is billed. Each user has one individual account and can be a member of others.",
        tables: &[
            table(
                "users",
                "accounts",
                "people, with their role; erasure clears the personal columns and sets `erased_at`",
            ),
            table("user_identities", "accounts", "issuer and subject of the tokens of a user"),
            table("accounts", "accounts", "the parties that are billed: individuals, couples, teams, organisations"),
            table(
                "account_members",
                "accounts",
                "membership of a user in an account, with a role; kept after the user has left",
            ),
            table("api_keys", "accounts", "keys of back ends: a hash, and the scopes"),
            table("publishable_keys", "accounts", "keys of pages in browsers, which record events of visitors"),
            table("provider_customers", "accounts", "customers at Stripe and Paddle; an account can have several"),
        ],
    },
    Area {
        title: "Catalogue",
        intro: "A product is a plan, an add-on, a pack of credits or a gift. Its versions carry prices, features and credit \
                allowances; a published version never changes.",
        tables: &[
            table("products", "plans", "plans, add-ons and credit packs, by code"),
            table("product_versions", "plans", "drafts and published versions of a product"),
            table("prices", "plans", "amount, currency and billing interval of a version"),
            table("provider_prices", "plans", "prices at a provider, and the price here that they stand for"),
            table("features", "plans", "capabilities and limits that a plan can include"),
            table("product_features", "plans", "features of a version, each with its limit"),
            table("credit_units", "plans", "kinds of credits"),
            table("credit_allowances", "plans", "credits that a version grants, and how often"),
        ],
    },
    Area {
        title: "Subscriptions and trials",
        intro: "`subscriptions` holds the present; `subscription_versions` every state there was, append-only, from which \
                recurring revenue is computed.",
        tables: &[
            table("subscriptions", "subscriptions", "the subscription as it is now"),
            table("subscription_items", "subscriptions", "plan and add-ons that a subscription bills for"),
            table("subscription_prices", "subscriptions", "prices that a subscription has or had"),
            table("subscription_versions", "subscriptions", "each state of a subscription, with its ARR; append-only"),
            table(
                "subscription_arr_changes",
                "subscriptions",
                "later changes of a state's ARR, because a discount begins or ends; append-only",
            ),
            table(
                "subscription_discounts",
                "subscriptions",
                "discounts that a subscription has or had, with their scope",
            ),
            table("scheduled_changes", "subscriptions", "changes that take effect later"),
            table("trial_claims", "subscriptions", "keyed hashes of people who had a trial; they outlive an erasure"),
        ],
    },
    Area {
        title: "Payments and discounts",
        intro: "Invoices, payments, refunds and disputes are mirrored from the providers; a refund can begin here.",
        tables: &[
            table("invoices", "payments", "invoices of an account"),
            table("payments", "payments", "payments, whatever their outcome"),
            table("refunds", "payments", "refunds that were requested here or made at the provider"),
            table("disputes", "payments", "chargebacks and inquiries against a payment"),
            table("coupons", "discounts", "discounts that can be applied"),
            table("promo_codes", "discounts", "codes that customers enter to get a coupon"),
            table("discount_redemptions", "discounts", "uses of a coupon by an account"),
            table(
                "gifts",
                "gifts",
                "one period of a plan, bought by one account and redeemed by another; the code is a hash",
            ),
        ],
    },
    Area {
        title: "Credits",
        intro: "A double-entry ledger that the database keeps balanced: entries are written first, and the row of their \
                transaction seals them. [Decision 0003](decisions/0003-ledger.md) has the reasons.",
        tables: &[
            table("balances", "credits", "one row for each account and unit, with a column for each bucket"),
            table("credit_grants", "credits", "credits that were granted, what is left of them, and when they expire"),
            table("credit_holds", "credits", "credits that are reserved for work in progress"),
            table("ledger_txns", "credits", "ledger transactions; append-only"),
            table("ledger_entries", "credits", "entries, each with the bucket's balance after it; append-only"),
        ],
    },
    Area {
        title: "Usage and entitlements",
        intro: "Recorded usage is counted by meters; plans limit it by window, and rate cards turn it into credits.",
        tables: &[
            table("meters", "usage", "quantities that are counted, and how"),
            table("usage_events", "usage", "recorded usage and its corrections; append-only"),
            table("usage_daily", "usage", "sums of usage by day, derived from the events"),
            table("rate_cards", "usage", "credits that usage costs, by a dimension and a range of time"),
            table("usage_counters", "usage", "use of a meter in one window, with what was banked before"),
            table("entitlement_overrides", "entitlements", "features given to or taken from one account"),
            table("rate_limit_rules", "rate_limits", "limits on calls that the host asks for, by code"),
            table("rate_limit_counters", "rate_limits", "calls of an identifier in one window"),
        ],
    },
    Area {
        title: "Analytics",
        intro: "Sums that follow from the tables above. Each change marks the customers and days that it touches; marked \
                ones are computed from those tables, and a job makes their rows again \
                ([decision 0024](decisions/0024-exact-rollups.md)).",
        tables: &[
            table("analytics_marks", "analytics", "customers and days whose rows below have to be made again"),
            table("revenue_daily", "analytics", "cash by day, currency and stream"),
            table("mrr_movements", "analytics", "changes of a customer's recurring revenue from one day to the next"),
            table("mrr_daily", "analytics", "movements summed by day and currency"),
            table("mrr_cohorts", "analytics", "movements summed by month and the month in which the customers began"),
        ],
    },
    Area {
        title: "Events",
        intro: "Events of the users and visitors of the host application ([analytics.md](analytics.md#events-trackevents-identify)).",
        tables: &[
            table("analytics_events", "analytics/events", "what a user or visitor did"),
            table("identity_aliases", "analytics/events", "the user that a visitor turned out to be"),
            table(
                "consent_decisions",
                "analytics/events",
                "decisions of users and visitors on being tracked; append-only",
            ),
            table("visitor_days", "analytics/events", "the days on which a user or visitor has an event"),
            table("activity_marks", "analytics/visits", "people and days whose rows below have to be made again"),
            table("visitor_sessions", "analytics/visits", "sessions of users and visitors"),
            table("session_daily", "analytics/visits", "sessions summed by day"),
            table("feature_daily", "analytics/visits", "events and people by day and name"),
            table("active_users_daily", "analytics/active", "active users by day"),
            table("active_users_marks", "analytics/active", "days whose active users have to be counted again"),
            table("funnels", "analytics/funnels", "funnels that are stored by a code"),
            table("engagement_scores", "analytics/engagement", "weights of events that make scores of engagement"),
            table("experiments", "analytics/experiments", "experiments with two variants"),
            table("experiment_assignments", "analytics/experiments", "the variant of a user or visitor"),
            table("error_groups", "analytics/errors", "errors of the host application that have one cause"),
            table("error_events", "analytics/errors", "errors of the host application"),
            table("email_campaigns", "analytics/campaigns", "e-mail campaigns and the response to them"),
            table("partner_daily", "analytics/partners", "visits and sales through partners, by day and currency"),
        ],
    },
    Area {
        title: "Licences and devices",
        intro: "Licence keys for desktop applications ([licences.md](licences.md)).",
        tables: &[
            table("license_keys", "licences", "licences; the key is kept as a hash"),
            table("devices", "licences", "devices that a licence is used on"),
        ],
    },
    Area {
        title: "Providers",
        intro: "The inbox holds everything that the providers sent, the outbox everything that is asked of Stripe \
                ([glossary](glossary.md)).",
        tables: &[
            table(
                "inbox_events",
                "inbox",
                "webhooks, fetched objects and answers, with the state of their application",
            ),
            table(
                "provider_objects",
                "inbox",
                "the newest state of each object at a provider, and the ids that it refers to",
            ),
            table("outbox_calls", "outbox", "requests to Stripe, committed before they are sent, with their result"),
        ],
    },
    Area {
        title: "Operations",
        intro: "Tables of Tollgate's own work.",
        tables: &[
            table("audit_log", "audit", "changes, with who made them; append-only"),
            table("changes", "changes", "recent changes for live subscriptions; deleted after a day"),
            table("jobs", "jobs", "background work"),
            table("idempotency_keys", "db", "stored results of requests, by caller and key; deleted after 30 days"),
            table("security_events", "security", "possible attacks, counted by kind, source and hour"),
            table(
                "installation",
                "db",
                "one row: the id of the installation, its environment, and the secret that signs references",
            ),
        ],
    },
];
