//! Every query on security events.

use super::values::{SecurityEventKind, Severity};
use crate::auth::{Permission, Scope};
use crate::db::{Between, Listing, Order, Txn, Visible, within};
use crate::error::Result;
use crate::limiter::Held;
use crate::order;
use chrono::{DurationRound, TimeDelta};
use entity::security_events::{Column, Entity};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Select, Statement, Value};

/// From how many occurrences in an hour on an event is of high severity.
const MANY: i64 = 100;

impl Visible for Entity {
    const GUARD: Option<Permission> = Some(Permission::AuditRead);

    fn visible(_: Scope) -> Select<Self> {
        Self::find()
    }
}

/// Security events, by when they last occurred.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecurityEvents {
    /// Of these severities alone; empty for all.
    pub severities: Vec<&'static str>,
    /// Of these kinds alone; empty for all.
    pub kinds: Vec<&'static str>,
    /// Those that were resolved, or those that were not.
    pub resolved: Option<bool>,
    /// Last seen in this span.
    pub last: Between,
    /// Newest first.
    pub descending: bool,
}

impl Listing for SecurityEvents {
    type Entity = Entity;

    fn filter(&self, mut rows: Select<Entity>) -> Select<Entity> {
        if !self.severities.is_empty() {
            rows = rows.filter(Column::Severity.is_in(self.severities.iter().copied()));
        }
        if !self.kinds.is_empty() {
            rows = rows.filter(Column::Kind.is_in(self.kinds.iter().copied()));
        }
        match self.resolved {
            Some(true) => rows = rows.filter(Column::ResolvedAt.is_not_null()),
            Some(false) => rows = rows.filter(Column::ResolvedAt.is_null()),
            None => {}
        }
        within(rows, Column::LastAt, &self.last)
    }

    fn order(&self) -> Order<Entity> {
        order!(security_events, last_at, LastAt, self.descending)
    }
}

/// Occurrences that are to be written down.
#[derive(Debug, Clone)]
pub(super) struct Occurrences {
    pub(super) kind: SecurityEventKind,
    pub(super) severity: Severity,
    pub(super) subject: String,
    pub(super) held: Held<String>,
}

/// Adds occurrences to the rows of their hour. One that was resolved is open again: it has not ended.
pub(super) async fn write(txn: &Txn, occurrences: Vec<Occurrences>) -> Result<()> {
    const SQL: &str = "INSERT INTO security_events \
        (id, kind, severity, subject, detail, occurrences, hour, first_at, last_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
        ON CONFLICT (kind, subject, hour) DO UPDATE SET \
        occurrences = security_events.occurrences + excluded.occurrences, detail = excluded.detail, \
        severity = CASE WHEN security_events.severity IN ('low', 'medium') \
            AND security_events.occurrences + excluded.occurrences >= $10 THEN 'high' ELSE security_events.severity END, \
        first_at = CASE WHEN excluded.first_at < security_events.first_at THEN excluded.first_at \
            ELSE security_events.first_at END, \
        last_at = CASE WHEN excluded.last_at > security_events.last_at THEN excluded.last_at \
            ELSE security_events.last_at END, \
        resolved_at = NULL, resolved_by = NULL";
    for Occurrences { kind, severity, subject, held } in occurrences {
        let hour = held.last_at.duration_trunc(TimeDelta::hours(1)).unwrap_or(held.last_at);
        let severity = if held.count >= MANY { Severity::High } else { severity };
        let values: [Value; 10] = [
            txn.new_id().into(),
            kind.into(),
            severity.into(),
            subject.into(),
            held.value.into(),
            held.count.into(),
            hour.fixed_offset().into(),
            held.first_at.fixed_offset().into(),
            held.last_at.fixed_offset().into(),
            MANY.into(),
        ];
        txn.execute_raw(Statement::from_sql_and_values(txn.get_database_backend(), SQL, values)).await?;
    }
    Ok(())
}
