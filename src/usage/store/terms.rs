//! Queries on the terms of accounts.

use super::WRITERS;
use crate::auth::Scope;
use crate::db::{Visible, in_list};
use crate::error::{Error, Result};
use crate::plans::{FeatureKind, VersionStatus};
use crate::subscriptions::SubscriptionStatus;
use crate::usage::terms::{AccessRules, FeatureCache, Granted, Override, PlanTerms, Readers, Terms};
use crate::usage::windows::{Calendar, Period};
use chrono::{DateTime, Utc};
use entity::{entitlement_overrides, features, product_features, product_versions};
use sea_orm::prelude::DateTimeWithTimeZone;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    Statement, Value,
};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// An account with one of the subscriptions that could give it its plan.
#[derive(FromQueryResult)]
struct Candidate {
    account_id: Uuid,
    time_zone: String,
    status: Option<String>,
    version_id: Option<Uuid>,
    subscription_id: Option<Uuid>,
    started_at: Option<DateTimeWithTimeZone>,
    created_at: Option<DateTimeWithTimeZone>,
    paused_at: Option<DateTimeWithTimeZone>,
    period_start: Option<DateTimeWithTimeZone>,
    period_end: Option<DateTimeWithTimeZone>,
    rank: Option<i64>,
    past_due_grace_days: Option<i64>,
    access_while_paused: Option<bool>,
    access_in_trial: Option<bool>,
    past_due_since: Option<DateTimeWithTimeZone>,
    changed_at: Option<DateTimeWithTimeZone>,
    addons: Option<String>,
    overridden: bool,
    /// True for an account that the user is a member of.
    is_member: bool,
    /// True for the user's individual account.
    is_individual: bool,
}

/// Accounts whose terms are read.
#[derive(Clone, Copy)]
pub(in crate::usage) struct Accounts<'a> {
    pub(in crate::usage) readers: Readers<'a>,
    pub(in crate::usage) ids: &'a [Uuid],
    /// A user, whose account that gives them their plan is read too, or else their individual one.
    pub(in crate::usage) user: Option<Uuid>,
}

/// The terms of accounts that follow from their plans.
pub(in crate::usage) struct Found {
    pub(in crate::usage) terms: HashMap<Uuid, Terms>,
    /// Accounts with overrides.
    pub(in crate::usage) overridden: Vec<Uuid>,
    /// The account of the user.
    pub(in crate::usage) of_user: Option<Uuid>,
}

/// An add-on of a subscription.
#[derive(Deserialize)]
struct Addon {
    version: Uuid,
    quantity: Option<i64>,
}

impl Candidate {
    /// Returns the place of the subscription among those of its account: the greatest gives the plan. A subscription to
    /// anything but a plan gives none.
    fn place(&self) -> (bool, Option<i64>, Option<DateTimeWithTimeZone>, Option<Uuid>) {
        let current = self.rank.is_some() && self.status.as_deref() != Some(SubscriptionStatus::Paused.as_str());
        (current, self.rank, self.created_at, self.subscription_id)
    }

    fn addons(&self) -> Result<Vec<Addon>> {
        let list = self.addons.as_deref().map(serde_json::from_str).transpose().map_err(Error::internal)?;
        Ok(list.unwrap_or_default())
    }

    fn terms(self, granted: &HashMap<Uuid, Arc<Granted>>) -> Result<Terms> {
        let addons = self.addons()?;
        let of = |version: Uuid| granted.get(&version).cloned().unwrap_or_default();
        let utc = |at: Option<DateTimeWithTimeZone>| at.map(|at| at.to_utc());
        let plan = match (&self.status, self.version_id.filter(|_| self.rank.is_some())) {
            (Some(status), Some(version_id)) => {
                let status = SubscriptionStatus::parse(status)?;
                let due_since = utc(self.past_due_since).or(utc(self.period_start)).or(utc(self.started_at));
                Some(PlanTerms {
                    status,
                    paused: status == SubscriptionStatus::Paused || self.paused_at.is_some(),
                    past_due_since: due_since.filter(|_| status == SubscriptionStatus::PastDue),
                    rules: AccessRules {
                        past_due_grace_days: self.past_due_grace_days,
                        while_paused: self.access_while_paused.unwrap_or(false),
                        in_trial: self.access_in_trial.unwrap_or(true),
                    },
                    features: of(version_id),
                    addons: addons.iter().map(|addon| (of(addon.version), addon.quantity.unwrap_or(1))).collect(),
                })
            }
            _ => None,
        };
        let billing = plan
            .as_ref()
            .and(utc(self.period_start).zip(utc(self.period_end)))
            .map(|(start, end)| Period { start, end });
        let since = utc(self.changed_at).or(utc(self.started_at));
        let calendar = Calendar::new(&self.time_zone, billing, since);
        Ok(Terms { account_id: self.account_id, calendar, plan, overrides: Vec::new() })
    }
}

/// Returns the terms of accounts that follow from their plans.
pub(in crate::usage) async fn plans(
    db: &impl ConnectionTrait,
    accounts: Accounts<'_>,
    cache: Option<&FeatureCache>,
) -> Result<Found> {
    let mut best: HashMap<Uuid, Candidate> = HashMap::with_capacity(accounts.ids.len());
    for row in db.query_all_raw(candidates(db.get_database_backend(), accounts)).await? {
        let candidate = Candidate::from_query_result(&row, "")?;
        match best.get(&candidate.account_id) {
            Some(other) if other.place() >= candidate.place() => {}
            _ => {
                best.insert(candidate.account_id, candidate);
            }
        }
    }
    let of_user = of_user(best.values());
    best.retain(|id, _| accounts.ids.contains(id) || of_user == Some(*id));
    let mut versions: HashSet<Uuid> = best.values().filter_map(|candidate| candidate.version_id).collect();
    for candidate in best.values() {
        versions.extend(candidate.addons()?.iter().map(|addon| addon.version));
    }
    let cached = |id: &Uuid| Some((*id, cache?.get(id)?));
    let mut granted: HashMap<Uuid, Arc<Granted>> = versions.iter().filter_map(cached).collect();
    versions.retain(|id| !granted.contains_key(id));
    granted.extend(read_granted(db, &versions.into_iter().collect::<Vec<_>>(), cache).await?);
    let overridden = best.values().filter(|candidate| candidate.overridden).map(|candidate| candidate.account_id);
    let overridden = overridden.collect();
    let terms = best.into_values().map(|candidate| Ok((candidate.account_id, candidate.terms(&granted)?)));
    Ok(Found { terms: terms.collect::<Result<_>>()?, overridden, of_user })
}

/// Returns the account that gives the user their plan, or else their individual one.
fn of_user<'a>(candidates: impl Iterator<Item = &'a Candidate> + Clone) -> Option<Uuid> {
    let current = candidates.clone().filter(|candidate| candidate.is_member && candidate.place().0);
    let found = current.max_by_key(|candidate| candidate.place());
    found.or_else(|| candidates.clone().find(|candidate| candidate.is_individual)).map(|found| found.account_id)
}

/// Returns the features of versions, and puts those of versions that never change into the cache.
async fn read_granted(
    db: &impl ConnectionTrait,
    versions: &[Uuid],
    cache: Option<&FeatureCache>,
) -> Result<HashMap<Uuid, Arc<Granted>>> {
    use product_versions::{Column, Entity};
    let mut found = granted(db, versions).await?;
    let Some(cache) = cache.filter(|_| !versions.is_empty()) else { return Ok(found) };
    let fixed = Entity::visible(Scope::Everything)
        .select_only()
        .column(Column::Id)
        .filter(in_list(db, Column::Id.into_expr(), versions))
        .filter(Column::Status.ne(VersionStatus::Draft));
    let fixed: Vec<Uuid> = fixed.into_tuple().all(db).await?;
    for id in fixed {
        let granted = found.entry(id).or_default();
        // A feature that is counted gets its meter once, at the latest at its first use.
        if granted.iter().all(|(_, feature)| feature.meter_id.is_some() || !is_counted(feature)) {
            cache.insert(id, Arc::clone(granted));
        }
    }
    Ok(found)
}

fn is_counted(feature: &features::Model) -> bool {
    let kind = FeatureKind::parse(&feature.kind);
    !matches!(kind, Ok(FeatureKind::Switch | FeatureKind::Config))
}

/// Selects accounts with the subscriptions that could give them their plans: those of `subscriptions::current`, and paused
/// ones.
fn candidates(backend: DbBackend, Accounts { readers, ids: accounts, user }: Accounts<'_>) -> Statement {
    const MEMBER: &str = "SELECT m.account_id FROM account_members m WHERE m.user_id = $2 AND m.left_at IS NULL";
    let (ids, addons) = match backend {
        DbBackend::Postgres => (
            "SELECT CAST(k.value AS uuid) AS id FROM jsonb_array_elements_text($1::jsonb) AS k(value)",
            "SELECT CAST(json_agg(json_build_object('version', r.product_version_id, 'quantity', i.quantity)) AS text)",
        ),
        _ => (
            "SELECT unhex(value) AS id FROM json_each($1)",
            "SELECT json_group_array(json_object('version', lower(hex(r.product_version_id)), 'quantity', i.quantity))",
        ),
    };
    let scope = scope(readers);
    let visible = match scope {
        Scope::Everything => "",
        Scope::User(_) => &format!("WHERE a.id IN ({MEMBER})"),
        Scope::Public => "WHERE FALSE",
    };
    let (others, member, individual) = match user {
        Some(_) => (
            format!(" UNION {MEMBER}"),
            format!("a.id IN ({MEMBER})"),
            "a.kind = 'individual' AND a.owner_id = $2".to_owned(),
        ),
        None => (String::new(), "FALSE".to_owned(), "FALSE".to_owned()),
    };
    let sql = format!(
        "SELECT a.id AS account_id, a.time_zone, s.status, s.product_version_id AS version_id, s.id AS subscription_id, \
         s.started_at, s.created_at, s.paused_at, s.current_period_start AS period_start, \
         s.current_period_end AS period_end, p.rank, v.past_due_grace_days, v.access_while_paused, v.access_in_trial, \
         CASE WHEN s.status = 'past_due' AND v.past_due_grace_days IS NOT NULL THEN ( \
            SELECT min(h.effective_at) FROM subscription_versions h WHERE h.subscription_id = s.id \
            AND h.status = 'past_due' AND NOT EXISTS (SELECT 1 FROM subscription_versions g \
                WHERE g.subscription_id = h.subscription_id AND g.status <> 'past_due' \
                AND g.effective_at > h.effective_at)) END AS past_due_since, \
         (SELECT max(h.effective_at) FROM subscription_versions h WHERE h.subscription_id = s.id \
            AND h.product_version_id IS DISTINCT FROM s.product_version_id) AS changed_at, \
         ({addons} FROM subscription_items i JOIN prices r ON r.id = i.price_id \
            WHERE i.subscription_id = s.id AND i.kind = 'addon') AS addons, \
         EXISTS (SELECT 1 FROM entitlement_overrides o WHERE o.account_id = a.id AND o.revoked_at IS NULL) AS overridden, \
         ({member}) AS is_member, ({individual}) AS is_individual \
         FROM ({ids}{others}) AS k JOIN accounts a ON a.id = k.id \
         LEFT JOIN subscriptions s ON s.account_id = a.id \
            AND s.status IN ('trialing', 'active', 'past_due', 'paused') \
         LEFT JOIN product_versions v ON v.id = s.product_version_id \
         LEFT JOIN products p ON p.id = v.product_id AND p.kind = 'plan' {visible}"
    );
    let ids: Vec<String> = accounts.iter().map(|id| id.simple().to_string()).collect();
    let mut values = vec![Value::from(serde_json::json!(ids).to_string())];
    // Both are the caller.
    let scoped = if let Scope::User(user_id) = scope { Some(user_id) } else { None };
    values.extend(scoped.or(user).map(Value::from));
    Statement::from_sql_and_values(backend, sql, values)
}

/// Returns the scope of the accounts whose terms can be read.
pub(in crate::usage) fn scope(readers: Readers<'_>) -> Scope {
    match readers {
        Readers::Everyone => Scope::Everything,
        Readers::Viewer(viewer) if WRITERS.iter().any(|open| viewer.permissions().contains(*open)) => Scope::Everything,
        Readers::Viewer(viewer) => viewer.scope(),
    }
}

/// Returns the features that versions grant, in the order of definition.
async fn granted(db: &impl ConnectionTrait, versions: &[Uuid]) -> Result<HashMap<Uuid, Arc<Granted>>> {
    use product_features::{Column, Entity};
    if versions.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = Entity::visible(Scope::Everything)
        .find_also_related(features::Entity)
        .filter(in_list(db, Expr::col((Entity, Column::ProductVersionId)), versions))
        .order_by_asc(Column::Id);
    let mut found: HashMap<Uuid, Granted> = HashMap::new();
    for (row, feature) in rows.all(db).await? {
        if let Some(feature) = feature {
            found.entry(row.product_version_id).or_default().push((row, Arc::new(feature)));
        }
    }
    Ok(found.into_iter().map(|(version, rows)| (version, Arc::new(rows))).collect())
}

/// Returns the overrides of accounts that are in force at an instant, newest first.
pub(in crate::usage) async fn overrides(
    db: &impl ConnectionTrait,
    accounts: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<Override>> {
    use entitlement_overrides::{Column, Entity};
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let in_force = Column::ExpiresAt.is_null().or(Column::ExpiresAt.gt(now.fixed_offset()));
    // unscoped: the accounts are those that the reader may see
    let rows = Entity::find()
        .find_also_related(features::Entity)
        .filter(in_list(db, Expr::col((Entity, Column::AccountId)), accounts))
        .filter(Column::RevokedAt.is_null())
        .filter(in_force)
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id);
    let rows = rows.all(db).await?;
    Ok(rows.into_iter().filter_map(|(row, feature)| Some((row, Arc::new(feature?)))).collect())
}
