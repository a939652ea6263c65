//! Funnels and scores of engagement for tests.

use entity::{engagement_scores, funnels};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::json;
use tollgate::app::App;
use uuid::Uuid;

/// Creates a funnel.
pub(crate) async fn funnel(app: &App, code: &str) -> Uuid {
    let id = app.new_id();
    let row = funnels::ActiveModel {
        id: Set(id),
        code: Set(code.to_owned()),
        name: Set("From a visit to a purchase".to_owned()),
        steps: Set(json!(["visit", "buy"])),
        window_seconds: Set(3_600),
        created_at: Set(app.now().fixed_offset()),
    };
    funnels::Entity::insert(row).exec_without_returning(app.db.schema()).await.unwrap();
    id
}

/// Creates a score of engagement.
pub(crate) async fn score(app: &App, code: &str) -> Uuid {
    let id = app.new_id();
    let row = engagement_scores::ActiveModel {
        id: Set(id),
        code: Set(code.to_owned()),
        name: Set("Use of the editor".to_owned()),
        weights: Set(json!([{"eventName": "try", "weight": 1}, {"eventName": "buy", "weight": 5}])),
        created_at: Set(app.now().fixed_offset()),
    };
    engagement_scores::Entity::insert(row).exec_without_returning(app.db.schema()).await.unwrap();
    id
}

/// Creates some of both.
pub(crate) async fn for_some(app: &App) {
    for number in 0..6 {
        funnel(app, &format!("funnel-{number}")).await;
        score(app, &format!("score-{number}")).await;
    }
}
