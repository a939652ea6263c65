//! The flat statements: the data of each query in one statement, planned once.
//!
//! Parameters are numbered in the order of their use, so that literals for pgbench can replace them.

use crate::questions::Question;
use crate::support::Engine;
use anyhow::Context;
use chrono::{DateTime, FixedOffset};
use std::path::Path;
use uuid::Uuid;

/// The scripts for pgbench per query. pgbench accepts at most 128.
const SCRIPTS: usize = 100;

/// A parameter of a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Param {
    /// The id of a row.
    Id(Uuid),
    /// An integer.
    Int(i64),
    /// An instant.
    Time(DateTime<FixedOffset>),
}

impl Param {
    fn literal(self) -> String {
        match self {
            Param::Id(id) => format!("'{id}'::uuid"),
            Param::Int(number) => number.to_string(),
            Param::Time(at) => format!("'{}'::timestamptz", at.to_rfc3339()),
        }
    }
}

pub(crate) fn user(_: Engine) -> &'static str {
    "SELECT u.id, u.name, u.email, s.status, s.current_period_end, p.code, p.name AS plan \
     FROM users u LEFT JOIN account_members m ON m.user_id = u.id AND m.left_at IS NULL \
     LEFT JOIN subscriptions s ON s.account_id = m.account_id AND s.status IN ('trialing', 'active', 'past_due') \
     LEFT JOIN product_versions v ON v.id = s.product_version_id LEFT JOIN products p ON p.id = v.product_id \
     WHERE u.id = $1"
}

pub(crate) fn subscriptions(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => {
            "SELECT u.id, s.status, p.name FROM (SELECT id, created_at FROM users WHERE (created_at, id) < ($1, $2) \
             ORDER BY created_at DESC, id DESC LIMIT 20) u LEFT JOIN LATERAL (SELECT s.status, s.product_version_id \
             FROM account_members m JOIN subscriptions s ON s.account_id = m.account_id WHERE m.user_id = u.id \
             AND m.left_at IS NULL ORDER BY s.created_at DESC, s.id DESC LIMIT 5) s ON true \
             LEFT JOIN product_versions v ON v.id = s.product_version_id LEFT JOIN products p ON p.id = v.product_id"
        }
        Engine::Sqlite => {
            "SELECT u.id, s.status, p.name FROM (SELECT id, created_at FROM users WHERE (created_at, id) < ($1, $2) \
             ORDER BY created_at DESC, id DESC LIMIT 20) u LEFT JOIN subscriptions s ON s.id IN (SELECT t.id \
             FROM account_members m JOIN subscriptions t ON t.account_id = m.account_id WHERE m.user_id = u.id \
             AND m.left_at IS NULL ORDER BY t.created_at DESC, t.id DESC LIMIT 5) \
             LEFT JOIN product_versions v ON v.id = s.product_version_id LEFT JOIN products p ON p.id = v.product_id"
        }
    }
}

pub(crate) fn ledger(_: Engine) -> &'static str {
    "SELECT id, amount, balance_after, recorded_at, seq FROM ledger_entries \
     WHERE account_id = $1 AND credit_unit_id = $2 AND bucket = 'available' AND id <> $3 AND seq < $4 \
     ORDER BY seq DESC LIMIT 51"
}

pub(crate) fn payments(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => {
            "SELECT u.id, p.amount_minor, p.currency, p.status, p.created_at FROM (SELECT id, created_at FROM users \
             WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT 100) u \
             LEFT JOIN LATERAL (SELECT p.amount_minor, p.currency, p.status, p.created_at FROM account_members m \
             JOIN payments p ON p.account_id = m.account_id WHERE m.user_id = u.id AND m.left_at IS NULL \
             ORDER BY p.created_at DESC, p.id DESC LIMIT 10) p ON true"
        }
        Engine::Sqlite => {
            "SELECT u.id, p.amount_minor, p.currency, p.status, p.created_at FROM (SELECT id, created_at FROM users \
             WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT 100) u \
             LEFT JOIN payments p ON p.id IN (SELECT q.id FROM account_members m \
             JOIN payments q ON q.account_id = m.account_id WHERE m.user_id = u.id AND m.left_at IS NULL \
             ORDER BY q.created_at DESC, q.id DESC LIMIT 10)"
        }
    }
}

pub(crate) fn revenue(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => {
            "SELECT day, currency, stream, CAST(SUM(paid) AS BIGINT), CAST(SUM(back) AS BIGINT) FROM (\
             SELECT to_char(paid_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, currency, stream, amount_minor AS paid, \
             0 AS back FROM payments WHERE status = 'succeeded' AND paid_at >= $1 AND paid_at < $2 UNION ALL \
             SELECT to_char(r.processed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), p.currency, p.stream, 0, r.amount_minor \
             FROM refunds r JOIN payments p ON p.id = r.payment_id \
             WHERE r.status = 'processed' AND r.processed_at >= $1 AND r.processed_at < $2) f GROUP BY 1, 2, 3"
        }
        Engine::Sqlite => {
            "SELECT day, currency, stream, SUM(paid), SUM(back) FROM (\
             SELECT substr(paid_at, 1, 10) AS day, currency, stream, amount_minor AS paid, 0 AS back FROM payments \
             WHERE status = 'succeeded' AND paid_at >= $1 AND paid_at < $2 UNION ALL \
             SELECT substr(r.processed_at, 1, 10), p.currency, p.stream, 0, r.amount_minor \
             FROM refunds r JOIN payments p ON p.id = r.payment_id \
             WHERE r.status = 'processed' AND r.processed_at >= $1 AND r.processed_at < $2) f GROUP BY 1, 2, 3"
        }
    }
}

/// Writes scripts of one statement each, such as `q1-00.sql`.
pub(crate) fn write_pgbench(directory: &Path, questions: &[Question]) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    for question in questions {
        for (index, params) in question.params.iter().take(SCRIPTS).enumerate() {
            let with = |sql: String, (number, param): (usize, &Param)| {
                sql.replace(&format!("${}", number + 1), &param.literal())
            };
            let sql = params.iter().enumerate().fold(question.sql.to_owned(), with);
            std::fs::write(directory.join(format!("{}-{index:02}.sql", question.name)), sql + ";\n")?;
        }
    }
    Ok(())
}
