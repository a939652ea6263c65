//! Errors of the host application and e-mail campaigns for tests.

use chrono::TimeDelta;
use entity::{email_campaigns, error_events, error_groups, users};
use sea_orm::{ActiveValue::Set, EntityTrait, QueryOrder};
use serde_json::json;
use tollgate::app::App;
use uuid::Uuid;

const SEVERITIES: [&str; 4] = ["info", "warning", "error", "critical"];

/// Creates a group of errors with one error of each of `users`, and returns both ids of the first.
pub(crate) async fn group(app: &App, number: i64, users: &[Option<Uuid>]) -> (Uuid, Uuid) {
    let place = |number: i64| usize::try_from(number).unwrap() % SEVERITIES.len();
    let first_at = app.now() - TimeDelta::hours(number + 1);
    let last_at = first_at + TimeDelta::minutes(i64::try_from(users.len()).unwrap() - 1);
    let group = error_groups::ActiveModel {
        id: Set(app.new_id()),
        fingerprint: Set(app.new_id().to_string()),
        error_type: Set("Timeout".to_owned()),
        message: Set(format!("no answer in {number} s")),
        severity: Set(SEVERITIES[place(number)].to_owned()),
        error_count: Set(i64::try_from(users.len()).unwrap()),
        first_seen_at: Set(first_at.fixed_offset()),
        last_seen_at: Set(last_at.fixed_offset()),
        // Every third one is resolved, and every third one was and is open again.
        resolved_at: Set((number % 3 > 0).then(|| (last_at + TimeDelta::minutes(3 - 2 * (number % 3))).fixed_offset())),
    };
    let id = error_groups::Entity::insert(group).exec(app.db.schema()).await.unwrap().last_insert_id;
    let mut errors = Vec::new();
    for (place, user) in (0..).zip(users) {
        let at = first_at + TimeDelta::minutes(place);
        let error = error_events::ActiveModel {
            id: Set(app.new_id()),
            error_group_id: Set(id),
            severity: Set(SEVERITIES[usize::try_from(place).unwrap() % SEVERITIES.len()].to_owned()),
            message: Set(format!("no answer in {place} s")),
            stack: Set((place % 2 == 0).then(|| format!("main.rs:{place}"))),
            release: Set((place % 2 == 0).then(|| "1.4.2".to_owned())),
            page: Set((place % 2 == 1).then(|| "/checkout".to_owned())),
            user_id: Set(*user),
            dedupe_key: Set(app.new_id().to_string()),
            properties: Set((place % 2 == 0).then(|| json!({"try": place}))),
            occurred_at: Set(at.fixed_offset()),
            day: Set(at.date_naive()),
            recorded_at: Set(app.now().fixed_offset()),
        };
        errors.push(error_events::Entity::insert(error).exec(app.db.schema()).await.unwrap().last_insert_id);
    }
    (id, errors[0])
}

/// Creates an e-mail campaign.
pub(crate) async fn campaign(app: &App, number: i64) -> Uuid {
    let at = app.now() - TimeDelta::days(number);
    let row = email_campaigns::ActiveModel {
        id: Set(app.new_id()),
        code: Set(format!("campaign-{number}")),
        name: Set(format!("Campaign {number}")),
        sent_at: Set(at.fixed_offset()),
        sent_count: Set(100 + number),
        delivered_count: Set(90 + number),
        opened_count: Set(40),
        clicked_count: Set(9),
        bounced_count: Set(10),
        unsubscribed_count: Set(number.min(3)),
        reported_at: Set(at.fixed_offset()),
        created_at: Set(at.fixed_offset()),
    };
    email_campaigns::Entity::insert(row).exec(app.db.schema()).await.unwrap().last_insert_id
}

/// Creates some groups of errors, of users and of nobody, and some campaigns.
pub(crate) async fn for_some(app: &App) {
    let users = users::Entity::find().order_by_asc(users::Column::Id).all(app.db.schema()).await.unwrap();
    let mut whose: Vec<Option<Uuid>> = users.into_iter().take(4).map(|user| Some(user.id)).collect();
    whose.push(None);
    for number in 0..7 {
        group(app, number, &whose).await;
        campaign(app, number).await;
    }
}
