//! Queries on security events.

use super::values::{SecurityEventKind, Severity};
use crate::auth::{Permission, Scope};
use crate::db::{Between, Listing, Order, Txn, Visible, within};
use crate::error::Result;
use crate::event_aggregator::PendingEvent;
use crate::order;
use chrono::{DurationRound, TimeDelta};
use entity::security_events::{Column, Entity};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Select, Statement, Value};

/// Occurrences in an hour that make an event one of high severity.
const HIGH_SEVERITY_COUNT: i64 = 100;

impl Visible for Entity {
    const GUARD: Option<Permission> = Some(Permission::AuditRead);

    fn visible(_: Scope) -> Select<Self> {
        Self::find()
    }
}

/// Security events, by time of last occurrence.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecurityEvents {
    /// Only these severities; empty for all.
    pub severities: Vec<Severity>,
    /// Only these kinds; empty for all.
    pub kinds: Vec<SecurityEventKind>,
    /// Only resolved or only unresolved ones; `None` for both.
    pub resolved: Option<bool>,
    /// Time of last occurrence.
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

/// Occurrences to be written.
#[derive(Debug, Clone)]
pub(super) struct Occurrences {
    pub(super) kind: SecurityEventKind,
    pub(super) severity: Severity,
    pub(super) subject: String,
    pub(super) held: PendingEvent<String>,
}

/// Adds occurrences to the rows of their hour, and reopens resolved ones.
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
        let severity = if held.count >= HIGH_SEVERITY_COUNT { Severity::High } else { severity };
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
            HIGH_SEVERITY_COUNT.into(),
        ];
        txn.execute_raw(Statement::from_sql_and_values(txn.get_database_backend(), SQL, values)).await?;
    }
    Ok(())
}
