//! Experiments with two variants, and the variant that each user or visitor was assigned.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        experiments(manager).await?;
        assignments(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["experiment_assignments", "experiments"]).await
    }
}

async fn experiments(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "experiments",
        vec![
            id().into(),
            text("code").into(),
            text("name").into(),
            // The name of the event that is a conversion.
            text("conversion_event").into(),
            big_integer("window_seconds").into(),
            // Units whose window must be over before anything is decided.
            big_integer("planned_units").into(),
            big_integer("control_weight").into(),
            big_integer("treatment_weight").into(),
            instant("created_at").into(),
            // From then on nobody is assigned.
            instant_null("ended_at").into(),
            check("window_seconds > 0"),
            check("planned_units > 0"),
            check("control_weight > 0 AND treatment_weight > 0"),
        ],
    )
    .await?;
    unique(manager, "experiments", &["code"]).await?;
    index(manager, "experiments", &["created_at", "id"]).await
}

async fn assignments(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "experiment_assignments",
        vec![
            id().into(),
            reference("experiment_id", "experiments").into(),
            reference_null("user_id", "users").into(),
            // A visitor who was not known as a user when they were assigned.
            text_null("anonymous_id").into(),
            text("variant").into(),
            instant("assigned_at").into(),
            // The last instant at which a conversion counts.
            instant("window_ends_at").into(),
            one_of("variant", &["control", "treatment"]),
            check("(user_id IS NULL) <> (anonymous_id IS NULL)"),
            check("window_ends_at >= assigned_at"),
        ],
    )
    .await?;
    unique_where(manager, "experiment_assignments", &["experiment_id", "user_id"], "user_id IS NOT NULL").await?;
    let visitors = "anonymous_id IS NOT NULL";
    unique_where(manager, "experiment_assignments", &["experiment_id", "anonymous_id"], visitors).await?;
    index(manager, "experiment_assignments", &["user_id"]).await
}
