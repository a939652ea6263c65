//! Experiments, assignments and events for tests.

use super::sql;
use chrono::{DateTime, TimeDelta, Utc};
use entity::{analytics_events, experiment_assignments, experiments, identity_aliases, visitor_days};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait};
use tollgate::app::App;
use uuid::Uuid;

/// The event that converts.
pub(crate) const EVENT: &str = "checkout.paid";

/// Creates an experiment with a window of an hour.
pub(crate) async fn row(app: &App, code: &str) -> Uuid {
    let id = app.new_id();
    let row = experiments::ActiveModel {
        id: Set(id),
        code: Set(code.to_owned()),
        name: Set("Checkout in one page".to_owned()),
        conversion_event: Set(EVENT.to_owned()),
        window_seconds: Set(3_600),
        planned_units: Set(1_000),
        control_weight: Set(1),
        treatment_weight: Set(1),
        created_at: Set(app.now().fixed_offset()),
        ended_at: Set(None),
    };
    experiments::Entity::insert(row).exec_without_returning(app.db.schema()).await.unwrap();
    id
}

/// Creates some experiments, every other one ended.
pub(crate) async fn for_some(app: &App) {
    for number in 0..8 {
        let id = row(app, &format!("experiment-{number}")).await;
        if number % 2 == 1 {
            end(app, id).await;
        }
    }
}

/// Ends an experiment.
pub(crate) async fn end(app: &App, id: Uuid) {
    let end = "UPDATE experiments SET ended_at = created_at WHERE id = $1";
    sql::rows(app.db.schema(), end, [id.into()]).await;
}

/// A user, or a visitor by the id in the host application.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Person {
    User(Uuid),
    Visitor(String),
}

impl Person {
    pub(crate) fn visitor(id: &str) -> Person {
        Person::Visitor(id.to_owned())
    }

    fn columns(&self) -> (Option<Uuid>, Option<String>) {
        match self {
            Person::User(id) => (Some(*id), None),
            Person::Visitor(id) => (None, Some(id.clone())),
        }
    }
}

/// Assigns a variant, whatever the weights.
pub(crate) async fn assign(app: &App, experiment: Uuid, person: &Person, variant: &str, at: DateTime<Utc>) {
    let (user_id, anonymous_id) = person.columns();
    let row = experiment_assignments::ActiveModel {
        id: Set(app.new_id()),
        experiment_id: Set(experiment),
        user_id: Set(user_id),
        anonymous_id: Set(anonymous_id),
        variant: Set(variant.to_owned()),
        assigned_at: Set(at.fixed_offset()),
        window_ends_at: Set((at + TimeDelta::hours(1)).fixed_offset()),
    };
    experiment_assignments::Entity::insert(row).exec_without_returning(app.db.schema()).await.unwrap();
}

/// Records an event, and its day.
pub(crate) async fn track(app: &App, person: &Person, name: &str, at: DateTime<Utc>) {
    let (user_id, anonymous_id) = person.columns();
    let day = visitor_days::ActiveModel {
        id: Set(app.new_id()),
        day: Set(at.date_naive()),
        user_id: Set(user_id),
        anonymous_id: Set(anonymous_id.clone()),
    };
    let day = visitor_days::Entity::insert(day).on_conflict(OnConflict::new().do_nothing().to_owned());
    day.exec_without_returning(app.db.schema()).await.unwrap();
    let id = app.new_id();
    let row = analytics_events::ActiveModel {
        id: Set(id),
        name: Set(name.to_owned()),
        user_id: Set(user_id),
        anonymous_id: Set(anonymous_id),
        dedupe_key: Set(id.to_string()),
        occurred_at: Set(at.fixed_offset()),
        day: Set(at.date_naive()),
        recorded_at: Set(app.now().fixed_offset()),
        ..Default::default()
    };
    analytics_events::Entity::insert(row).exec_without_returning(app.db.schema()).await.unwrap();
}

/// Notes that a visitor turned out to be a user.
pub(crate) async fn identify(app: &App, visitor: &str, user: Uuid) {
    let row = identity_aliases::ActiveModel {
        id: Set(app.new_id()),
        anonymous_id: Set(visitor.to_owned()),
        user_id: Set(user),
        created_at: Set(app.now().fixed_offset()),
    };
    identity_aliases::Entity::insert(row).exec_without_returning(app.db.schema()).await.unwrap();
}
