//! The table of products. Amounts are in minor units; an annual price is ten monthly ones.

/// The billing interval of a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interval {
    Month,
    Year,
    Once,
}

impl Interval {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Interval::Month => "month",
            Interval::Year => "year",
            Interval::Once => "one_time",
        }
    }

    pub(crate) fn months(self) -> i64 {
        match self {
            Interval::Month => 1,
            Interval::Year => 12,
            Interval::Once => 0,
        }
    }
}

/// A product with its versions, oldest first.
pub(super) struct Offer {
    pub(super) code: &'static str,
    pub(super) kind: &'static str,
    pub(super) rank: i64,
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) versions: &'static [Version],
}

/// One version of a product.
pub(super) struct Version {
    pub(super) status: &'static str,
    /// The days between publication and now; 0 for a version published before the first customer.
    pub(super) days_ago: i64,
    /// The monthly (or one-time) price in USD and in EUR.
    pub(super) usd: i64,
    pub(super) eur: i64,
    pub(super) trial_days: Option<i64>,
    pub(super) allowances: &'static [Allowance],
    /// Feature, value, limit, window, behaviour beyond the limit.
    pub(super) features: &'static [Feature],
}

pub(crate) struct Feature(
    pub(crate) &'static str,
    pub(crate) Option<&'static str>,
    pub(crate) Option<i64>,
    pub(crate) Option<&'static str>,
    pub(crate) Option<&'static str>,
);

/// The credits that a product version grants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    pub(crate) unit: &'static str,
    pub(crate) amount: i64,
    pub(crate) cadence: &'static str,
    pub(crate) expires_after_days: Option<i64>,
    /// The most that is kept of earlier grants when the next one comes; `None` for all of it.
    pub(crate) rollover_cap: Option<i64>,
    pub(crate) priority: i64,
}

/// Returns credits that a plan grants each period, at most `rollover_cap` of which outlive it.
const fn allowance(unit: &'static str, amount: i64, cadence: &'static str, rollover_cap: i64) -> Allowance {
    Allowance { unit, amount, cadence, expires_after_days: None, rollover_cap: Some(rollover_cap), priority: 10 }
}

/// Returns a battery that is charged every day, and empty by the next.
const fn daily(amount: i64) -> Allowance {
    Allowance { expires_after_days: Some(1), rollover_cap: None, ..allowance("battery", amount, "day", 0) }
}

/// Returns credits that are granted once at the purchase.
const fn once(amount: i64, expires_after_days: Option<i64>) -> Allowance {
    Allowance { unit: "credit", amount, cadence: "once", expires_after_days, rollover_cap: None, priority: 50 }
}

const fn version(usd: i64, eur: i64, allowances: &'static [Allowance], features: &'static [Feature]) -> Version {
    Version { status: "published", days_ago: 0, usd, eur, trial_days: None, allowances, features }
}

const fn on(feature: &'static str) -> Feature {
    Feature(feature, Some("true"), None, None, None)
}
const fn config(feature: &'static str, value: &'static str) -> Feature {
    Feature(feature, Some(value), None, None, None)
}

/// Returns a limit of `units` per `window`; `None` is unlimited.
const fn limit(feature: &'static str, units: Option<i64>, window: &'static str) -> Feature {
    Feature(feature, None, units, Some(window), Some("block"))
}

/// Code, kind, name, unit.
pub(super) const FEATURES: [(&str, &str, &str, Option<&str>); 10] = [
    ("ai_messages", "limit", "AI messages", Some("message")),
    ("projects", "limit", "Projects", Some("project")),
    ("seats", "limit", "Seats", Some("seat")),
    ("export_pdf", "switch", "Export to PDF", None),
    ("api_access", "switch", "API access", None),
    ("sso", "switch", "Single sign-on", None),
    ("support", "config", "Support", None),
    ("model", "config", "Largest language model", None),
    ("ai_credits", "credit", "AI credits", Some("credit")),
    ("battery", "credit", "Battery", Some("battery")),
];

/// Code, name, decimals.
pub(super) const UNITS: [(&str, &str, i16); 2] = [("credit", "Credits", 0), ("battery", "Battery", 3)];

const PRO: &[Feature] = &[
    limit("ai_messages", Some(200), "day"),
    limit("ai_messages", Some(4_000), "month"),
    limit("projects", None, "lifetime"),
    limit("seats", Some(1), "lifetime"),
    on("export_pdf"),
    on("api_access"),
    config("support", "email"),
    config("model", "large"),
    Feature("ai_credits", None, None, None, None),
];

const BUSINESS: &[Feature] = &[
    limit("ai_messages", None, "month"),
    limit("projects", None, "lifetime"),
    Feature("seats", None, Some(3), Some("lifetime"), Some("overage")),
    on("export_pdf"),
    on("api_access"),
    on("sso"),
    config("support", "priority"),
    config("model", "large"),
    Feature("ai_credits", None, None, None, None),
];

const CHAT: &[Feature] = &[config("model", "large"), Feature("battery", None, None, None, None), on("export_pdf")];

pub(super) const OFFERS: [Offer; 13] = [
    Offer {
        code: "free",
        kind: "plan",
        rank: 0,
        name: "Free",
        description: "To look around",
        versions: &[version(
            0,
            0,
            &[once(25, None)],
            &[
                limit("ai_messages", Some(10), "day"),
                limit("ai_messages", Some(100), "month"),
                limit("projects", Some(2), "lifetime"),
                config("support", "community"),
                config("model", "small"),
            ],
        )],
    },
    Offer {
        code: "starter",
        kind: "plan",
        rank: 10,
        name: "Starter",
        description: "For one person, now and then",
        versions: &[version(
            900,
            900,
            &[],
            &[
                limit("ai_messages", Some(50), "day"),
                limit("ai_messages", Some(1_000), "month"),
                Feature("projects", None, Some(10), Some("lifetime"), Some("warn")),
                on("export_pdf"),
                config("support", "email"),
                config("model", "medium"),
            ],
        )],
    },
    Offer {
        code: "pro",
        kind: "plan",
        rank: 20,
        name: "Pro",
        description: "For daily work",
        versions: &[
            Version {
                status: "superseded",
                trial_days: Some(14),
                ..version(1_900, 1_800, &[allowance("credit", 400, "month", 200)], PRO)
            },
            Version {
                days_ago: 240,
                trial_days: Some(14),
                ..version(2_400, 2_200, &[allowance("credit", 500, "month", 250)], PRO)
            },
        ],
    },
    Offer {
        code: "business",
        kind: "plan",
        rank: 30,
        name: "Business",
        description: "For a team",
        versions: &[
            Version {
                trial_days: Some(14),
                ..version(7_900, 7_500, &[allowance("credit", 3_000, "billing", 0)], BUSINESS)
            },
            Version { status: "draft", ..version(8_900, 8_500, &[allowance("credit", 4_000, "billing", 0)], BUSINESS) },
        ],
    },
    Offer {
        code: "chat_starter",
        kind: "plan",
        rank: 40,
        name: "Chat Starter",
        description: "A small battery, charged every day",
        versions: &[version(600, 600, &[daily(5_000)], CHAT)],
    },
    Offer {
        code: "chat_daily",
        kind: "plan",
        rank: 50,
        name: "Chat Daily",
        description: "A battery for every day",
        versions: &[version(1_200, 1_100, &[daily(20_000)], CHAT)],
    },
    Offer {
        code: "chat_power",
        kind: "plan",
        rank: 60,
        name: "Chat Power",
        description: "The large battery, with a reserve",
        versions: &[version(2_900, 2_700, &[daily(50_000), allowance("battery", 300_000, "billing", 0)], CHAT)],
    },
    Offer {
        code: "couple",
        kind: "plan",
        rank: 70,
        name: "Together",
        description: "One subscription for two",
        versions: &[Version {
            trial_days: Some(7),
            ..version(
                1_500,
                1_400,
                &[allowance("credit", 300, "billing", 100)],
                &[limit("seats", Some(2), "lifetime"), on("export_pdf"), Feature("ai_credits", None, None, None, None)],
            )
        }],
    },
    Offer {
        code: "extra_seat",
        kind: "addon",
        rank: 100,
        name: "Extra seat",
        description: "One more person",
        versions: &[version(1_500, 1_400, &[], &[limit("seats", Some(1), "lifetime")])],
    },
    Offer {
        code: "priority_support",
        kind: "addon",
        rank: 110,
        name: "Priority support",
        description: "An answer within four hours",
        versions: &[version(2_000, 1_900, &[], &[config("support", "priority")])],
    },
    Offer {
        code: "credits_small",
        kind: "credit_pack",
        rank: 200,
        name: "100 credits",
        description: "Valid for a year",
        versions: &[version(500, 500, &[once(100, Some(365))], &[])],
    },
    Offer {
        code: "credits_large",
        kind: "credit_pack",
        rank: 210,
        name: "1,000 credits",
        description: "They do not expire",
        versions: &[version(3_900, 3_700, &[once(1_000, None)], &[])],
    },
    Offer {
        code: "gift_pro",
        kind: "gift",
        rank: 300,
        name: "A gift: 500 credits",
        description: "Credits for someone else",
        versions: &[version(2_500, 2_400, &[once(500, Some(365))], &[])],
    },
];
