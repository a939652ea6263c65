//! The settings of analytics.

use super::setting::{Setting, plain};

/// The settings of product analytics and of reports.
pub(super) const ANALYTICS: &[Setting] = &[
    plain(
        "analytics_minimum_group",
        "5",
        "Number of people from which on product analytics shows a group, 1 to 1000: figures about fewer people are null, \
         except zero. 1 shows everything.",
    ),
    plain("tracking_consent", "not_required", "`not_required`, or `required`: only events of people who consented."),
    plain(
        "reports_directory",
        "",
        "Directory to which a worker writes reports: revenue each month, cohorts each week. If not set: none are written.",
    ),
];
